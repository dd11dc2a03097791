//! What may be learned from and what is held out.
//!
//! ```text
//! ├── training ──┤ horizon ├─ validation ─┤ horizon ├── later ──┤
//!                                        cut
//! ```
//!
//! Each file is cut in time at `train_share` of its span; before the cut is for learning (targets included), and from one
//! horizon after it is `later`. The last tenth of a node's time before the cut tells when to stop, if it has two days before it. Nodes that are held out whole are `unseen`. What was dropped on the way is kept with its
//! reason.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::options::TrainOptions;
use super::report::Dropped;
use super::segment::{Segment, segments};
use super::simulate;
use crate::card::{DataCard, FileCard};
use crate::error::ForecastError;
use crate::load::{HORIZON_MS, Resource, Series};
use crate::state::{CONTEXT_WINDOW_MS, MINUTE_MS};

/// Least learning time over all segments of a resource.
const LEAST_MS: i64 = 6 * CONTEXT_WINDOW_MS;
/// Least time of a node before the cut of which a part is kept for validation.
const LEAST_VALIDATED_MS: i64 = 48 * CONTEXT_WINDOW_MS;
/// Share of a node's time before the cut that is kept for validation.
const VALIDATION_SHARE: f64 = 0.1;
/// Of a file with at least so many nodes, one in so many is held out where none are named.
const HELD_OUT_ONE_IN: usize = 5;

/// Where a series stands in the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Held out from this event time on.
    LaterFrom(i64),
    /// Held out whole.
    Unseen,
}

/// The split of all series.
#[derive(Debug)]
pub(crate) struct Split {
    /// One for each series.
    pub(crate) parts: Vec<Part>,
    segments: BTreeMap<Resource, Vec<Segment>>,
    validation: BTreeMap<Resource, Vec<Segment>>,
    /// Training and validation as one.
    learning: BTreeMap<Resource, Vec<Segment>>,
    dropped: Vec<Dropped>,
    intervals: BTreeSet<i64>,
}

impl Split {
    pub(crate) fn new(data: &[Series], options: &TrainOptions) -> Result<Self, ForecastError> {
        let names: BTreeSet<&str> = data.iter().map(|series| series.node_id.as_str()).collect();
        if let Some(missing) = options.held_out_nodes.iter().find(|node| !names.contains(node.as_str())) {
            let reason = format!("names {missing:?}, which is not in the data");
            return Err(ForecastError::Option { option: "held_out_nodes", reason });
        }
        let cuts = cuts(data, options.train_share);
        let mut split = Self {
            parts: Vec::new(),
            segments: BTreeMap::new(),
            validation: BTreeMap::new(),
            learning: BTreeMap::new(),
            dropped: Vec::new(),
            intervals: BTreeSet::new(),
        };
        for (index, series) in data.iter().enumerate() {
            let learned = cuts.get(series.source.as_str()).cloned().unwrap_or(0..0);
            if options.held_out_nodes.contains(&series.node_id) {
                split.parts.push(Part::Unseen);
                continue;
            }
            split.parts.push(Part::LaterFrom(learned.end.saturating_add(HORIZON_MS)));
            split.take(index, series, &learned);
        }
        Ok(split)
    }

    fn take(&mut self, index: usize, series: &Series, learned: &Range<i64>) {
        let (training, validation) = before_cut(series, learned);
        for resource in Resource::ALL {
            let (whole, _) = segments(index, series, resource, learned);
            self.learning.entry(resource).or_default().extend(whole);
            let (learned, mut dropped) = segments(index, series, resource, &training);
            let (checked, also_dropped) = segments(index, series, resource, &validation);
            add_dropped(&mut dropped, also_dropped);
            self.intervals.extend(learned.iter().map(|segment| segment.interval_ms));
            self.segments.entry(resource).or_default().extend(learned);
            self.validation.entry(resource).or_default().extend(checked);
            self.dropped.extend(dropped.into_iter().map(|(why, samples)| Dropped {
                source: series.source.clone(),
                node_id: series.node_id.clone(),
                why: format!("{}: {why}", resource.name()),
                samples,
            }));
        }
    }

    /// The resources with enough data, or why there is none.
    pub(crate) fn fit_resources(&mut self) -> Result<Vec<Resource>, ForecastError> {
        let mut fit = Vec::new();
        for resource in Resource::ALL {
            let fault = self.fault(resource);
            match (resource, fault) {
                (_, None) => fit.push(resource),
                (Resource::Cpu, Some(reason)) => return Err(ForecastError::unfit(reason)),
                (Resource::Memory, Some(reason)) => self.dropped.push(Dropped {
                    source: String::new(),
                    node_id: String::new(),
                    why: format!("memory is left to the baseline: {reason}"),
                    samples: 0,
                }),
            }
        }
        Ok(fit)
    }

    fn fault(&self, resource: Resource) -> Option<String> {
        let segments = self.training(resource);
        let name = resource.name();
        if segments.is_empty() {
            return Some(match self.dropped.iter().find(|dropped| dropped.why.starts_with(name)) {
                Some(first) => {
                    format!("no usable part; the first of {} that were dropped: {}", self.dropped.len(), first.why)
                }
                None => format!("it has no {name} values"),
            });
        }
        let span: i64 = segments.iter().map(Segment::span_ms).sum();
        (span < LEAST_MS).then(|| {
            let (has, needs) = (span / MINUTE_MS, LEAST_MS / MINUTE_MS);
            format!("{name} has {has} minutes to learn from before the split, at least {needs} are needed")
        })
    }

    pub(crate) fn training(&self, resource: Resource) -> &[Segment] {
        self.segments.get(&resource).map_or(&[], Vec::as_slice)
    }

    /// What tells when to stop; empty where there is too little data.
    pub(crate) fn validation(&self, resource: Resource) -> &[Segment] {
        self.validation.get(&resource).map_or(&[], Vec::as_slice)
    }

    /// Everything before the cut.
    pub(crate) fn learning(&self, resource: Resource) -> &[Segment] {
        self.learning.get(&resource).map_or(&[], Vec::as_slice)
    }

    /// Report intervals of everything that is learned from, simulated nodes included, in milliseconds.
    pub(crate) fn intervals(&self, options: &TrainOptions) -> Vec<i64> {
        let simulated = (0..options.simulated_nodes.min(4)).map(simulate::interval_ms);
        let all: BTreeSet<i64> = self.intervals.iter().copied().chain(simulated).collect();
        all.into_iter().collect()
    }

    pub(crate) fn card(&self, data: &[Series], options: &TrainOptions) -> DataCard {
        DataCard {
            files: files(data),
            sha256: digest(data),
            held_out_nodes: options.held_out_nodes.clone(),
            train_share: options.train_share,
            simulated_nodes: options.simulated_nodes,
            dropped: self.dropped.clone(),
        }
    }
}

/// The nodes that are held out whole where none are named: of each file with 5 nodes or more every fifth in the order of their
/// names, beginning with the fifth.
#[must_use]
pub fn default_hold_out(data: &[Series]) -> Vec<String> {
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for series in data {
        files.entry(&series.source).or_default().insert(&series.node_id);
    }
    let fifths = files.values().flat_map(|nodes| nodes.iter().skip(HELD_OUT_ONE_IN - 1).step_by(HELD_OUT_ONE_IN));
    let names: BTreeSet<&str> = fifths.copied().collect();
    names.into_iter().map(str::to_owned).collect()
}

/// What is learned from and what tells when to stop, a horizon apart; by the series' own time, as those of a file may lie apart.
fn before_cut(series: &Series, learned: &Range<i64>) -> (Range<i64>, Range<i64>) {
    let times = || series.samples.iter().map(|sample| sample.timestamp_ms).filter(|at| learned.contains(at));
    let (first, last) = (times().min().unwrap_or(learned.end), times().max().unwrap_or(learned.end));
    let span = last.saturating_sub(first);
    if span < LEAST_VALIDATED_MS {
        return (learned.clone(), learned.end..learned.end);
    }
    let from = last - (span as f64 * VALIDATION_SHARE) as i64;
    (learned.start..from - HORIZON_MS, from..learned.end)
}

fn add_dropped(dropped: &mut Vec<(String, usize)>, more: Vec<(String, usize)>) {
    for (why, samples) in more {
        match dropped.iter_mut().find(|(known, _)| *known == why) {
            Some((_, sum)) => *sum += samples,
            None => dropped.push((why, samples)),
        }
    }
}

/// Event times of each file from its beginning to its cut.
fn cuts(data: &[Series], share: f64) -> BTreeMap<&str, Range<i64>> {
    let mut spans: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for series in data {
        for sample in &series.samples {
            let span = spans.entry(&series.source).or_insert((i64::MAX, i64::MIN));
            span.0 = span.0.min(sample.timestamp_ms);
            span.1 = span.1.max(sample.timestamp_ms);
        }
    }
    let cut = |(from, to): (i64, i64)| from..from + (to.saturating_sub(from) as f64 * share) as i64;
    spans.into_iter().map(|(source, span)| (source, cut(span))).collect()
}

fn files(data: &[Series]) -> Vec<FileCard> {
    let mut files: BTreeMap<&str, FileCard> = BTreeMap::new();
    for series in data {
        let file = files.entry(&series.source).or_insert_with(|| FileCard {
            source: series.source.clone(),
            nodes: 0,
            samples: 0,
            from_ms: i64::MAX,
            to_ms: i64::MIN,
        });
        file.nodes += 1;
        file.samples += series.samples.len();
        for sample in &series.samples {
            file.from_ms = file.from_ms.min(sample.timestamp_ms);
            file.to_ms = file.to_ms.max(sample.timestamp_ms);
        }
    }
    files.into_values().collect()
}

fn digest(data: &[Series]) -> String {
    let mut hash = Sha256::new();
    for series in data {
        hash.update(series.source.as_bytes());
        hash.update([0]);
        hash.update(series.node_id.as_bytes());
        hash.update([0]);
        for sample in &series.samples {
            hash.update(sample.timestamp_ms.to_le_bytes());
            hash.update(sample.interval_ms.to_le_bytes());
            for load in [sample.cpu, sample.memory] {
                hash.update(load.map_or(u32::MAX, f32::to_bits).to_le_bytes());
            }
        }
    }
    const_hex::encode(hash.finalize())
}
