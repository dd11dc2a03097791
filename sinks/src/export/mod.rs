//! Traces out: the topic `spans` to any backend that takes OTLP.
//!
//! ```text
//! spans ─ take ─> requests of at most 512 spans ─ deliver ─> SpanBackend (HTTP: http.rs; gRPC: tidegate-gateway)
//!                     ▲                                                         │
//!                     │  later, or no answer: the same again, when it says      │
//!                     └─ taken: the next; refused for good: told, the next <────┘
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

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tidegate_broker::{DeliveryError, Received, Sink, Source};
use tidegate_otlp::{Answer, ExportTraceServiceRequest, SpanBackend, request_of};
use tidegate_schemas::Topic;
use tidegate_schemas::records::Span;

/// Spans in one request at most, as OpenTelemetry's own batch processors have it.
const PER_REQUEST: usize = 512;
/// A backend that asks for more patience is asked again after this.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A request that has no answer for good.
#[derive(Debug)]
struct Waiting {
    request: ExportTraceServiceRequest,
    spans: u64,
    /// Where its first span stands.
    first: Source,
}

/// The sink that carries the topic `spans` to a backend.
#[derive(Debug)]
pub struct SpanExport {
    backend: Box<dyn SpanBackend>,
    metrics: ExportMetrics,
    /// What is left of the current batch.
    waiting: VecDeque<Waiting>,
    /// The backend has asked for patience until then.
    not_before: Option<Instant>,
    refusals: Refusals,
}

impl SpanExport {
    /// A sink that sends to `backend`.
    #[must_use]
    pub fn new(backend: Box<dyn SpanBackend>, metrics: ExportMetrics) -> Self {
        Self { backend, metrics, waiting: VecDeque::new(), not_before: None, refusals: Refusals::default() }
    }

    /// Takes the answer to the request that waits first; an error where it is to be sent again.
    fn answered(&mut self, answer: Answer, count: u64, first: &Source) -> Result<(), DeliveryError> {
        let at = self.backend.address();
        match answer {
            Answer::Taken => self.metrics.taken(count),
            Answer::Partly(refused, why) => {
                self.refusals.tell(&format!("{at} refused {refused} of {count} spans: {why}"), Instant::now());
                self.metrics.refused(refused.min(count));
                self.metrics.taken(count.saturating_sub(refused));
            }
            Answer::Never(why) => {
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

    fn take(&mut self, batch: Vec<Received<Span>>) {
        self.waiting.clear();
        let mut batch = batch.into_iter();
        while let Some(first) = batch.as_slice().first().map(|received| received.source.clone()) {
            let spans = batch.len().min(PER_REQUEST);
            let request = request_of(batch.by_ref().take(spans).map(|received| received.record));
            self.waiting.push_back(Waiting { request, spans: spans as u64, first });
        }
    }

    fn deliver(&mut self) -> Result<(), DeliveryError> {
        if self.not_before.is_some_and(|until| Instant::now() < until) {
            return Err(DeliveryError(format!("{} has asked for patience", self.backend.address())));
        }
        self.not_before = None;
        while let Some(next) = self.waiting.pop_front() {
            let answer = self.backend.send(&next.request);
            if let Err(again) = self.answered(answer, next.spans, &next.first) {
                self.waiting.push_front(next);
                return Err(again);
            }
        }
        Ok(())
    }
}
