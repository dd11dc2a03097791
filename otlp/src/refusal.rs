//! How a request that is not taken is refused, in the words of both transports (OTLP, "Failures" and "Throttling").
//!
//! ```text
//! OtlpError, what becomes of spans ─> Refusal ─┬─> HTTP: status, Retry-After
//!                                              └─> gRPC: code, RetryInfo
//! ```
//!
//! A sender may send again only what is behind or busy; everything else stays refused, whoever sends it.

use std::time::Duration;

use crate::error::OtlpError;
use crate::grpc;

/// After how long a sender is to come again.
const COME_AGAIN: Duration = Duration::from_secs(2);

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bytes are no request.
    Malformed,
    /// A content type or compression that is not read here.
    Unsupported,
    /// More than is taken at once.
    TooLarge,
    /// As many requests are being taken as there are places.
    Busy,
    /// What is behind does not take it now.
    Behind,
    /// It failed here, and would again.
    Failed,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub kind: Kind,
    /// Why, in one sentence for the sender.
    pub why: String,
}

impl Refusal {
    /// Of a kind; why.
    #[must_use]
    pub fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.kind {
            Kind::Malformed => 400,
            Kind::Unsupported => 415,
            Kind::TooLarge => 413,
            Kind::Busy => 429,
            Kind::Behind => 503,
            Kind::Failed => 500,
        }
    }

    /// The number of the gRPC code. What is too large is no `OUT_OF_RANGE`, which senders would send again.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self.kind {
            Kind::Malformed => grpc::INVALID_ARGUMENT,
            Kind::Unsupported => grpc::UNIMPLEMENTED,
            Kind::TooLarge | Kind::Busy => grpc::RESOURCE_EXHAUSTED,
            Kind::Behind => grpc::UNAVAILABLE,
            Kind::Failed => grpc::INTERNAL,
        }
    }

    /// After how long to send it again: `Retry-After`, `RetryInfo`. `None`: never.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        matches!(self.kind, Kind::Busy | Kind::Behind).then_some(COME_AGAIN)
    }
}

impl From<OtlpError> for Refusal {
    fn from(error: OtlpError) -> Self {
        let kind = match &error {
            OtlpError::ContentType(_) | OtlpError::ContentEncoding(_) => Kind::Unsupported,
            OtlpError::TooLarge { .. } | OtlpError::TooManyParts { .. } | OtlpError::TooLargeAsRecords { .. } => {
                Kind::TooLarge
            }
            OtlpError::Compression(_) | OtlpError::Malformed { .. } => Kind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, answer, grpc_answer};

    const KINDS: [Kind; 6] =
        [Kind::Malformed, Kind::Unsupported, Kind::TooLarge, Kind::Busy, Kind::Behind, Kind::Failed];

    #[test]
    fn both_transports_say_the_same_and_our_own_export_understands_it() {
        for kind in KINDS {
            let refusal = Refusal::new(kind, "no");
            let seconds = refusal.retry_after().map(|after| after.as_secs().to_string());
            let by_http = answer(refusal.status(), seconds.as_deref(), None, b"no");
            let by_grpc = grpc_answer(refusal.code(), "no", refusal.retry_after());
            let is_later = matches!(kind, Kind::Busy | Kind::Behind);
            assert_eq!(matches!(by_http, Answer::Later(Some(COME_AGAIN), _)), is_later, "{kind:?}: {by_http:?}");
            assert_eq!(matches!(by_grpc, Answer::Later(Some(COME_AGAIN), _)), is_later, "{kind:?}: {by_grpc:?}");
            assert_eq!(matches!(by_http, Answer::Never(_)), !is_later, "{kind:?}: {by_http:?}");
            assert_eq!(matches!(by_grpc, Answer::Never(_)), !is_later, "{kind:?}: {by_grpc:?}");
        }
    }
}
