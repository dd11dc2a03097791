//! Spans in: what services send by OTLP, onto the topic `spans`.
//!
//! ```text
//! ExportTraceServiceRequest ─> records (tidegate-otlp) ─> Encoder ─> topic spans, key = trace id
//!                                      │ no spans: counted              │ acknowledged (pending.rs)
//!                                      └──────────> response <──────────┘
//! ```
//!
//! A request is answered once Kafka has all of its spans. Where too many wait already, or Kafka does not take them in time, it
//! is to be sent again, and some of its spans may come twice: their ids are their names. Server spans are requests
//! (`served.rs`), and counted once their request is answered, where that is asked for. `receive.rs` leads from a body to its
//! answer, for any transport.

mod metrics;
mod pending;
mod receive;
mod served;

pub use metrics::SpanMetrics;
pub use receive::receive;
pub use served::count_served;

use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::{BrokerError, KafkaSettings, Outgoing, Publisher};
use tidegate_otlp::{ExportTraceServiceRequest, ExportTraceServiceResponse, records_of};
use tidegate_schemas::records::Span;
use tidegate_schemas::{Encoder, RecordKind, SchemaIds, Topic};

use crate::admission::RequestCounts;
use crate::error::ProducerError;
use pending::Pending;

/// Spans that may wait for Kafka at once.
const MOST_WAITING: usize = 50_000;
/// How long a record waits for others to fill its batch, at least, ms: nobody waits for spans, and small batches are the real cost.
const LINGER_MS: u32 = 10;
/// How long a request waits for Kafka: less than clients wait for an answer (10 s by default).
const PATIENCE: Duration = Duration::from_secs(8);

/// What takes requests of spans, from any number of threads.
pub trait SpanIntake: Send + Sync {
    /// Takes the spans of a request; waits until they are where they are safe.
    ///
    /// # Errors
    /// [`ProducerError::Behind`] where too many wait already; what is refused for good is another.
    fn take(&self, request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, ProducerError>;
}

/// Publishes them.
#[derive(Debug)]
pub struct SpanReceiver {
    publisher: Publisher,
    pending: Arc<Pending>,
    topic: String,
    encoder: Encoder,
    metrics: SpanMetrics,
    counts: Option<RequestCounts>,
}

impl SpanReceiver {
    /// A receiver that publishes by `settings`, and counts server spans as requests where `counts` are given.
    ///
    /// # Errors
    /// [`ProducerError::Schema`] where `ids` has no id; settings that the client library refuses.
    pub fn new(
        settings: &KafkaSettings,
        ids: &dyn SchemaIds,
        metrics: SpanMetrics,
        counts: Option<RequestCounts>,
    ) -> Result<Self, ProducerError> {
        let topic = settings.topic(Topic::Spans);
        let encoder = Encoder::new(Topic::Spans, RecordKind::Span, ids)
            .map_err(|source| ProducerError::Schema { context: format!("topic {topic}"), source })?;
        let pending = Arc::new(Pending::default());
        let settings = KafkaSettings { linger_ms: settings.linger_ms.max(LINGER_MS), ..settings.clone() };
        let acknowledge = Arc::<Pending>::clone(&pending);
        // One span that the topic does not take must not cost the others of its batch; their ids are their names.
        let publisher = Publisher::of_named(&settings, acknowledge, &[Topic::Spans])
            .map_err(|e| ProducerError::Publish(Box::new(e)))?;
        Ok(Self { publisher, pending, topic, encoder, metrics, counts })
    }

    fn behind(&self) -> ProducerError {
        self.metrics.put_off();
        ProducerError::Behind { waiting: self.pending.waiting() }
    }

    fn send(&self, span: &Span, ticket: usize, value: &mut Vec<u8>) -> Result<(), BrokerError> {
        self.encoder.encode(span, value)?;
        let key = Some(span.trace_id.as_bytes());
        let record = Outgoing { topic: &self.topic, key, payload: Some(value), ..Outgoing::default() };
        self.publisher.send_with(&record, ticket, || std::thread::sleep(Duration::from_millis(1)))
    }
}

impl SpanIntake for SpanReceiver {
    fn take(&self, request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, ProducerError> {
        if self.pending.waiting() >= MOST_WAITING {
            return Err(self.behind());
        }
        let mut intake = records_of(request);
        let spans = std::mem::take(&mut intake.spans);
        let all = spans.len() as u64 + intake.rejected;
        let ticket = self.pending.open(spans.len());
        let mut value = Vec::new();
        for (sent, span) in spans.iter().enumerate() {
            match self.send(span, ticket, &mut value) {
                Ok(()) => {}
                Err(BrokerError::TooLarge { .. }) => {
                    self.pending.settled(ticket, 1);
                    intake.reject(&span.name, &"it is larger than the topic takes");
                }
                Err(e) => {
                    self.pending.settled(ticket, spans.len() - sent);
                    self.pending.forget(ticket);
                    return Err(ProducerError::Publish(Box::new(e)));
                }
            }
        }
        match self.pending.wait(ticket, PATIENCE) {
            None => return Err(self.behind()),
            Some(Some(failure)) => return Err(ProducerError::Publish(Box::new(failure))),
            Some(None) => {}
        }
        self.metrics.taken(all, intake.rejected);
        if let Some(counts) = &self.counts {
            count_served(&spans, counts);
        }
        Ok(intake.response())
    }
}
