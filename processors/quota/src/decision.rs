//! One decision: the policy's scale, bounded by the rails, with its reason and its lease.

use crate::error::QuotaError;
use crate::rails::{Bound, Rails};
use crate::{reason, threshold};

/// Resources with a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
}

impl Resource {
    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
        }
    }
}

/// What a decision depends on; loads are fractions of the base quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inputs {
    /// Event time in ms since the epoch.
    pub timestamp: i64,
    /// Base quota in resource units, above 0.
    pub base_quota: f64,
    /// Forecast peak (p50) of CPU.
    pub peak_cpu: f64,
    /// Forecast peak (p50) of memory.
    pub peak_memory: f64,
    /// CPU by the report.
    pub current_cpu: f64,
    /// Memory by the report.
    pub current_memory: f64,
    /// Whether the model forecast, not a baseline.
    pub from_model: bool,
}

impl Inputs {
    /// The resource whose forecast peak counts: the larger one, CPU where they are equal.
    #[must_use]
    pub fn resource(&self) -> Resource {
        if self.peak_memory > self.peak_cpu { Resource::Memory } else { Resource::Cpu }
    }

    /// Forecast peak that counts.
    #[must_use]
    pub fn predicted_load(&self) -> f64 {
        self.peak_cpu.max(self.peak_memory)
    }

    /// Current load: the larger of CPU and memory.
    #[must_use]
    pub fn current_load(&self) -> f64 {
        self.current_cpu.max(self.current_memory)
    }
}

/// How decisions are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Guard rails.
    pub rails: Rails,
    /// How long a quota holds without news, in ms of event time.
    pub lease_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        // The forecast reaches 5 minutes; after that there is no reason left for the quota.
        Self { rails: Rails::default(), lease_ms: 300_000 }
    }
}

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`QuotaError::Setting`] for one out of its range.
    pub fn validate(&self) -> Result<(), QuotaError> {
        self.rails.validate()?;
        if self.lease_ms <= 0 {
            let value = self.lease_ms as f64 / 1000.0;
            return Err(QuotaError::Setting { setting: "lease_s", value, wanted: "above 0" });
        }
        Ok(())
    }
}

/// A decision; quota in the units of the base quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the node may use.
    pub quota: f64,
    /// quota / base quota, to 1e-4.
    pub scale_factor: f64,
    /// The decision in words.
    pub reason: String,
    /// What the policy alone would have granted, as a multiple of the base quota.
    pub wish: f64,
    /// Guard rails that bound, in their order, with what each left.
    pub bounds: Vec<Bound>,
    /// Name of the policy.
    pub policy: &'static str,
    /// End of the lease in event time.
    pub valid_until: i64,
}

/// Decides by the `threshold` policy.
#[must_use]
pub fn decide(settings: &Settings, inputs: &Inputs) -> Decision {
    let scale = threshold::scale(inputs.predicted_load(), inputs.current_load());
    let (bounded, bounds) = settings.rails.bound(scale);
    let reason = reason::threshold(inputs, round(scale), round(bounded), &bounds);
    Decision {
        quota: round(inputs.base_quota * bounded),
        scale_factor: round(bounded),
        reason,
        wish: round(scale),
        bounds,
        policy: threshold::NAME,
        valid_until: inputs.timestamp.saturating_add(settings.lease_ms),
    }
}

/// Floats leave rounded to 1e-4.
fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inputs(peak: f64, current: f64) -> Inputs {
        Inputs {
            timestamp: 1_000,
            base_quota: 500.0,
            peak_cpu: peak,
            peak_memory: 0.1,
            current_cpu: current,
            current_memory: 0.1,
            from_model: true,
        }
    }

    #[test]
    fn reasons_read_as_sentences() {
        let say = |peak, current| decide(&Settings::default(), &inputs(peak, current)).reason;
        assert_eq!(say(0.92, 0.55), "forecast CPU peak 0.92 is above 0.80: 1.38 × base");
        assert_eq!(say(0.2, 0.15), "load 0.15 is below 0.30 and no rise is forecast (peak 0.20): 0.70 × base");
        assert_eq!(say(0.6, 0.5), "load 0.50 and forecast CPU peak 0.60 are in range: base quota");
        assert_eq!(say(2.4, 1.0), "forecast CPU peak 2.40 is above 0.80: 3.60 × base; bound by max to 3.00 × base");
        let warming = Inputs { from_model: false, peak_memory: 0.9, ..inputs(0.6, 0.5) };
        assert_eq!(
            decide(&Settings::default(), &warming).reason,
            "baseline forecast memory peak 0.90 is above 0.80: 1.35 × base"
        );
    }

    #[test]
    fn the_lease_ends_in_event_time() {
        let settings = Settings { lease_ms: 60_000, ..Settings::default() };
        assert_eq!(decide(&settings, &inputs(0.5, 0.5)).valid_until, 61_000);
        assert!(Settings { lease_ms: 0, ..settings }.validate().is_err());
    }

    proptest! {
        #[test]
        fn the_quota_is_bounded_and_free_of_nan(peak: f64, current: f64, base in 1e-3..1e9f64) {
            let settings = Settings::default();
            let decision = decide(&settings, &Inputs { base_quota: base, ..inputs(peak, current) });
            let (low, high) = (settings.rails.min_scale * base, settings.rails.max_scale * base);
            prop_assert!(decision.quota >= low - 1e-4 && decision.quota <= high + 1e-4, "{decision:?}");
            prop_assert_eq!(decision.scale_factor, round(decision.scale_factor));
        }
    }
}
