//! One request: its points in the order of their times, whatever the order of its series.

use std::collections::HashMap;

use tidegate_schemas::records::LoadReport;

use super::counts::Counts;
use super::{Key, ReportName};
use crate::{Labels, Mapping, Sample};

/// A request that is being put together. One that is refused is dropped, and nothing of it is kept.
#[derive(Debug, Default)]
pub struct Request {
    points: Vec<Point>,
    granted: HashMap<String, bool>,
    counts: Counts,
    /// Samples of series whose names no node may have, and why of the first.
    invalid: (u64, Option<String>),
}

/// One sample of a series that is of use.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(super) key: Key,
    pub(super) pool: String,
    pub(super) rule: usize,
    /// The series' name in memory.
    pub(super) series: u64,
    pub(super) replica: u64,
    pub(super) sample: Sample,
}

/// What came of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Taken {
    /// Reports to publish, each node's in the order of their times.
    pub reports: Vec<LoadReport>,
    /// Their names, for [`super::Collector::settle`].
    pub names: Vec<ReportName>,
    /// What became of the samples.
    pub counts: Counts,
}

impl Request {
    /// Adds a series. `may` says whether the sender may speak for a node; it is asked once for each.
    pub fn series(
        &mut self,
        mapping: &Mapping,
        labels: &Labels<'_>,
        samples: &[Sample],
        may: &mut dyn FnMut(&str) -> bool,
    ) {
        let (labels, replica) = labels.without(mapping.replica_labels());
        let count = samples.len() as u64;
        let matches = match mapping.matches(&labels) {
            Ok(matches) => matches,
            Err(why) => {
                self.invalid.0 += count;
                self.invalid.1.get_or_insert(why);
                return;
            }
        };
        if matches.is_empty() {
            self.counts.passed_over += count;
        }
        let series = labels.hash();
        for found in matches {
            let is_granted = match self.granted.get(&found.node_id) {
                Some(known) => *known,
                None => *self.granted.entry(found.node_id.clone()).or_insert_with(|| may(&found.node_id)),
            };
            if !is_granted {
                self.counts.not_granted += count;
                continue;
            }
            let series = series.wrapping_add(found.rule as u64);
            let point = |sample: &Sample| Point {
                key: (found.kind, found.node_id.clone()),
                pool: found.pool.clone(),
                rule: found.rule,
                series,
                replica,
                sample: *sample,
            };
            self.points.extend(samples.iter().map(point));
        }
    }

    /// Samples of series whose names no node may have, and why of the first.
    #[must_use]
    pub fn invalid(&self) -> (u64, Option<&str>) {
        (self.invalid.0, self.invalid.1.as_deref())
    }

    /// By time; of equal times, as they came.
    pub(super) fn into_points(mut self) -> (Vec<Point>, Counts) {
        self.points.sort_by_key(|point| point.sample.at_ms);
        (self.points, self.counts)
    }
}
