//! The policy `headroom`: scale = forecast peak (p90) + margin, the margin steered by outcomes to a share of violations.
//!
//! It stands on the 0.9 quantile, not on the median: the nearer the forecast comes to the quantile wanted, the less is
//! left for a margin that is the same at all times, so the least capacity is granted in vain.

use crate::error::QuotaError;
use crate::inputs::Inputs;
use crate::names::Counted;
use crate::rounding::round;
use crate::steering::{Prior, State};

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Headroom {
    /// Share of outcomes above the quota, between 0 and 0.5.
    pub target: f64,
    /// Where the steering of a new node starts.
    pub prior: Prior,
}

impl Default for Headroom {
    fn default() -> Self {
        Self { target: 0.01, prior: Prior::default() }
    }
}

impl Headroom {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`QuotaError::Setting`] for a target out of its range.
    pub fn validate(&self) -> Result<(), QuotaError> {
        if self.target > 0.0 && self.target <= 0.5 {
            return Ok(());
        }
        Err(QuotaError::Setting { setting: "target", value: self.target, wanted: "above 0 and at most 0.5" })
    }
}

/// The scale, the margin in it, and the steering's next state.
pub(crate) fn scale(headroom: &Headroom, inputs: &Inputs, counted: Counted, steering: &[u8]) -> (f64, f64, Vec<u8>) {
    let mut state = State::from_bytes(steering).unwrap_or_else(State::new);
    let load = inputs.is_measured(counted).then(|| inputs.current_load(counted));
    state.observe(inputs.timestamp, load, headroom.target);
    let p90 = inputs.forecast_p90(counted);
    let margin = round(state.margin(&headroom.prior, inputs.from_model, headroom.target));
    state.wait(inputs.timestamp, p90, margin);
    (round(p90 + margin).max(0.0), margin, state.to_bytes())
}
