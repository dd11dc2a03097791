//! What can go wrong between a source and a topic, and whether trying again can help.

use std::path::PathBuf;

use tidegate_schemas::SchemaError;

/// Errors of this crate. [`ProducerError::is_retryable`] tells an outage from bad input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// An option that cannot be.
    #[error("{0}")]
    Options(String),
    /// A file could not be opened, read or written.
    #[error("{path}: {what}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The header of a CSV file is not one of load reports.
    #[error("{file}: line 1: {problem}")]
    Header {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A recording is damaged, or a record could not be encoded.
    #[error("{context}: {source}")]
    Schema {
        /// The file or topic.
        context: String,
        /// What is wrong.
        source: SchemaError,
    },
    /// The publisher refused a record.
    #[error(transparent)]
    Publish(Box<tidegate_broker::BrokerError>),
    /// Kafka does not take records as fast as they come.
    #[error("Kafka is behind: {waiting} records wait for it")]
    Behind {
        /// Records that are not acknowledged.
        waiting: usize,
    },
    /// The host could not be measured.
    #[error("this host cannot be measured: {0}")]
    Host(String),
    /// A metric could not be registered.
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl ProducerError {
    /// Whether the same call may succeed later without any change of the input.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Schema { source, .. } => source.is_retryable(),
            Self::Publish(source) => source.is_retryable(),
            Self::Behind { .. } => true,
            _ => false,
        }
    }
}
