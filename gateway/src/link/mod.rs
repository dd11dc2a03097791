//! The edge's way to the centre over a gateway, on a thread of its own.
//!
//! ```text
//! reports ─> Store ─ batches ─> session ══ gateway ══> session ─ updates ─> the keeper's callback
//!               ^                   │ acknowledged: gone
//!               └── sent again ─────┴ broken, or told to move: the next address, if the breaker permits
//! ```

mod address;
mod metrics;
mod runner;
mod session;
mod spool;
mod store;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus::Registry;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub use address::{Credentials, addresses};
pub use spool::SpoolSettings;

use crate::error::GatewayError;
use metrics::LinkMetrics;
use runner::Runner;
use spool::Spool;
use store::Store;

/// Reports that may wait for the thread.
const WAITING: usize = 64;
/// How long the end waits for acknowledgements, and for the thread a little longer.
const FINISH: Duration = Duration::from_secs(3);
const FINISH_THREAD: Duration = Duration::from_secs(6);

/// What becomes of a quota command: its framed bytes, and whether it is older than this link.
pub type OnUpdate = Box<dyn FnMut(&[u8], bool) + Send>;

/// How to reach the centre.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Gateways, in the order in which they are tried.
    pub addresses: Vec<String>,
    /// Who we are, and who they must be.
    pub credentials: Credentials,
    /// The nodes to watch.
    pub node_ids: Vec<String>,
    /// Reports kept in memory while no gateway answers; the oldest are dropped first.
    pub kept: usize,
    /// Where they are kept on disk instead.
    pub spool: Option<SpoolSettings>,
    /// Tells the traces of this process from those of others.
    pub trace_seed: u64,
}

/// The link of one edge.
#[derive(Debug)]
pub struct Link {
    reports: mpsc::Sender<LoadReport>,
    thread: JoinHandle<()>,
}

impl Link {
    /// Starts the thread. It goes on for ever, whether there is a gateway or not, until [`Link::finish`].
    ///
    /// # Errors
    /// Where the spool cannot be opened, the metrics are registered already or a thread cannot be started.
    pub fn start(settings: LinkSettings, on_update: OnUpdate, registry: &Registry) -> Result<Self, GatewayError> {
        let start = |source| GatewayError::Start { what: "start the edge's link", source };
        let (reports, inbox) = mpsc::channel(WAITING);
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds)?;
        let metrics = LinkMetrics::register(registry)?;
        let spool = settings.spool.clone().map(Spool::open).transpose()?;
        let store = Store::new(settings.kept, spool, metrics.clone());
        let runner = Runner::new(settings, encoder, inbox, on_update, store, metrics);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        let thread = std::thread::Builder::new().name("link".into()).spawn(move || runtime.block_on(runner.run()));
        Ok(Self { reports, thread: thread.map_err(start)? })
    }

    /// Hands a report over; `false` where the thread has ended.
    #[must_use]
    pub fn send(&self, report: LoadReport) -> bool {
        match self.reports.try_send(report) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                tracing::warn!("{WAITING} reports wait for the link: one is dropped");
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }

    /// Sends no more; what was handed over is waited for, a little.
    pub fn finish(self) {
        drop(self.reports);
        let until = Instant::now() + FINISH_THREAD;
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.thread.is_finished() {
            // A panic in it was logged.
            self.thread.join().unwrap_or_default();
        }
    }
}
