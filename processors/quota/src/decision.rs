//! One decision: the policy's scale, led through the rails, with its reason and its lease.

use crate::control::InForce;
use crate::error::QuotaError;
use crate::headroom::{self, Headroom};
use crate::inputs::{Before, Inputs};
use crate::names::{Counted, Mode, PolicyName};
use crate::rails::{Bound, Moment, Rails};
use crate::rounding::round;
use crate::{reason, threshold};

/// How decisions are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The policy.
    pub policy: PolicyName,
    /// Whether edges enforce what is decided.
    pub mode: Mode,
    /// The resource that counts.
    pub resource: Counted,
    /// Settings of policy `headroom`.
    pub headroom: Headroom,
    /// Guard rails.
    pub rails: Rails,
    /// How long a quota holds without news, in ms of event time.
    pub lease_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policy: PolicyName::default(),
            mode: Mode::default(),
            resource: Counted::default(),
            headroom: Headroom::default(),
            rails: Rails::default(),
            // The forecast reaches 5 minutes; after that there is no reason left for the quota.
            lease_ms: 300_000,
        }
    }
}

impl Settings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`QuotaError::Setting`] for one out of its range.
    pub fn validate(&self) -> Result<(), QuotaError> {
        self.rails.validate()?;
        self.headroom.validate()?;
        if self.lease_ms <= 0 {
            let value = self.lease_ms as f64 / 1000.0;
            return Err(QuotaError::Setting { setting: "lease_s", value, wanted: "above 0" });
        }
        Ok(())
    }
}

/// A decision; quota in the units of the base quota, loads and margin as fractions of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the node may use.
    pub quota: f64,
    /// quota / base quota, to 1e-4.
    pub scale_factor: f64,
    /// What the policy alone would have granted, as a multiple of the base quota.
    pub wish: f64,
    /// Guard rails that bound, in their order, with what each left.
    pub bounds: Vec<Bound>,
    /// The decision in words.
    pub reason: String,
    /// The policy.
    pub policy: PolicyName,
    /// Whether edges enforce the quota.
    pub mode: Mode,
    /// Forecast peak (p50) of the resource that counts.
    pub predicted_load: f64,
    /// Forecast peak (p90) of the resource that counts.
    pub forecast_p90: f64,
    /// Load of the resource that counts.
    pub current_load: f64,
    /// What the policy put above `forecast_p90`; 0 where it knows no margin.
    pub margin: f64,
    /// No decrease before this event time.
    pub hold_until: Option<i64>,
    /// End of the lease in event time.
    pub valid_until: i64,
    /// The steering's state; empty: none.
    pub steering: Vec<u8>,
}

impl Decision {
    /// What this decision leaves for the next one.
    #[must_use]
    pub fn leaves(&self) -> Before {
        Before {
            quota: self.quota,
            hold_until: self.hold_until,
            valid_until: self.valid_until,
            steering: self.steering.clone(),
        }
    }
}

/// Decides: a function of its arguments alone.
///
/// `before` is what the node's last command left; without it there is nothing to hold or to steer on from.
#[must_use]
pub fn decide(settings: &Settings, inputs: &Inputs, before: Option<&Before>, control: &InForce) -> Decision {
    let policy = control.policy.unwrap_or(settings.policy);
    let counted = settings.resource;
    let steering = before.map_or(&[][..], |before| &before.steering);
    let (wish, margin, steering) = match policy {
        PolicyName::Threshold => {
            let scale = threshold::scale(inputs.predicted_load(counted), inputs.current_load(counted));
            (scale, 0.0, steering.to_vec())
        }
        PolicyName::Headroom => headroom::scale(&settings.headroom, inputs, counted, steering),
    };
    let is_stale = is_stale(settings, inputs);
    let moment = Moment { now: inputs.timestamp, base: inputs.base_quota, is_stale, before };
    let granted = settings.rails.grant(wish, moment, control);
    let words = reason::Words { inputs, counted, policy, wish, margin, target: settings.headroom.target };
    let is_held_stale = granted.bounds.first().is_some_and(|bound| bound.limit == "stale_input");
    Decision {
        quota: granted.quota,
        scale_factor: round(granted.scale),
        wish,
        reason: words.sentence(&granted.bounds, &control.said),
        bounds: granted.bounds,
        policy,
        mode: control.mode.unwrap_or(settings.mode),
        predicted_load: inputs.predicted_load(counted),
        forecast_p90: inputs.forecast_p90(counted),
        current_load: inputs.current_load(counted),
        margin,
        hold_until: granted.hold_until,
        valid_until: lease_end(settings, inputs, before.filter(|_| is_held_stale), is_held_stale),
        steering,
    }
}

fn is_stale(settings: &Settings, inputs: &Inputs) -> bool {
    let age = inputs.age_ms(settings.resource);
    age.zip(settings.rails.stale_after_ms).is_some_and(|(age, allowed)| age > allowed)
}

/// Fresh input renews the lease; stale input leaves it as it was, or lets it run from the measurement.
fn lease_end(settings: &Settings, inputs: &Inputs, before: Option<&Before>, is_held_stale: bool) -> i64 {
    let age = if is_held_stale { inputs.age_ms(settings.resource).unwrap_or(0) } else { 0 };
    let renewed = inputs.timestamp.saturating_sub(age).saturating_add(settings.lease_ms);
    before.map_or(renewed, |before| before.valid_until)
}
