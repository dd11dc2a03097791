//! The stream of quota commands to one edge.
//!
//! ```text
//! Board ─ Watcher::next ─> QuotaUpdate ─> HTTP/2's flow control ─> edge
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tonic::Status;

use super::board::{Board, Watcher};
use super::drain::{Draining, move_on};
use super::intake::Intake;
use super::metrics::{Counted, GatewayMetrics};
use super::security::{Changes, Peer};
use crate::proto::QuotaUpdate;

/// How long a stream waits for the topic's history: a partition that is away must not keep back what the others hold.
const HISTORY_PATIENCE: Duration = Duration::from_secs(5);

/// One stream.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) updates: mpsc::Sender<Result<QuotaUpdate, Status>>,
    pub(super) draining: Draining,
    pub(super) intake: Arc<Intake>,
    pub(super) peer: Peer,
    pub(super) nodes: Vec<String>,
    pub(super) changes: Changes,
    pub(super) metrics: GatewayMetrics,
    pub(super) counted: Counted,
}

impl Watching {
    /// Sends commands until the edge goes, or the gateway does.
    pub(super) async fn send(mut self, board: Arc<Board>) {
        // Of the history only the newest counts, so it is read to its end first.
        tokio::select! {
            caught_up = tokio::time::timeout(HISTORY_PATIENCE, board.caught_up()) => drop(caught_up),
            () = self.draining.began() => {}
        }
        let watcher = board.watch(self.nodes.iter().map(|node| node.clone().into()).collect());
        if let Err(status) = self.send_all(&watcher).await {
            drop(self.updates.send(Err(status)).await);
        }
        drop(self.counted);
    }

    async fn send_all(&mut self, watcher: &Watcher) -> Result<(), Status> {
        loop {
            let place = tokio::select! {
                place = self.updates.reserve() => place,
                () = self.changes.next() => {
                    self.intake.admit(&self.peer, self.nodes.iter().map(String::as_bytes))?;
                    continue;
                }
                () = self.draining.began() => return Err(move_on()),
            };
            // The edge has gone.
            let Ok(place) = place else { return Ok(()) };
            tokio::select! {
                update = watcher.next() => place.send(Ok(update)),
                () = self.changes.next() => {
                    self.intake.admit(&self.peer, self.nodes.iter().map(String::as_bytes))?;
                    continue;
                }
                () = self.draining.began() => return Err(move_on()),
                () = self.updates.closed() => return Ok(()),
            }
            self.metrics.updates.inc();
        }
    }
}
