//! Publishes reports on a thread of its own: the source of schema ids, or a full queue, must not hold up the quota.
//!
//! ```text
//! report ─> short queue ─> (thread) ReportPublisher ─> Publisher's queue ─> load
//! ```

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use tidegate_broker::{Publisher, Stop};
use tidegate_producers::{ProducerError, ReportPublisher, ReportSink};
use tidegate_schemas::SchemaIds;
use tidegate_schemas::records::LoadReport;
use tidegate_traces::Origin;

/// Reports that may wait for the thread.
const WAITING: usize = 64;

/// The thread with its queue.
pub(super) struct Reporting {
    queue: SyncSender<LoadReport>,
    thread: JoinHandle<Result<(), ProducerError>>,
    stop: Stop,
}

impl Reporting {
    pub(super) fn start(
        publisher: Arc<Publisher>,
        topic: String,
        ids: Arc<dyn SchemaIds>,
        origin: Origin,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let (queue, reports) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("reports".into())
            .spawn(move || publish(&reports, publisher, topic, &*ids, origin))?;
        Ok(Self { queue, thread, stop: stop.clone() })
    }

    /// Hands a report over; `false` where nobody publishes any more.
    pub(super) fn send(&self, report: LoadReport) -> bool {
        match self.queue.try_send(report) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                tracing::warn!("{WAITING} reports wait to be sent: one is dropped");
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Waits until all that was handed over is with the publisher.
    pub(super) fn finish(self) -> Result<(), ProducerError> {
        drop(self.queue);
        // A panic in it was logged.
        match self.thread.join().unwrap_or(Ok(())) {
            Err(e) if e.is_retryable() && self.stop.is_set() => Ok(()),
            ended => ended,
        }
    }
}

fn publish(
    reports: &Receiver<LoadReport>,
    publisher: Arc<Publisher>,
    topic: String,
    ids: &dyn SchemaIds,
    origin: Origin,
) -> Result<(), ProducerError> {
    let mut sink = ReportPublisher::new(publisher, topic, ids, origin)?;
    reports.iter().try_for_each(|report| sink.send(&report))
}
