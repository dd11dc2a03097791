//! What can go wrong on the way out, and whether trying again can help.

use std::path::PathBuf;

use tidegate_broker::BrokerError;
use tidegate_schemas::SchemaError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// A file or folder cannot be written.
    #[error("{path} cannot be written: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A target that cannot work.
    #[error("{0}")]
    Target(String),
    /// Kafka.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Bytes and schemas.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl SinkError {
    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Target(_) => false,
            Self::Broker(e) => e.is_retryable(),
            Self::Schema(e) => e.is_retryable(),
        }
    }
}
