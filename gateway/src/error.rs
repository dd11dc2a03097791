//! What ends a gateway or a link, and whether trying again can help.

use tidegate_broker::BrokerError;
use tidegate_producers::ProducerError;
use tidegate_schemas::SchemaError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// Kafka.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Schema ids.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The receiver of spans.
    #[error(transparent)]
    Spans(#[from] ProducerError),
    /// The server or its threads could not be started.
    #[error("the gateway cannot {what}: {source}")]
    Start {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The server ended by itself.
    #[error("the gateway's server ended: {0}")]
    Serve(String),
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
    /// A metric has the name of another.
    #[error("a metric cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl GatewayError {
    /// Whether the same start may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Broker(e) => e.is_retryable(),
            Self::Schema(e) => e.is_retryable(),
            Self::Spans(e) => e.is_retryable(),
            _ => false,
        }
    }
}

/// What was said, and the causes of an error that it does not tell of.
pub(crate) fn with_causes(mut said: String, error: &dyn std::error::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
        cause = next.source();
    }
    said
}
