//! What a backend's answer over gRPC means (OTLP/gRPC, "Failures" and "Throttling").

use std::time::Duration;

use prost::Message;

use crate::answer::{Answer, partial};
use crate::{EXCERPT, ExportTraceServiceResponse};

// Numbers of gRPC's codes, as far as anything here depends on them.
const CANCELLED: i32 = 1;
pub(crate) const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
const ABORTED: i32 = 10;
const OUT_OF_RANGE: i32 = 11;
pub(crate) const UNIMPLEMENTED: i32 = 12;
pub(crate) const INTERNAL: i32 = 13;
pub(crate) const UNAVAILABLE: i32 = 14;
const DATA_LOSS: i32 = 15;

/// Names by number, as people know them.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a code.
#[must_use]
pub fn code_name(code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("UNKNOWN")
}

/// A refusal by its code, its message, and the delay of its `RetryInfo`.
#[must_use]
pub fn grpc_answer(code: i32, message: &str, delay: Option<Duration>) -> Answer {
    let text: String = message.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    let why = format!("status {} {text}", code_name(code)).trim_end().to_owned();
    match code {
        CANCELLED | DEADLINE_EXCEEDED | ABORTED | OUT_OF_RANGE | UNAVAILABLE | DATA_LOSS => Answer::Later(delay, why),
        RESOURCE_EXHAUSTED if delay.is_some() => Answer::Later(delay, why),
        _ => Answer::Never(why),
    }
}

/// An answer with the code OK, by its message; one that is no response has taken all.
#[must_use]
pub fn grpc_success(message: &[u8]) -> Answer {
    partial(ExportTraceServiceResponse::decode(message).ok())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn every_code_means_what_the_specification_says() {
        let retryable = [1, 4, 10, 11, 14, 15];
        let delay = Some(Duration::from_millis(1_500));
        for (code, name) in (0..).zip(NAMES).skip(1) {
            let said = format!("status {name} no");
            let with_delay = retryable.contains(&code) || code == 8;
            assert_eq!(
                matches!(grpc_answer(code, "no", None), Answer::Later(None, _)),
                retryable.contains(&code),
                "{name}"
            );
            let told = grpc_answer(code, "no\n", delay);
            let wanted = if with_delay { Answer::Later(delay, said) } else { Answer::Never(said) };
            assert_eq!(told, wanted, "{name}");
        }
        assert_eq!(grpc_answer(99, "", None), Answer::Never("status UNKNOWN".into()));
    }

    #[test]
    fn a_success_tells_what_was_refused() {
        let response = |rejected_spans| {
            let partial = ExportTracePartialSuccess { rejected_spans, error_message: "no".into() };
            ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
        };
        assert_eq!(grpc_success(b""), Answer::Taken);
        assert_eq!(grpc_success(&response(0)), Answer::Taken, "a warning refuses nothing");
        assert_eq!(grpc_success(&response(2)), Answer::Partly(2, "no".into()));
        assert_eq!(grpc_success(b"\xff\xff"), Answer::Taken);
    }
}
