//! What is kept of one series: its last sample, and what it says now.

use crate::Sample;
use crate::mapping::Reading;

/// A counter that was silent for longer begins anew, and a series is forgotten then.
pub(super) const LOOKBACK_MS: i64 = 300_000;

/// The last of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) rule: usize,
    pub(super) replica: u64,
    pub(super) last: Sample,
    /// Its value or rate; `None`: of a rate that has had one sample.
    pub(super) current: Option<f64>,
    /// Whether the report that is being gathered has a sample of it.
    pub(super) is_renewed: bool,
}

impl Kept {
    /// Of a first sample.
    pub(super) fn new(rule: usize, replica: u64, sample: Sample, reading: Reading, is_total: bool) -> Self {
        let current = first(sample.value, reading, is_total);
        Self { rule, replica, last: sample, current, is_renewed: false }
    }

    /// The next sample, later than the last; gives by how much a counter grew.
    pub(super) fn next(&mut self, sample: Sample, reading: Reading, is_total: bool) -> f64 {
        let apart = sample.at_ms.saturating_sub(self.last.at_ms);
        // A counter that is smaller than it was has begun again from 0.
        let grown = if sample.value >= self.last.value { sample.value - self.last.value } else { sample.value };
        let is_apart = apart > LOOKBACK_MS;
        self.current = match reading {
            Reading::Rate if !is_total && !is_apart => Some(grown * 1000.0 / apart as f64),
            _ => first(sample.value, reading, is_total),
        };
        self.last = sample;
        if is_apart { 0.0 } else { grown }
    }
}

fn first(value: f64, reading: Reading, is_total: bool) -> Option<f64> {
    match reading {
        _ if is_total => Some(0.0),
        Reading::Value => Some(value),
        Reading::Rate => None,
        Reading::Count => Some(1.0),
    }
}
