//! The word to stop, as asynchronous code waits for it, and the status that sends edges to another gateway.

use tokio::sync::watch;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// Trailer of a stream that ends because the gateway stops.
pub(crate) const MOVE: &str = "tidegate-move";

/// Who tells.
#[derive(Debug)]
pub(crate) struct Drain(watch::Sender<bool>);

/// Who is told.
#[derive(Debug, Clone)]
pub(crate) struct Draining(watch::Receiver<bool>);

impl Default for Drain {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Drain {
    /// Tells everybody.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Somebody to be told.
    pub(crate) fn told(&self) -> Draining {
        Draining(self.0.subscribe())
    }
}

impl Draining {
    /// Ready once the gateway stops.
    pub(crate) async fn began(&mut self) {
        // The teller is gone only where all is over.
        drop(self.0.wait_for(|began| *began).await);
    }

    /// Whether the gateway stops.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}

/// How streams end where the gateway stops.
pub(crate) fn move_on() -> Status {
    let mut trailers = MetadataMap::new();
    trailers.insert(MOVE, MetadataValue::from_static("1"));
    Status::with_metadata(Code::Unavailable, "this gateway is stopping; move to another one", trailers)
}

/// Whether a stream ended so.
pub(crate) fn is_move(status: &Status) -> bool {
    status.metadata().contains_key(MOVE)
}
