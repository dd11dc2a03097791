//! From one gateway to the next: who is tried when, and what is kept meanwhile.
//!
//! ```text
//! breaker permits? ─ no ──> wait, collecting reports
//!     └ yes ─> session with the current address ─┬─ told to move ─> the next address
//!                                                └─ failed ───────> the breaker counts, the next address
//! ```

use std::time::Duration;

use tidegate_producers::edge::{Breaker, BreakerState, Parcel, Permission, Transition};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{Encoder, Topic};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::Instant;

use super::metrics::LinkMetrics;
use super::spans::Waiting;
use super::stores::Stores;
use super::{Item, LinkSettings, OnUpdate};

/// After a failure, while the breaker is closed.
const PAUSE: Duration = Duration::from_millis(500);
/// After the word to move: the next gateway may be the same one.
const MOVE_PAUSE: Duration = Duration::from_millis(20);

/// How the time with one gateway ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// The agent ends.
    Finished,
    /// The gateway stops and sent us on.
    Moved,
    /// It does not answer, or no longer, or refuses.
    Failed(String),
}

/// The link's state between sessions.
pub(super) struct Runner {
    pub(super) settings: LinkSettings,
    pub(super) inbox: mpsc::Receiver<Item>,
    pub(super) stores: Stores,
    waiting: Waiting,
    pub(super) on_update: OnUpdate,
    pub(super) metrics: LinkMetrics,
    encoder: Encoder,
    breaker: Breaker,
    began: Instant,
    /// Which address is next.
    at: usize,
    /// The last failure that was said.
    said: String,
}

impl Runner {
    pub(super) fn new(
        settings: LinkSettings,
        encoder: Encoder,
        inbox: mpsc::Receiver<Item>,
        on_update: OnUpdate,
        stores: Stores,
        waiting: Waiting,
        metrics: LinkMetrics,
    ) -> Self {
        let (breaker, began) = (Breaker::default(), Instant::now());
        Self {
            settings,
            inbox,
            stores,
            waiting,
            on_update,
            metrics,
            encoder,
            breaker,
            began,
            at: 0,
            said: String::new(),
        }
    }

    /// Until the agent ends.
    pub(super) async fn run(mut self) {
        loop {
            match self.breaker.ask(self.began.elapsed()) {
                Permission::Granted(transition) => self.note(transition),
                Permission::Refused(wait) => {
                    if !self.collect(wait.max(Duration::from_millis(1))).await {
                        break;
                    }
                    continue;
                }
            }
            let address = self.settings.addresses[self.at % self.settings.addresses.len()].clone();
            let ended = self.session(&address).await;
            self.metrics.connected.set(0);
            self.stores.link_broke();
            self.waiting.hold(self.stores.spans.held());
            let pause = match ended {
                Ended::Finished => break,
                Ended::Moved => {
                    self.moved(&address);
                    MOVE_PAUSE
                }
                Ended::Failed(why) => {
                    self.failed(&address, why);
                    PAUSE
                }
            };
            if !self.collect(pause).await {
                break;
            }
        }
        match self.stores.left() {
            (0, 0) => {}
            (0, spooled) => tracing::info!("{spooled} records wait in the spool for the next start"),
            (lost, _) => tracing::warn!("ended with {lost} records that no gateway acknowledged"),
        }
    }

    /// Collects what comes for so long; `false`: the agent ends.
    async fn collect(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            tokio::select! {
                item = self.inbox.recv() => if !self.keep_all(item) {
                    return false;
                },
                () = tokio::time::sleep_until(until) => return true,
            }
        }
    }

    /// Puts what came, and what came with it, where it waits for a gateway; `false`: the agent ends.
    ///
    /// What came together goes together: else the first few would be batches of their own, and the others wait for their
    /// acknowledgement.
    pub(super) fn keep_all(&mut self, first: Option<Item>) -> bool {
        let mut next = first.unwrap_or(Item::End);
        loop {
            if matches!(next, Item::End) {
                return false;
            }
            self.keep(next);
            match self.inbox.try_recv() {
                Ok(item) => next = item,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Puts what came where it waits for a gateway.
    fn keep(&mut self, item: Item) {
        match item {
            Item::Report(report) => self.keep_report(&report),
            Item::Spans(parcels) => {
                let count = parcels.len();
                self.stores.spans.push(parcels);
                self.waiting.taken(count, self.stores.spans.held());
            }
            Item::End => {}
        }
    }

    fn keep_report(&mut self, report: &LoadReport) {
        let mut value = Vec::new();
        if let Err(e) = self.encoder.encode(report, &mut value) {
            tracing::error!("a report is left out: {e}");
            return;
        }
        let trace = self.settings.origin.begin(Topic::Load.short_name(), report);
        let key = report.node_id.clone().into_bytes();
        self.stores.reports.push(vec![Parcel { key, value, traceparent: trace.traceparent(), spooled: None }]);
    }

    /// A gateway acknowledged something: the way is open.
    pub(super) fn succeeded(&mut self) {
        self.waiting.hold(self.stores.spans.held());
        let transition = self.breaker.succeeded();
        self.note(transition);
        self.said.clear();
    }

    fn moved(&mut self, address: &str) {
        tracing::info!("{address} is stopping: on to another gateway");
        self.metrics.attempted("moved");
        self.at += 1;
        // A trial without an acknowledgement has not succeeded.
        if self.breaker.state() == BreakerState::HalfOpen {
            let transition = self.breaker.failed(self.began.elapsed());
            self.note(transition);
        }
    }

    fn failed(&mut self, address: &str, why: String) {
        self.metrics.attempted("failed");
        self.at += 1;
        let why = format!("{address}: {why}");
        if why == self.said {
            tracing::debug!("{why}");
        } else {
            tracing::warn!("{why}");
            self.said = why;
        }
        let transition = self.breaker.failed(self.began.elapsed());
        self.note(transition);
    }

    fn note(&self, transition: Option<Transition>) {
        if let Some((from, to)) = transition {
            tracing::info!("the way to the centre: {} -> {}", from.name(), to.name());
            self.metrics.changed(to);
        }
    }
}
