//! An answer by gRPC, or none that can be read.
//!
//! tonic 0.14 panics at a `grpc-status-details-bin` that is no base64. Whoever stands between us and a server can send one, and
//! that is only a bad answer: the panic ends here. Both of our clients ask through it, the edge's link and the export.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Nobody can read what was answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("its answer cannot be read")]
pub(crate) struct Unreadable;

/// Waits for an answer. Whose answer could not be read is not to be asked again: its stream is in no state for that.
pub(crate) async fn readable<F: Future>(answer: F) -> Result<F::Output, Unreadable> {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        polled.map_or(Poll::Ready(Err(Unreadable)), |polled| polled.map(Ok))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_pass_and_a_panic_is_one_that_cannot_be_read() {
        assert_eq!(readable(async { 7 }).await, Ok(7));
        assert_eq!(readable(async { Err::<(), _>("x") }).await, Ok(Err("x")));
        let after_a_pause = async {
            tokio::task::yield_now().await;
            panic!("no base64")
        };
        assert_eq!(readable::<_>(after_a_pause).await.map(|(): ()| ()), Err(Unreadable));
    }
}
