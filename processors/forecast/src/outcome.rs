//! What was measured in the 5 minutes after a report, against which forecasts are held.
//!
//! The outcome of a report at t is what its node measured in (t, t + 5 min]: the highest load, and the last one of the fifth
//! minute. It is known where the node's reports reach the horizon's last minute and at least half of the reports that were due
//! came with a measurement.

use crate::load::{HORIZON_MS, PATH_MINUTES, Resource, Sample};
use crate::state::MINUTE_MS;

/// What followed a report, as fractions of the base quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The highest load within 5 minutes.
    pub peak: f32,
    /// The load at +5 minutes: the last one measured in the fifth minute, if any.
    pub at_5m: Option<f32>,
}

/// An outcome in the making: measurements of one resource come in, in order of event time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Horizon {
    at_ms: i64,
    interval_ms: i64,
    peak: f32,
    at_5m: Option<f32>,
    measured: i64,
}

impl Horizon {
    /// The horizon of a report at this event time, of a node that reports once in `interval_ms`.
    #[must_use]
    pub fn new(at_ms: i64, interval_ms: i64) -> Self {
        Self { at_ms, interval_ms, peak: f32::NEG_INFINITY, at_5m: None, measured: 0 }
    }

    /// End of the horizon, Unix milliseconds.
    #[must_use]
    pub fn end_ms(&self) -> i64 {
        self.at_ms.saturating_add(HORIZON_MS)
    }

    /// Whether an event time lies in the horizon.
    #[must_use]
    pub fn holds(&self, timestamp_ms: i64) -> bool {
        timestamp_ms > self.at_ms && timestamp_ms <= self.end_ms()
    }

    /// Takes in a measurement; one outside the horizon changes nothing.
    pub fn see(&mut self, timestamp_ms: i64, load: f32) {
        if !self.holds(timestamp_ms) {
            return;
        }
        self.peak = self.peak.max(load);
        self.measured += 1;
        if timestamp_ms > self.end_ms() - HORIZON_MS / PATH_MINUTES as i64 {
            self.at_5m = Some(load);
        }
    }

    /// The outcome, given that the node's last report was at `last_ms`; `None` where it is not known.
    #[must_use]
    pub fn outcome(&self, last_ms: i64) -> Option<Outcome> {
        let expected = (HORIZON_MS / self.interval_ms.max(1)).max(1);
        let reached = last_ms >= self.end_ms().saturating_sub(MINUTE_MS);
        (reached && self.measured > 0 && 2 * self.measured >= expected)
            .then_some(Outcome { peak: self.peak, at_5m: self.at_5m })
    }
}

impl Outcome {
    /// The outcome of report `at` of a node's reports, which are in order of event time; `None` where it is not known, or the
    /// report itself lacks the resource.
    #[must_use]
    pub fn of(samples: &[Sample], at: usize, resource: Resource) -> Option<Self> {
        let now = samples.get(at)?;
        resource.of(now)?;
        let mut horizon = Horizon::new(now.timestamp_ms, now.interval_ms);
        let end_ms = horizon.end_ms();
        for sample in samples[at + 1..].iter().take_while(|sample| sample.timestamp_ms <= end_ms) {
            if let Some(load) = resource.of(sample) {
                horizon.see(sample.timestamp_ms, load);
            }
        }
        horizon.outcome(samples.last()?.timestamp_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(loads: &[(i64, Option<f32>)]) -> Vec<Sample> {
        let sample = |(minute, cpu): &(i64, Option<f32>)| Sample {
            timestamp_ms: minute * MINUTE_MS,
            interval_ms: MINUTE_MS,
            cpu: *cpu,
            memory: None,
        };
        loads.iter().map(sample).collect()
    }

    #[test]
    fn outcomes_by_hand() {
        let all = [0.9, 0.2, 0.7, 0.3, 0.4, 0.5, 0.8].map(Some);
        let full = samples(&(0..).zip(all).collect::<Vec<_>>());
        // Minutes 1 to 5; the load at 0 itself and at 6 does not count.
        assert_eq!(Outcome::of(&full, 0, Resource::Cpu), Some(Outcome { peak: 0.7, at_5m: Some(0.5) }));
        // Minute 2 sees 3 to 6 and the last report is in the horizon's last minute: at +5 nothing was measured.
        assert_eq!(Outcome::of(&full, 2, Resource::Cpu), Some(Outcome { peak: 0.8, at_5m: None }));
        assert_eq!(Outcome::of(&full, 3, Resource::Cpu), None, "the reports end too early");
        assert_eq!(Outcome::of(&full, 0, Resource::Memory), None, "never measured");
        // Two of five are less than half.
        let holes = samples(&[(0, Some(0.1)), (1, Some(0.2)), (2, None), (3, None), (4, None), (5, Some(0.3))]);
        assert_eq!(Outcome::of(&holes, 0, Resource::Cpu), None);
    }
}
