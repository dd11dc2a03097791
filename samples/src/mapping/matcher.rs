//! The values that a label may have: one, or any of several. An empty one stands for a label that is not there.

use serde::Deserialize;

/// Values of a label.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Values {
    One(String),
    Any(Vec<String>),
}

impl Values {
    /// Whether a value is one of them.
    pub(super) fn has(&self, value: &str) -> bool {
        match self {
            Self::One(own) => own == value,
            Self::Any(all) => all.iter().any(|own| own == value),
        }
    }
}
