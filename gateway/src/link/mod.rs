//! The edge's way to the centre over a gateway, on a thread of its own.
//!
//! ```text
//! reports, spans ─> Stores ─ batches ─> session ══ gateway ══> session ─ updates ─> the keeper's callback
//!               ^                   │ acknowledged: gone
//!               └── sent again ─────┴ broken, or told to move: the next address, if the breaker permits
//! ```

mod address;
pub(crate) mod metrics;
mod runner;
mod session;
mod spans;
mod spool;
mod store;
mod stores;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_broker::Registry;
use tidegate_producers::admission::RequestCounts;
use tidegate_producers::edge::Parcel;
use tidegate_producers::spans::SpanMetrics;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::TraceContext;
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};
use tidegate_traces::Origin;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

pub use address::{Credentials, addresses};
pub use spans::SpanWay;
pub use spool::SpoolSettings;

use crate::error::GatewayError;
use metrics::{LinkMetrics, StoreMetrics};
use runner::Runner;
use spans::Waiting;
use spool::Spool;
use store::Store;
use stores::Stores;

/// Reports, or requests of spans, that may wait for the thread.
const WAITING: usize = 64;
/// How long the end waits for acknowledgements, and for the thread a little longer.
const FINISH: Duration = Duration::from_secs(3);
const FINISH_THREAD: Duration = Duration::from_secs(6);

/// A quota command that a gateway passed on.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// Its framed bytes.
    pub value: &'a [u8],
    /// Whether it is older than this link.
    pub kept: bool,
    /// Its place in a trace.
    pub trace: Option<&'a TraceContext>,
}

/// What becomes of a quota command.
pub type OnUpdate = Box<dyn FnMut(Update<'_>) + Send>;

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
    /// Where they are kept on disk instead; spans as well, with as much room again.
    pub spool: Option<SpoolSettings>,
    /// Whether spans go over it, too.
    pub has_spans: bool,
    /// Begins the traces of its reports.
    pub origin: Origin,
}

/// What is handed to the thread.
#[derive(Debug)]
enum Item {
    Report(LoadReport),
    Spans(Vec<Parcel>),
    /// No more of the others is sent.
    End,
}

/// The link of one edge.
#[derive(Debug)]
pub struct Link {
    items: mpsc::Sender<Item>,
    waiting: Waiting,
    thread: JoinHandle<()>,
}

impl Link {
    /// Starts the thread. It goes on for ever, whether there is a gateway or not, until [`Link::finish`].
    ///
    /// # Errors
    /// Where the spool cannot be opened, the metrics are registered already or a thread cannot be started.
    pub fn start(settings: LinkSettings, on_update: OnUpdate, registry: &Registry) -> Result<Self, GatewayError> {
        let start = |source| GatewayError::Start { what: "start the edge's link", source };
        let (items, inbox) = mpsc::channel(WAITING);
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds)?;
        let metrics = LinkMetrics::register(registry)?;
        let stores = Stores {
            reports: store("reports", settings.kept, settings.spool.as_ref(), registry)?,
            spans: store("spans", spans::MOST * 2, settings.spool.as_ref().filter(|_| settings.has_spans), registry)?,
        };
        let waiting = Waiting::default();
        let runner = Runner::new(settings, encoder, inbox, on_update, stores, waiting.clone(), metrics);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        let thread = std::thread::Builder::new().name("link".into()).spawn(move || runtime.block_on(runner.run()));
        Ok(Self { items, waiting, thread: thread.map_err(start)? })
    }

    /// What takes spans for it, and counts server spans as requests where `counts` are given.
    ///
    /// # Errors
    /// Where the schema of spans cannot be written.
    pub fn spans(&self, metrics: SpanMetrics, counts: Option<RequestCounts>) -> Result<SpanWay, GatewayError> {
        SpanWay::new(self.items.clone(), self.waiting.clone(), metrics, counts)
    }

    /// Hands a report over; `false` where the thread has ended.
    #[must_use]
    pub fn send(&self, report: LoadReport) -> bool {
        match self.items.try_send(Item::Report(report)) {
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
        // Where the thread has ended there is nobody to tell.
        self.items.blocking_send(Item::End).ok();
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

/// Where records of one kind wait; there is no file where there is no spool.
fn store(
    what: &'static str,
    kept: usize,
    spool: Option<&SpoolSettings>,
    registry: &Registry,
) -> Result<Store, GatewayError> {
    let spool = spool.map(|settings| Spool::open(settings.clone(), what)).transpose()?;
    Ok(Store::new(what, kept, spool, StoreMetrics::register(registry, what)?))
}
