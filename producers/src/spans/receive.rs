//! From a body to its answer, whatever brought it: HTTP and gRPC ask here, so that both refuse the same.

use tidegate_otlp::{Encoding, ExportTraceServiceResponse, Kind, Refusal};

use super::SpanIntake;
use crate::error::ProducerError;

/// Takes a body without its compression; waits until its spans are where they are safe.
///
/// # Errors
/// How it is refused.
pub fn receive(
    intake: &dyn SpanIntake,
    encoding: Encoding,
    body: &[u8],
) -> Result<ExportTraceServiceResponse, Refusal> {
    let request = encoding.request(body)?;
    intake.take(request).map_err(|e| refusal(&e))
}

fn refusal(error: &ProducerError) -> Refusal {
    Refusal::new(if error.is_retryable() { Kind::Behind } else { Kind::Failed }, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_broker::BrokerError;
    use tidegate_otlp::ExportTraceServiceRequest;

    use super::*;

    /// Takes nothing.
    struct Closed(fn() -> ProducerError);

    impl SpanIntake for Closed {
        fn take(&self, _: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, ProducerError> {
            Err(self.0())
        }
    }

    /// HTTP status, gRPC code, seconds after which to come again.
    fn refused(why: fn() -> ProducerError, body: &[u8]) -> (u16, i32, Option<Duration>) {
        let refusal = receive(&Closed(why), Encoding::Protobuf, body).unwrap_err();
        (refusal.status(), refusal.code(), refusal.retry_after())
    }

    #[test]
    fn while_kafka_is_behind_senders_come_again_and_otherwise_they_do_not() {
        let again = Some(Duration::from_secs(2));
        assert_eq!(refused(|| ProducerError::Behind { waiting: 50_000 }, b""), (503, 14, again));
        let too_large = || {
            let error = BrokerError::TooLarge { topic: "spans".into(), bytes: 7 };
            ProducerError::Publish(Box::new(error))
        };
        assert_eq!(refused(too_large, b""), (500, 13, None));
        assert_eq!(refused(too_large, &[0xff; 40]), (400, 3, None), "it never came so far");
    }
}
