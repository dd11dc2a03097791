//! What can be wrong with the settings of a decision.

/// Errors of this crate; none passes by waiting.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// A setting out of its range.
    #[error("the quota setting {setting} is {value}; it must be {wanted}")]
    Setting {
        /// Name as in the configuration.
        setting: &'static str,
        /// Value given.
        value: f64,
        /// What it must be.
        wanted: &'static str,
    },
}

impl QuotaError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }
}
