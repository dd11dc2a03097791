//! What the export tells on `/metrics`.

use prometheus::{IntCounterVec, Opts};

use tidegate_broker::Registry;

/// Spans by what the backend did with them.
#[derive(Debug, Clone)]
pub struct ExportMetrics(IntCounterVec);

impl ExportMetrics {
    /// On a registry.
    ///
    /// # Errors
    /// Where it has them already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Spans sent to the OTLP backend, by what became of them: taken, or refused for good.";
        let spans = IntCounterVec::new(Opts::new("tidegate_exported_spans_total", help), &["result"])?;
        for result in ["taken", "refused"] {
            spans.with_label_values(&[result]);
        }
        registry.register(Box::new(spans.clone()))?;
        Ok(Self(spans))
    }

    pub(super) fn taken(&self, count: u64) {
        self.0.with_label_values(&["taken"]).inc_by(count);
    }

    pub(super) fn refused(&self, count: u64) {
        self.0.with_label_values(&["refused"]).inc_by(count);
    }
}
