//! The body of a request over HTTP, within a limit and in good time.
//!
//! ```text
//! body ─ part by part ─> all of it
//!   └ more than the limit: the rest is read and thrown away, for 10 s at most ─> too large
//! ```
//!
//! Whoever refuses a request while its body is still on the way resets the connection, and then its sender has often not seen the answer: it
//! takes the refusal for a fault of the network, and sends the same again.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use thiserror::Error;
use tokio_stream::StreamExt;

/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no body.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is larger than what is taken.
    #[error("a body of more than {most} bytes is not taken")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// It did not come to its end.
    #[error("the body did not come within {} s", PATIENCE.as_secs())]
    Slow,
    /// The connection broke, or what came is no body.
    #[error("the body cannot be read: {0}")]
    Broken(#[from] axum::Error),
}

/// All of a body of at most `most` bytes.
///
/// # Errors
/// [`BodyError`]; for a body that is too large once its sender has sent all of it, or 10 s are over.
pub async fn whole(body: Body, most: usize) -> Result<Bytes, BodyError> {
    within(PATIENCE, body, most).await
}

async fn within(patience: Duration, body: Body, most: usize) -> Result<Bytes, BodyError> {
    // Where its length was announced, that is enough.
    let mut is_too_large = body.size_hint().lower() > most as u64;
    let (mut parts, mut whole) = (body.into_data_stream(), Vec::new());
    let reading = async {
        while let Some(part) = parts.next().await {
            let part = part?;
            is_too_large |= whole.len() + part.len() > most;
            if is_too_large {
                whole = Vec::new();
            } else {
                whole.extend_from_slice(&part);
            }
        }
        Ok(Bytes::from(std::mem::take(&mut whole)))
    };
    let read = tokio::time::timeout(patience, reading).await;
    if is_too_large {
        return Err(BodyError::TooLarge { most });
    }
    read.unwrap_or(Err(BodyError::Slow))
}

/// Reads a body to its end, but not much more of it than so many bytes, and throws it away.
pub(crate) async fn pass(body: Body, most: usize) {
    let passing = async {
        let (mut parts, mut passed) = (body.into_data_stream(), 0);
        while let Some(Ok(part)) = parts.next().await {
            passed += part.len();
            if passed > most {
                return;
            }
        }
    };
    // Whoever sends no more has the answer all the same.
    drop(tokio::time::timeout(PATIENCE, passing).await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn of(parts: &[&'static str]) -> Body {
        let parts: Vec<Result<&'static str, Infallible>> = parts.iter().map(|part| Ok(*part)).collect();
        Body::from_stream(tokio_stream::iter(parts))
    }

    #[tokio::test]
    async fn a_body_of_the_limit_is_taken_and_one_byte_more_is_not() {
        assert_eq!(whole(of(&["ab", "cd"]), 4).await.unwrap(), "abcd");
        assert!(matches!(whole(of(&["ab", "cde"]), 4).await, Err(BodyError::TooLarge { most: 4 })));
        assert!(matches!(whole(Body::from("abcde"), 4).await, Err(BodyError::TooLarge { .. })), "it was announced");
        assert_eq!(whole(Body::empty(), 0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn what_is_too_large_is_read_to_its_end() {
        let read = std::sync::atomic::AtomicUsize::new(0);
        let read: &'static std::sync::atomic::AtomicUsize = Box::leak(Box::new(read));
        let parts = tokio_stream::iter(["abcde", "f", "g"]).map(move |part| {
            read.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, Infallible>(part)
        });
        assert!(matches!(whole(Body::from_stream(parts), 4).await, Err(BodyError::TooLarge { .. })));
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_not_waited_for_for_ever() {
        let endless = |first: &'static str| {
            let first = tokio_stream::once(Ok::<_, Infallible>(first));
            Body::from_stream(first.chain(tokio_stream::pending()))
        };
        let short = Duration::from_millis(50);
        assert!(matches!(within(short, endless("ab"), 4).await, Err(BodyError::Slow)));
        assert!(matches!(within(short, endless("abcde"), 4).await, Err(BodyError::TooLarge { .. })));
    }
}
