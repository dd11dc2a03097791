//! Traces out: the topic `spans` to any backend that takes OTLP.
//!
//! ```text
//! spans ─> SpanExport ─> requests of at most 512 spans ─> SpanBackend (HTTP: http.rs; gRPC: tidegate-gateway)
//!              ▲                                                               │
//!              │  later, or no answer: the same again, when the backend says   │
//!              └─ taken: the next; refused for good: told, counted, the next <─┘
//! ```
//!
//! At least once: offsets are committed when the backend has taken the spans. What it refuses for good is not sent again, as
//! the specification asks; it stays on the topic.
//! Source: OpenTelemetry Protocol specification, OTLP/HTTP and OTLP/gRPC.

mod http;
mod metrics;
mod refusals;

pub use http::{BodyCompression, HttpBackend};
pub use metrics::ExportMetrics;
use refusals::Refusals;

use std::time::{Duration, Instant};

use tidegate_broker::{DeliveryError, Received, Sink};
use tidegate_otlp::{Answer, SpanBackend, request_of};
use tidegate_schemas::Topic;
use tidegate_schemas::records::Span;

/// Spans in one request at most, as OpenTelemetry's own batch processors have it.
const PER_REQUEST: usize = 512;
/// A backend that asks for more patience is asked again after this.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The sink that carries the topic `spans` to a backend.
#[derive(Debug)]
pub struct SpanExport {
    backend: Box<dyn SpanBackend>,
    metrics: ExportMetrics,
    /// Requests of the current batch that were answered for good.
    answered: usize,
    /// The backend has asked for patience until then.
    not_before: Option<Instant>,
    refusals: Refusals,
}

impl SpanExport {
    /// A sink that sends to `backend`.
    #[must_use]
    pub fn new(backend: Box<dyn SpanBackend>, metrics: ExportMetrics) -> Self {
        Self { backend, metrics, answered: 0, not_before: None, refusals: Refusals::default() }
    }

    /// One request; an error where it is to be sent again.
    fn send(&mut self, spans: &[Received<Span>]) -> Result<(), DeliveryError> {
        let count = spans.len() as u64;
        let answer = self.backend.send(&request_of(spans.iter().map(|received| &received.record)));
        let at = self.backend.address();
        match answer {
            Answer::Taken => self.metrics.taken(count),
            Answer::Partly(refused, why) => {
                self.refusals.tell(&format!("{at} refused {refused} of {count} spans: {why}"), Instant::now());
                self.metrics.refused(refused.min(count));
                self.metrics.taken(count.saturating_sub(refused));
            }
            Answer::Never(why) => {
                let first = &spans[0].source;
                self.refusals.tell(
                    &format!("{at} refused {count} spans for good, {first} the first of them: {why}"),
                    Instant::now(),
                );
                self.metrics.refused(count);
            }
            Answer::Later(after, why) => {
                self.not_before = after.map(|wait| Instant::now() + wait.min(LONGEST_WAIT));
                return Err(DeliveryError(format!("{at} takes no spans now: {why}")));
            }
        }
        Ok(())
    }
}

impl Sink for SpanExport {
    type Input = Span;

    fn name(&self) -> &'static str {
        "export"
    }

    fn input(&self) -> Topic {
        Topic::Spans
    }

    fn deliver(&mut self, batch: &[Received<Span>]) -> Result<(), DeliveryError> {
        if self.not_before.is_some_and(|until| Instant::now() < until) {
            return Err(DeliveryError(format!("{} has asked for patience", self.backend.address())));
        }
        self.not_before = None;
        for part in batch.chunks(PER_REQUEST).skip(self.answered) {
            self.send(part)?;
            self.answered += 1;
        }
        self.answered = 0;
        Ok(())
    }
}
