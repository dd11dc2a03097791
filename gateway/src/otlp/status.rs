//! Refusals as gRPC says them, there and back. Pure.
//!
//! When to come again stands in `grpc-status-details-bin`: a `google.rpc.Status` with a `RetryInfo`.

use std::time::Duration;

use bytes::Bytes;
use tidegate_otlp::{Answer, Refusal, grpc_answer};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// A refusal of ours.
pub(crate) fn refused(refusal: &Refusal) -> Status {
    let code = Code::from_i32(refusal.code());
    match refusal.retry_after() {
        Some(after) => Status::with_error_details(code, &refusal.why, ErrorDetails::with_retry_info(Some(after))),
        None => Status::new(code, &refusal.why),
    }
}

/// A refusal of somebody else.
pub(super) fn understood(status: &Status) -> Answer {
    // Who names no delay leaves it to us.
    let delay = status.get_details_retry_info().map(|retry| retry.retry_delay.unwrap_or(Duration::ZERO));
    grpc_answer(status.code().into(), status.message(), delay)
}

/// What a code and the bytes of `grpc-status-details-bin` mean to the export. For the fuzz target.
#[must_use]
pub fn meaning(code: i32, details: &[u8]) -> Answer {
    understood(&Status::with_details(Code::from_i32(code), "no", Bytes::copy_from_slice(details)))
}

#[cfg(test)]
mod tests {
    use tidegate_otlp::Kind;

    use super::*;

    #[test]
    fn behind_is_unavailable_with_retry_info_and_what_is_too_large_is_not_to_be_sent_again() {
        let status = refused(&Refusal::new(Kind::Behind, "Kafka is behind"));
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "Kafka is behind"));
        // The details as any client reads them: code 14, the message, one Any with a RetryInfo of 2 s.
        let any =
            [b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04".as_slice(), b"\x0a\x02\x08\x02"].concat();
        let mut wanted = b"\x08\x0e\x12\x0fKafka is behind\x1a".to_vec();
        wanted.push(u8::try_from(any.len()).unwrap());
        wanted.extend_from_slice(&any);
        assert_eq!(status.details(), wanted);
        assert_eq!(
            understood(&status),
            Answer::Later(Some(Duration::from_secs(2)), "status UNAVAILABLE Kafka is behind".into())
        );

        let status = refused(&Refusal::new(Kind::TooLarge, "too large"));
        assert_eq!((status.code(), status.details()), (Code::ResourceExhausted, &b""[..]));
        assert_eq!(understood(&status), Answer::Never("status RESOURCE_EXHAUSTED too large".into()));
        let busy = refused(&Refusal::new(Kind::Busy, "busy"));
        assert_eq!(busy.code(), Code::ResourceExhausted);
        assert!(matches!(understood(&busy), Answer::Later(Some(_), _)));
    }

    #[test]
    fn details_that_are_none_change_nothing() {
        assert_eq!(meaning(8, b"\xff\xff"), Answer::Never("status RESOURCE_EXHAUSTED no".into()));
        assert_eq!(meaning(14, b"\xff\xff"), Answer::Later(None, "status UNAVAILABLE no".into()));
        assert!(matches!(meaning(77, b""), Answer::Never(_)));
    }
}
