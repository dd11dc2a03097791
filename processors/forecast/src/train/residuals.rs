//! How far what followed lay from the forecast p90, over the part that was learned from.
//!
//! ```text
//! learned nodes, reports before the cut ─► Model::predict ─► READY, one a minute ─► samples in (t, t + 5 min] ─► Residuals
//! ```
//!
//! Long data is cut to its last reports, the same number of each node, so that this takes some seconds at most.

use std::collections::BTreeMap;

use super::split::{Part, Split};
use crate::load::{HORIZON_MS, Prediction, Resource, Sample, Series, Status};
use crate::model::Model;
use crate::residuals::Residuals;
use crate::state::{MINUTE_MS, NodeState};

/// Most reports that run through the model.
const MOST_REPORTS: usize = 400_000;
/// Series that run through the model together.
const TOGETHER: usize = 16;

/// The values of one resource as they are gathered.
#[derive(Debug, Default)]
struct Values {
    points: Vec<f32>,
    relative: Vec<f32>,
}

/// A node on its way through the model.
struct Walk<'a> {
    samples: &'a [Sample],
    state: NodeState,
    /// The next report that counts is not before this time.
    due_ms: i64,
}

/// The residuals of each resource that the model forecasts.
pub(crate) fn residuals(model: &Model, data: &[Series], split: &Split) -> BTreeMap<Resource, Residuals> {
    let learned: Vec<&[Sample]> =
        data.iter().zip(&split.parts).filter_map(|(series, part)| learned(series, *part)).collect();
    let most = MOST_REPORTS / learned.len().max(1);
    let mut values: [Values; 2] = Default::default();
    for group in learned.chunks(TOGETHER) {
        let walks = group.iter().map(|samples| Walk {
            samples: &samples[samples.len().saturating_sub(most)..],
            state: NodeState::new(),
            due_ms: i64::MIN,
        });
        run_group(model, walks.collect(), &mut values);
    }
    let mut residuals = BTreeMap::new();
    for (resource, Values { points, relative }) in Resource::ALL.into_iter().zip(values) {
        if model.knows(resource) {
            residuals.extend(Residuals::of(points, relative).map(|found| (resource, found)));
        }
    }
    residuals
}

/// The reports of a series up to the cut.
pub(super) fn learned(series: &Series, part: Part) -> Option<&[Sample]> {
    let Part::LaterFrom(from) = part else {
        return None;
    };
    let cut = from.saturating_sub(HORIZON_MS);
    let end = series.samples.iter().position(|sample| sample.timestamp_ms >= cut);
    Some(&series.samples[..end.unwrap_or(series.samples.len())])
}

fn run_group(model: &Model, mut walks: Vec<Walk<'_>>, values: &mut [Values; 2]) {
    let longest = walks.iter().map(|walk| walk.samples.len()).max().unwrap_or(0);
    for at in 0..longest {
        let due = |walk: &&mut Walk<'_>| at < walk.samples.len();
        let mut rows: Vec<(&mut NodeState, Sample)> =
            walks.iter_mut().filter(due).map(|walk| (&mut walk.state, walk.samples[at])).collect();
        let predictions = model.predict(&mut rows);
        for (walk, prediction) in walks.iter_mut().filter(due).zip(predictions) {
            let now = walk.samples[at].timestamp_ms;
            if prediction.status == Status::Ready && now >= walk.due_ms {
                walk.due_ms = now.saturating_add(MINUTE_MS);
                add(&walk.samples[at..], &prediction, values);
            }
        }
    }
}

/// Adds what followed the first of these samples.
fn add(samples: &[Sample], prediction: &Prediction, values: &mut [Values; 2]) {
    let Some((now, ahead)) = samples.split_first() else {
        return;
    };
    let end = now.timestamp_ms.saturating_add(HORIZON_MS);
    for sample in ahead.iter().take_while(|sample| sample.timestamp_ms <= end) {
        for resource in Resource::ALL.into_iter().filter(|resource| resource.of(now).is_some()) {
            let Some(load) = resource.of(sample) else {
                continue;
            };
            let peak = match resource {
                Resource::Cpu => prediction.cpu.peak,
                Resource::Memory => prediction.memory.peak,
            };
            let above = (load - peak.p90) * 100.0;
            let values = &mut values[resource as usize];
            values.points.push(above);
            values.relative.push(above / ((peak.p90 - peak.p50) * 100.0 + 1.0));
        }
    }
}
