//! The policy `headroom`: scale = forecast peak (p90) + margin, the margin chosen for a share of violations.

use crate::error::QuotaError;
use crate::inputs::Inputs;
use crate::names::Counted;
use crate::rounding::round;

/// Margin until outcomes tell better, as a fraction of the base quota.
const FIRST_MARGIN: f64 = 0.05;

/// Settings of the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Headroom {
    /// Share of outcomes above the quota, between 0 and 0.5.
    pub target: f64,
}

impl Default for Headroom {
    fn default() -> Self {
        Self { target: 0.01 }
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
pub(crate) fn scale(_: &Headroom, inputs: &Inputs, counted: Counted, steering: &[u8]) -> (f64, f64, Vec<u8>) {
    let margin = FIRST_MARGIN;
    (round(inputs.forecast_p90(counted) + margin), margin, steering.to_vec())
}
