//! What `/metrics` tells of quotas: how often they move and by what they are bound, and how often load passed the quota in force.
//!
//! ```text
//! forecast (load, quota in force by the report) ─┬─> samples within, above
//! command ───────────────────────────────────────┴─> moves up, down, none; limits hit
//! ```
//!
//! Counted as commands are published, so each once, whatever is followed or rebuilt beside.

use prometheus::{IntCounterVec, Opts};

use tidegate_broker::Registry;
use tidegate_schemas::records::{Forecast, QuotaCommand};

/// Relative changes that are smaller are none: quotas are rounded.
const MOVE: f64 = 1e-6;

/// The counters.
#[derive(Debug, Clone)]
pub struct QuotaMetrics {
    moves: IntCounterVec,
    limits: IntCounterVec,
    samples: IntCounterVec,
}

impl QuotaMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// Where the registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            moves: counters(
                "tidegate_quota_moves_total",
                "Quota commands, by where they move the quota that the report says is in force.",
                "direction",
            )?,
            limits: counters("tidegate_quota_limits_hit_total", "Quota commands that a guard rail bound.", "limit")?,
            samples: counters(
                "tidegate_quota_samples_total",
                "Reports, by whether their load was within the quota in force.",
                "load",
            )?,
        };
        for direction in ["up", "down", "none"] {
            metrics.moves.with_label_values(&[direction]);
        }
        for load in ["within", "above"] {
            metrics.samples.with_label_values(&[load]);
        }
        for counter in [&metrics.moves, &metrics.limits, &metrics.samples] {
            registry.register(Box::new(counter.clone()))?;
        }
        Ok(metrics)
    }

    /// A command was published.
    pub(crate) fn published(&self, forecast: &Forecast, command: &QuotaCommand) {
        let load = forecast.current.cpu.max(forecast.current.memory) * forecast.base_quota;
        self.count(load, forecast.quota_in_force, command.quota, &command.limits_hit);
    }

    /// Load and quotas in resource units.
    fn count(&self, load: f64, in_force: Option<f64>, quota: f64, limits: &[String]) {
        for limit in limits {
            self.limits.with_label_values(&[limit]).inc();
        }
        let Some(in_force) = in_force else { return };
        let moved = quota - in_force;
        let direction = if moved.abs() <= MOVE * in_force.abs() {
            "none"
        } else if moved > 0.0 {
            "up"
        } else {
            "down"
        };
        self.moves.with_label_values(&[direction]).inc();
        self.samples.with_label_values(&[if load > in_force { "above" } else { "within" }]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_limits_and_samples_are_counted() {
        let metrics = QuotaMetrics::register(&Registry::new()).unwrap();
        let count = |load, in_force, quota, limits: &[&str]| {
            let limits: Vec<String> = limits.iter().map(|&limit| limit.to_owned()).collect();
            metrics.count(load, in_force, quota, &limits);
        };
        count(700.0, Some(800.0), 800.0, &["dead_band"]);
        count(900.0, Some(800.0), 900.0, &["max", "largest_step_up"]);
        count(900.0, None, 900.0, &["max"]);
        let of = |counter: &IntCounterVec, label: &str| counter.with_label_values(&[label]).get();
        assert_eq!([of(&metrics.moves, "none"), of(&metrics.moves, "up"), of(&metrics.moves, "down")], [1, 1, 0]);
        assert_eq!([of(&metrics.limits, "max"), of(&metrics.limits, "dead_band")], [2, 1]);
        assert_eq!([of(&metrics.samples, "within"), of(&metrics.samples, "above")], [1, 1]);
    }
}
