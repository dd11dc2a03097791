//! What the receiver of spans tells on `/metrics`.

use prometheus::{IntCounter, IntCounterVec, Opts};

use tidegate_broker::Registry;

/// Spans and requests by what became of them.
#[derive(Debug, Clone)]
pub struct SpanMetrics {
    spans: IntCounterVec,
    put_off: IntCounter,
}

impl SpanMetrics {
    /// On a registry.
    ///
    /// # Errors
    /// Where it has them already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Spans received by OTLP, by what became of them: published, or left out because they are none.";
        let spans = IntCounterVec::new(Opts::new("tidegate_received_spans_total", help), &["result"])?;
        for result in ["published", "left_out"] {
            spans.with_label_values(&[result]);
        }
        let help = "Requests of spans that are to be sent again because Kafka is behind.";
        let put_off = IntCounter::new("tidegate_span_requests_put_off_total", help)?;
        registry.register(Box::new(spans.clone()))?;
        registry.register(Box::new(put_off.clone()))?;
        Ok(Self { spans, put_off })
    }

    /// A request was taken, with so many spans, so many of which were left out.
    pub fn taken(&self, all: u64, left_out: u64) {
        self.spans.with_label_values(&["published"]).inc_by(all.saturating_sub(left_out));
        self.spans.with_label_values(&["left_out"]).inc_by(left_out);
    }

    /// A request is to be sent again.
    pub fn put_off(&self) {
        self.put_off.inc();
    }
}
