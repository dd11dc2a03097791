//! Spans of services beside the agent, over its link.
//!
//! ```text
//! request ─> records (tidegate-otlp) ─> Parcels ─ too many wait already? behind ─> the link's thread: memory or spool
//! ```
//!
//! A request is answered once the agent has its spans: as reports, they are sent until a gateway acknowledges them. In memory they
//! are lost with the agent; with a spool, those that came while the way was broken are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_otlp::{ExportTraceServiceRequest, ExportTraceServiceResponse, records_of};
use tidegate_producers::ProducerError;
use tidegate_producers::admission::RequestCounts;
use tidegate_producers::edge::Parcel;
use tidegate_producers::spans::{SpanIntake, SpanMetrics, count_served};
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};
use tokio::sync::mpsc;

use super::Item;
use crate::error::GatewayError;

/// Spans that may wait in memory.
pub(super) const MOST: usize = 20_000;
/// Bytes of one span: what every gateway takes, whatever its settings.
const SPAN_BYTES: usize = 48 * 1024;

/// How many spans are in memory, as the link's thread tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    /// Handed over.
    queued: Arc<AtomicUsize>,
    /// In the store.
    held: Arc<AtomicUsize>,
}

impl Waiting {
    fn count(&self) -> usize {
        self.queued.load(Ordering::Relaxed) + self.held.load(Ordering::Relaxed)
    }

    /// So many were taken from the queue; the store holds so many now.
    pub(super) fn taken(&self, count: usize, held: usize) {
        self.held.store(held, Ordering::Relaxed);
        self.queued.fetch_sub(count, Ordering::Relaxed);
    }

    /// The store holds so many now.
    pub(super) fn hold(&self, held: usize) {
        self.held.store(held, Ordering::Relaxed);
    }
}

/// Takes requests from any number of threads.
#[derive(Debug)]
pub struct SpanWay {
    items: mpsc::Sender<Item>,
    waiting: Waiting,
    encoder: Encoder,
    metrics: SpanMetrics,
    counts: Option<RequestCounts>,
}

impl SpanWay {
    pub(super) fn new(
        items: mpsc::Sender<Item>,
        waiting: Waiting,
        metrics: SpanMetrics,
        counts: Option<RequestCounts>,
    ) -> Result<Self, GatewayError> {
        let encoder = Encoder::new(Topic::Spans, RecordKind::Span, &CatalogueIds)?;
        Ok(Self { items, waiting, encoder, metrics, counts })
    }

    fn behind(&self) -> ProducerError {
        self.metrics.put_off();
        ProducerError::Behind { waiting: self.waiting.count() }
    }
}

impl SpanIntake for SpanWay {
    fn take(&self, request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, ProducerError> {
        if self.waiting.count() >= MOST {
            return Err(self.behind());
        }
        let mut intake = records_of(request);
        let mut parcels = Vec::with_capacity(intake.spans.len());
        let spans = std::mem::take(&mut intake.spans);
        for span in &spans {
            let mut value = Vec::new();
            match self.encoder.encode(span, &mut value) {
                Ok(()) if value.len() > SPAN_BYTES => {
                    intake.reject(&span.name, &format_args!("it is larger than {SPAN_BYTES} bytes"));
                }
                Ok(()) => {
                    let key = span.trace_id.clone().into_bytes();
                    parcels.push(Parcel { key, value, traceparent: String::new(), spooled: None });
                }
                Err(e) => intake.reject(&span.name, &e),
            }
        }
        let count = parcels.len();
        self.waiting.queued.fetch_add(count, Ordering::Relaxed);
        if self.items.try_send(Item::Spans(parcels)).is_err() {
            self.waiting.queued.fetch_sub(count, Ordering::Relaxed);
            return Err(self.behind());
        }
        if let Some(counts) = &self.counts {
            count_served(&spans, counts);
        }
        self.metrics.taken(count as u64 + intake.rejected, intake.rejected);
        Ok(intake.response())
    }
}
