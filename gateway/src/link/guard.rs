//! A gateway's answer, or none that can be read.
//!
//! tonic 0.14 panics at a `grpc-status-details-bin` that is no base64. Whoever stands between an edge and its gateways can send
//! one, and that is only a bad answer: the panic ends here, and the session with an error.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use tonic::Status;

/// Waits for an answer. Whose answer could not be read is not to be asked again: its stream is in no state for that.
pub(super) async fn readable<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(Status::unknown("its answer cannot be read"))))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_pass_and_a_panic_is_one_that_cannot_be_read() {
        assert_eq!(readable(async { Ok(7) }).await.unwrap(), 7);
        assert_eq!(readable(async { Err::<(), _>(Status::aborted("x")) }).await.unwrap_err().message(), "x");
        let after_a_pause = async {
            tokio::task::yield_now().await;
            panic!("no base64")
        };
        assert_eq!(readable::<()>(after_a_pause).await.unwrap_err().message(), "its answer cannot be read");
    }
}
