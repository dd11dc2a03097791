//! From samples to load reports. Pure; time is an argument.
//!
//! ```text
//! request ─ series ─> Mapping ─> points, by time ─> Node ─ all its moving series have a new sample? ─> LoadReport
//!                        │ not wanted, not granted: counted        │ the same of a second series' scrape
//! Taken: reports to publish ─ acknowledged? ─> settle              └──────────────> the scrape before is closed
//! ```
//!
//! A node's series may come in several requests, and those out of order. Its report is made by the request that brings the last
//! series of a scrape, or by the first one of the next scrape where some never came; their last values stand in for them. A
//! report that Kafka did not acknowledge is made again by the next request that touches its node.

mod counts;
mod kept;
mod node;
mod request;
mod values;
mod waiting;

use std::collections::HashMap;

use tidegate_schemas::records::{CLOCK_AHEAD_ALLOWED_MS, LoadReport};

use crate::Mapping;
use node::Node;

pub use counts::Counts;
pub use request::{Request, Taken};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Nodes.
    pub nodes: usize,
    /// Series of one node.
    pub series: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { nodes: 10_000, series: 4_096 }
    }
}

/// A node that nobody spoke of for so long is forgotten.
const FORGOTTEN_AFTER_MS: i64 = 600_000;
/// Between two looks for such nodes.
const SWEEP_EVERY_MS: i64 = 60_000;

/// Which node: its kind in the mapping, and its id.
type Key = (usize, String);

/// Names a report that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportName {
    kind: usize,
    node_id: String,
    timestamp: i64,
}

/// Keeps the series of all nodes.
#[derive(Debug)]
pub struct Collector {
    mapping: Mapping,
    bounds: Bounds,
    nodes: HashMap<Key, Node>,
    swept_ms: i64,
}

impl Collector {
    /// One that knows no node yet.
    #[must_use]
    pub fn new(mapping: Mapping, bounds: Bounds) -> Self {
        Self { mapping, bounds, nodes: HashMap::new(), swept_ms: i64::MIN }
    }

    /// Nodes and series that are kept.
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.nodes.len(), self.nodes.values().map(Node::len).sum())
    }

    /// Takes a whole request, here at `now_ms` (Unix ms).
    pub fn take(&mut self, request: Request, now_ms: i64) -> Taken {
        self.sweep(now_ms);
        let (points, mut counts) = request.into_points();
        let mut touched: Vec<Key> = Vec::new();
        let ahead_ms = now_ms.saturating_add(CLOCK_AHEAD_ALLOWED_MS);
        for point in points {
            if !(0..=ahead_ms).contains(&point.sample.at_ms) {
                // It would stand in the way of all that is right.
                counts.ill_timed += 1;
                continue;
            }
            let Some(kind) = self.mapping.kind(point.key.0) else { continue };
            let is_new = !self.nodes.contains_key(&point.key);
            if is_new && point.sample.is_stale() {
                counts.stale += 1;
                continue;
            }
            if is_new && self.nodes.len() >= self.bounds.nodes {
                counts.beyond_bounds += 1;
                continue;
            }
            let node = self.nodes.entry(point.key.clone()).or_default();
            if node.touch(now_ms) {
                touched.push(point.key.clone());
            }
            node.take(kind, &point, self.bounds.series, self.mapping.failover_ms(), &mut counts);
        }
        let mut taken = Taken { counts, ..Taken::default() };
        for key in touched {
            if let Some(node) = self.nodes.get_mut(&key) {
                node.untouch();
                let name = |report: &LoadReport| ReportName {
                    kind: key.0,
                    node_id: key.1.clone(),
                    timestamp: report.timestamp,
                };
                let reports = node.due();
                taken.names.extend(reports.iter().map(name));
                taken.reports.extend(reports);
            }
        }
        taken
    }

    /// What became of reports that were handed out: acknowledged by Kafka (or set aside), or to be made again.
    pub fn settle(&mut self, names: &[ReportName], is_acknowledged: bool) {
        for name in names {
            if let Some(node) = self.nodes.get_mut(&(name.kind, name.node_id.clone())) {
                node.settle(name.timestamp, is_acknowledged);
            }
        }
    }

    fn sweep(&mut self, now_ms: i64) {
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_EVERY_MS || now_ms < self.swept_ms {
            self.swept_ms = now_ms;
            self.nodes.retain(|_, node| now_ms.saturating_sub(node.heard_ms()) < FORGOTTEN_AFTER_MS);
        }
    }
}

#[cfg(test)]
mod tests;
