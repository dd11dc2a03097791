//! What is wrong with a request or a mapping; the same bytes will be refused again.

/// Errors of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplesError {
    /// Larger than is taken, by its own word.
    #[error("the body claims {claimed} bytes uncompressed; at most {allowed} are taken")]
    TooLarge {
        /// What it says.
        claimed: u64,
        /// The limit.
        allowed: usize,
    },
    /// More series, or larger ones, than one request may have.
    #[error("the request has {0}")]
    TooMany(String),
    /// No snappy block, or no message of its protocol.
    #[error("the body is no {what}: {message}")]
    Damaged {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        message: String,
    },
    /// A protocol, type or encoding that nobody here reads.
    #[error("{0}")]
    Unsupported(String),
    /// A mapping that cannot be.
    #[error("the mapping {name}: {message}")]
    Mapping {
        /// Its name: a preset's, or the file's.
        name: String,
        /// What is wrong, with its line.
        message: String,
    },
}

impl SamplesError {
    /// Whether a smaller request would be taken.
    #[must_use]
    pub fn is_size(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::TooMany(_))
    }
}
