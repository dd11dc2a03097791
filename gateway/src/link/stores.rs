//! All that waits for a gateway: reports first, spans with what room they leave.
//!
//! ```text
//! reports ─> Store ─┐ first
//! spans ───> Store ─┴ never all batches ─> the session, under ids that tell which is whose
//! ```

use tidegate_producers::edge::Parcel;
use tokio::time::Instant;

use super::store::Store;
use crate::proto::ReportAck;

/// Batches on the way at a time.
const IN_FLIGHT: usize = 4;
/// Of these, batches of spans: a report never waits behind them all.
const SPANS_IN_FLIGHT: usize = 2;
/// In the ids of batches of spans.
const SPANS: u64 = 1 << 63;

/// Both stores.
pub(super) struct Stores {
    pub(super) reports: Store,
    pub(super) spans: Store,
}

impl Stores {
    /// The next batch that may be sent at this moment.
    pub(super) fn next_batch(&mut self) -> Option<(u64, &[Parcel])> {
        if !self.has_room() {
            return None;
        }
        if self.reports.has_next() {
            return self.reports.next_batch();
        }
        if self.spans.in_flight() >= SPANS_IN_FLIGHT {
            return None;
        }
        self.spans.next_batch().map(|(id, parcels)| (id | SPANS, parcels))
    }

    /// A gateway has a batch; gives how many records of it were set aside; `None`: no such batch is on the way.
    pub(super) fn acknowledged(&mut self, ack: &ReportAck) -> Option<usize> {
        let store = if ack.id & SPANS == 0 { &mut self.reports } else { &mut self.spans };
        let count = store.acknowledged(ack.id & !SPANS)?;
        let aside = usize::try_from(ack.set_aside).unwrap_or(count).min(count);
        store.became("acknowledged", count - aside);
        store.became("set_aside", aside);
        Some(aside)
    }

    /// Whether another batch may be on the way.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight() < IN_FLIGHT
    }

    /// Batches on the way.
    pub(super) fn in_flight(&self) -> usize {
        self.reports.in_flight() + self.spans.in_flight()
    }

    /// When there may be another batch, where one waits for its time.
    pub(super) fn next_at(&self) -> Option<Instant> {
        // Spans that may not go before an acknowledgement wait for no time.
        let spans = self.spans.next_at().filter(|_| self.spans.in_flight() < SPANS_IN_FLIGHT);
        [self.reports.next_at(), spans].into_iter().flatten().min()
    }

    /// Whether the centre has all.
    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.spans.is_empty()
    }

    /// The way broke, or the agent ends.
    pub(super) fn link_broke(&mut self) {
        self.reports.link_broke();
        self.spans.link_broke();
    }

    /// What would be lost if the agent ended now, and what would not.
    pub(super) fn left(&self) -> (usize, u64) {
        let (reports, spans) = (self.reports.left(), self.spans.left());
        (reports.0 + spans.0, reports.1 + spans.1)
    }
}
