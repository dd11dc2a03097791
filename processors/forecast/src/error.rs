//! What can go wrong in this crate: reading an artifact, building a model, training one.
//!
//! Everything here is decided by its input alone, so nothing becomes right by trying again;
//! [`ForecastError::is_retryable`] says so to callers that ask every error the same question.

/// Why a model could not be read, built or trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// The bytes are not a tidegate artifact at all, or one of a version this crate does not know.
    #[error("is not a tidegate model: {reason}")]
    NotAModel {
        /// What was found instead.
        reason: String,
    },
    /// The bytes were an artifact once: something was changed or lost.
    #[error("is damaged: {reason}")]
    Damaged {
        /// What does not fit.
        reason: String,
    },
    /// The model was made for other inputs than this crate computes.
    #[error("was made for {inputs} inputs, and this program has {}: train it again", crate::features::INPUTS)]
    OtherInputs {
        /// Inputs of its networks.
        inputs: usize,
    },
    /// The training data cannot teach a model.
    #[error("cannot train on this data: {reason}")]
    UnfitData {
        /// What is missing or wrong, with figures.
        reason: String,
    },
    /// A training option is out of its range.
    #[error("training option {option} {reason}")]
    Option {
        /// The option's field name.
        option: &'static str,
        /// What it must be.
        reason: String,
    },
    /// Training left the range of numbers (a loss that is not finite).
    #[error("training diverged at step {step}: the loss is not finite")]
    Diverged {
        /// The step, counted from 0.
        step: usize,
    },
    /// The progress callback asked to stop.
    #[error("training was cancelled at step {step}")]
    Cancelled {
        /// The step, counted from 0.
        step: usize,
    },
}

impl ForecastError {
    /// Whether the same call could succeed later. Never: each cause lies in the input.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }

    pub(crate) fn unfit(reason: impl Into<String>) -> Self {
        Self::UnfitData { reason: reason.into() }
    }

    pub(crate) fn not_a_model(reason: impl Into<String>) -> Self {
        Self::NotAModel { reason: reason.into() }
    }

    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }
}
