//! Records of one kind between the edge and its gateway: in memory while the way is open, on disk while it is not.
//!
//! ```text
//! record ─┬─ the way is open, nothing on disk waits ─> Outbox ─────────────────────> batches
//!         └─ else, where there is a spool ───────────> Spool ─ so many a second ─> Outbox
//! the way breaks: what the Outbox holds goes to the Spool, so that a kill costs nothing
//! ```

use std::time::Duration;

use tidegate_producers::edge::{Outbox, Parcel};
use tokio::time::Instant;

use super::metrics::StoreMetrics;
use super::spool::Spool;
use crate::clock::now_ms;

/// Records of one batch.
const BATCH: usize = 64;
/// Between two batches from the disk: a centre that comes back is not flooded by all of its edges at once.
const BREATH: Duration = Duration::from_millis(200);

/// Where records wait.
pub(super) struct Store {
    /// `reports` or `spans`.
    what: &'static str,
    outbox: Outbox,
    spool: Option<Spool>,
    metrics: StoreMetrics,
    /// Number of the newest report that went from the spool to the outbox.
    loaded: u64,
    /// When the next may go.
    next: Instant,
    /// Whether the way to the centre is open.
    open: bool,
    /// Whether the disk was complained of.
    said: bool,
}

impl Store {
    pub(super) fn new(what: &'static str, kept: usize, spool: Option<Spool>, metrics: StoreMetrics) -> Self {
        let outbox = Outbox::new(kept, BATCH);
        let store = Self { what, outbox, spool, metrics, loaded: 0, next: Instant::now(), open: true, said: false };
        store.show();
        store
    }

    /// Takes records.
    pub(super) fn push(&mut self, parcels: Vec<Parcel>) {
        if self.open && !self.has_backlog() || !self.spool(&parcels) {
            let dropped = parcels.into_iter().map(|parcel| self.outbox.push(parcel)).sum();
            self.lost(dropped);
        }
        self.show();
    }

    /// Whether a batch may be sent at this moment.
    pub(super) fn has_next(&self) -> bool {
        self.outbox.waiting() > 0 || self.has_backlog() && Instant::now() >= self.next
    }

    /// The next batch that may be sent at this moment.
    pub(super) fn next_batch(&mut self) -> Option<(u64, &[Parcel])> {
        if self.outbox.waiting() == 0 && self.has_backlog() && Instant::now() >= self.next {
            self.load();
        }
        self.outbox.next_batch()
    }

    /// When there may be another batch, where one waits for its time.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (self.outbox.waiting() == 0 && self.has_backlog()).then_some(self.next)
    }

    fn load(&mut self) {
        self.next = Instant::now() + BREATH;
        let Some(spool) = &mut self.spool else { return };
        let read = spool.expire(now_ms()).and_then(|dropped| Ok((dropped, spool.after(self.loaded, BATCH)?)));
        match read {
            Ok((dropped, parcels)) => {
                self.loaded = parcels.last().and_then(|parcel| parcel.spooled).unwrap_or(spool.newest());
                let over: usize = parcels.into_iter().map(|parcel| self.outbox.push(parcel)).sum();
                self.lost(dropped + over);
            }
            Err(e) => self.complain(&e),
        }
        self.show();
    }

    /// The centre has a batch: gives how many reports were in it.
    pub(super) fn acknowledged(&mut self, id: u64) -> Option<usize> {
        let parcels = self.outbox.acknowledged(id)?;
        self.open = true;
        let numbers: Vec<u64> = parcels.iter().filter_map(|parcel| parcel.spooled).collect();
        if let Some(spool) = self.spool.as_mut().filter(|_| !numbers.is_empty())
            && let Err(e) = spool.remove(&numbers)
        {
            self.complain(&e);
        }
        self.show();
        Some(parcels.len())
    }

    /// The way broke, or the agent ends: nothing that was not acknowledged stays in memory alone, where there is a spool.
    pub(super) fn link_broke(&mut self) {
        self.open = false;
        let dropped = self.outbox.link_broke();
        self.lost(dropped);
        if self.spool.is_some() {
            let (spooled, only_here): (Vec<_>, Vec<_>) =
                self.outbox.take().into_iter().partition(|parcel| parcel.spooled.is_some());
            if only_here.is_empty() || self.spool(&only_here) {
                // What is on the disk is read again from its beginning.
                self.loaded = 0;
            } else {
                let all = spooled.into_iter().chain(only_here);
                let over: usize = all.map(|parcel| self.outbox.push(parcel)).sum();
                self.lost(over);
            }
        }
        self.show();
    }

    /// Puts reports on the disk; `false`: there is no spool, or it fails.
    fn spool(&mut self, parcels: &[Parcel]) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        match spool.append(parcels.iter(), now_ms()) {
            Ok(dropped) => {
                self.said = false;
                self.lost(dropped);
                true
            }
            Err(e) => {
                self.complain(&e);
                false
            }
        }
    }

    fn has_backlog(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| spool.newest() > self.loaded && spool.count() > 0)
    }

    /// That became of records that a gateway acknowledged.
    pub(super) fn became(&self, result: &str, count: usize) {
        self.metrics.became(result, count);
    }

    /// In memory, those on the way included.
    pub(super) fn held(&self) -> usize {
        self.outbox.unacknowledged()
    }

    /// Batches on the way.
    pub(super) fn in_flight(&self) -> usize {
        self.outbox.in_flight()
    }

    /// Whether the centre has all.
    pub(super) fn is_empty(&self) -> bool {
        self.outbox.is_empty() && !self.has_backlog()
    }

    /// What would be lost if the agent ended now, and what would not.
    pub(super) fn left(&self) -> (usize, u64) {
        (self.outbox.waiting(), self.spool.as_ref().map_or(0, Spool::count))
    }

    fn complain(&mut self, why: &str) {
        if !self.said {
            tracing::warn!("{why}; {} are kept in memory meanwhile", self.what);
            self.said = true;
        }
    }

    fn lost(&self, dropped: usize) {
        if dropped > 0 {
            tracing::warn!(
                "{dropped} of the oldest {} are dropped: too many wait for a gateway, or for too long",
                self.what
            );
            self.metrics.became("dropped", dropped);
        }
    }

    fn show(&self) {
        let spooled = self.spool.as_ref().map_or((0, 0), |spool| (spool.count(), spool.bytes()));
        self.metrics.waiting(self.outbox.unacknowledged(), spooled);
    }
}
