//! What a fleet is made from.

use crate::error::ProducerError;

/// 2026-01-05 00:00 UTC, a Monday.
pub const DEFAULT_START_MS: i64 = 1_767_571_200_000;

/// Most nodes that one process simulates.
const MOST_NODES: usize = 1_000_000;
/// Longest interval, ms: an hour.
const LONGEST_INTERVAL_MS: i64 = 3_600_000;
/// Latest start, ms: the year 5138, far enough from the end of 64 bits for any run.
const LATEST_START_MS: i64 = 100_000_000_000_000;

/// Options of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetOptions {
    /// Number of nodes, 1 to 1,000,000.
    pub nodes: usize,
    /// The same seed gives the same fleet.
    pub seed: u64,
    /// Time between two reports of a node, 1 ms to 1 h.
    pub interval_ms: i64,
    /// Event time of the start, Unix ms; times of day and week follow from it.
    pub start_ms: i64,
    /// Number of pools, 0 to 1,000,000; about 7 nodes in 10 are spread over them, the others stand alone.
    pub pools: usize,
    /// Base quota of every node, in resource units, above 0.
    pub base_quota: f64,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { nodes: 200, seed: 1, interval_ms: 10_000, start_ms: DEFAULT_START_MS, pools: 12, base_quota: 1000.0 }
    }
}

impl FleetOptions {
    /// Checks the options.
    ///
    /// # Errors
    /// [`ProducerError::Options`] names the first that cannot be.
    pub fn check(&self) -> Result<(), ProducerError> {
        let wrong = |what: String| Err(ProducerError::Options(what));
        if !(1..=MOST_NODES).contains(&self.nodes) {
            return wrong(format!("a fleet has 1 to {MOST_NODES} nodes, not {}", self.nodes));
        }
        if !(1..=LONGEST_INTERVAL_MS).contains(&self.interval_ms) {
            return wrong(format!("the interval must be 1 to {LONGEST_INTERVAL_MS} ms, not {}", self.interval_ms));
        }
        if !(0..=LATEST_START_MS).contains(&self.start_ms) {
            return wrong(format!("the start must be 0 to {LATEST_START_MS} ms, not {}", self.start_ms));
        }
        if self.pools > MOST_NODES {
            return wrong(format!("at most {MOST_NODES} pools are possible, not {}", self.pools));
        }
        if !(self.base_quota.is_finite() && self.base_quota > 0.0) {
            return wrong(format!("the base quota must be a finite number above 0, not {}", self.base_quota));
        }
        Ok(())
    }
}
