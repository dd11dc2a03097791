//! What can go wrong between bytes and records, and whether trying again can help.

use crate::catalogue::RecordKind;

/// Errors of this crate. [`SchemaError::is_retryable`] tells an outage from bad input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The value does not begin with the magic byte and a schema id.
    #[error("the value is not in the Confluent wire format: {0}")]
    Framing(String),
    /// Nobody knows the schema id.
    #[error("schema id {id} is unknown to {source_name}")]
    UnknownSchemaId {
        /// Id found in the value.
        id: u32,
        /// Who was asked.
        source_name: String,
    },
    /// The datum was written with a schema that our record cannot be read from.
    #[error("a {expected} cannot be read from schema id {id}: {message}")]
    Incompatible {
        /// Record wanted.
        expected: RecordKind,
        /// Id found in the value.
        id: u32,
        /// What does not fit.
        message: String,
    },
    /// The datum does not parse.
    #[error("the datum is not a valid {expected}: {message}")]
    Datum {
        /// Record wanted.
        expected: RecordKind,
        /// What the Avro reader said.
        message: String,
    },
    /// The record could not be written.
    #[error("a {kind} could not be encoded: {message}")]
    Encode {
        /// Record to write.
        kind: RecordKind,
        /// What the Avro writer said.
        message: String,
    },
    /// A recording file is damaged or something else.
    #[error("{0}")]
    Recording(String),
    /// The registry did not answer, or answered that it cannot for now.
    #[error("the schema registry is unavailable: {0}")]
    RegistryUnavailable(String),
    /// The registry refused: waiting will not help.
    #[error("the schema registry refused: {0}")]
    RegistryRefused(String),
}

impl SchemaError {
    /// Whether the same call may succeed later without any change of the input.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RegistryUnavailable(_))
    }

    /// Stable name for the `error.class` header of a dead letter.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Framing(_) => "framing",
            Self::UnknownSchemaId { .. } => "unknown-schema-id",
            Self::Incompatible { .. } => "incompatible-schema",
            Self::Datum { .. } => "undecodable",
            Self::Encode { .. } => "unencodable",
            Self::Recording(_) => "recording",
            Self::RegistryUnavailable(_) => "registry-unavailable",
            Self::RegistryRefused(_) => "registry-refused",
        }
    }
}
