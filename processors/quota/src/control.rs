//! What an operator's controls come to for one decision.

use std::fmt;
use std::str::FromStr;

use crate::error::QuotaError;

/// Policies by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyName {
    /// Fixed thresholds.
    Threshold,
    /// Forecast peak and a steered margin.
    Headroom,
}

impl PolicyName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Threshold, Self::Headroom];
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threshold => "threshold",
            Self::Headroom => "headroom",
        })
    }
}

impl FromStr for PolicyName {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        Self::ALL.into_iter().find(|p| p.to_string() == text).ok_or_else(|| QuotaError::UnknownPolicy(text.to_owned()))
    }
}

/// Whether edges enforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Edges enforce.
    Enforce,
    /// Published, not enforced.
    Recommend,
}

/// An operator's word in force for one decision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InForce {
    /// Quota to use whatever the policy says.
    pub override_quota: Option<f64>,
    /// Keep the quota as it is.
    pub freeze: bool,
    /// Lower bound.
    pub min_quota: Option<f64>,
    /// Upper bound.
    pub max_quota: Option<f64>,
    /// Policy to use.
    pub policy: Option<PolicyName>,
    /// Whether edges enforce.
    pub mode: Option<Mode>,
    /// Who said it of whom, and why.
    pub said: Vec<String>,
}
