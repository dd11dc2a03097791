//! The stream of one edge's reports.
//!
//! ```text
//! batch ─ a free slot? ─ Intake::take ─> Kafka ─> acknowledgement ─> slot free, ReportAck
//!   (no slot: nothing more is read, and HTTP/2's flow control holds the edge back)
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tonic::{Status, Streaming};

use super::drain::{Draining, move_on};
use super::intake::Intake;
use super::metrics::Counted;
use super::security::Peer;
use crate::proto::{ReportAck, ReportBatch};

/// How long an end waits for what is on its way to Kafka.
const FINISH: Duration = Duration::from_secs(5);

/// One stream.
#[derive(Debug)]
pub(super) struct Reports {
    pub(super) intake: Arc<Intake>,
    pub(super) acks: mpsc::Sender<Result<ReportAck, Status>>,
    pub(super) draining: Draining,
    pub(super) in_flight: usize,
    pub(super) peer: Peer,
    pub(super) counted: Counted,
}

impl Reports {
    /// Takes batches until the edge ends, or the gateway does.
    pub(super) async fn receive(mut self, mut batches: Streaming<ReportBatch>) {
        let slots = Arc::new(Semaphore::new(self.in_flight));
        let ended = self.take_all(&mut batches, &slots).await;
        // Whatever was taken is acknowledged before the stream says how it ended.
        let all = u32::try_from(self.in_flight).unwrap_or(u32::MAX);
        drop(tokio::time::timeout(FINISH, slots.acquire_many(all)).await);
        if let Err(status) = ended {
            drop(self.acks.send(Err(status)).await);
        }
        drop(self.counted);
    }

    async fn take_all(&mut self, batches: &mut Streaming<ReportBatch>, slots: &Arc<Semaphore>) -> Result<(), Status> {
        loop {
            let slot = tokio::select! {
                slot = Arc::clone(slots).acquire_owned() => slot.map_err(|_| move_on())?,
                () = self.draining.began() => return Err(move_on()),
                () = self.acks.closed() => return Ok(()),
            };
            let batch = tokio::select! {
                batch = batches.message() => batch?,
                () = self.draining.began() => return Err(move_on()),
                () = self.acks.closed() => return Ok(()),
            };
            let Some(batch) = batch else { return Ok(()) };
            let taken = self.intake.take(batch, &self.peer).await?;
            let (intake, acks) = (Arc::clone(&self.intake), self.acks.clone());
            tokio::spawn(async move {
                let ack = intake.acknowledgement(taken).await;
                // An edge that has gone sends them again.
                drop(acks.send(ack).await);
                drop(slot);
            });
        }
    }
}
