//! The message of a call: one, within a limit and in good time.

use std::time::Duration;

use bytes::Bytes;
use tidegate_otlp::{Kind, Refusal};
use tonic::{Code, Status, Streaming};

use super::status::refused;

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads it; `most` is the limit that the service was given, for people.
pub(crate) async fn message(mut call: Streaming<Bytes>, most: usize) -> Result<Bytes, Status> {
    let refuse = |kind, why: String| Err(refused(&Refusal::new(kind, why)));
    match tokio::time::timeout(PATIENCE, call.message()).await {
        Ok(Ok(Some(message))) => Ok(message),
        Ok(Ok(None)) => refuse(Kind::Malformed, "the call has no message".into()),
        Ok(Err(status)) => match status.code() {
            // tonic says the one of what claims to be too large, the other of what turns out to be.
            Code::OutOfRange | Code::ResourceExhausted => {
                refuse(Kind::TooLarge, format!("a message of more than {most} bytes is not taken"))
            }
            Code::Internal => refuse(Kind::Malformed, status.message().to_owned()),
            _ => Err(status),
        },
        Err(_) => refuse(Kind::Behind, format!("the message did not come within {} s", PATIENCE.as_secs())),
    }
}
