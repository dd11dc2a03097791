//! What admission shows on `/metrics`, beside the requests by service.

use prometheus::{Gauge, IntCounterVec, Opts};

use tidegate_broker::Registry;

use crate::error::ProducerError;

/// Metrics of one edge's admission.
#[derive(Debug, Clone)]
pub struct AdmissionMetrics {
    rate: Gauge,
    asked: IntCounterVec,
}

impl AdmissionMetrics {
    /// Registers `tidegate_edge_admission_rate` and `tidegate_edge_admission_requests_total{result}`.
    ///
    /// # Errors
    /// [`ProducerError::Metrics`] where the registry has them already.
    pub fn register(registry: &Registry) -> Result<Self, ProducerError> {
        let metrics = Self {
            rate: Gauge::new("tidegate_edge_admission_rate", "Requests/s that are let through")?,
            asked: IntCounterVec::new(
                Opts::new("tidegate_edge_admission_requests_total", "Requests asked for, by the answer"),
                &["result"],
            )?,
        };
        for result in ["admitted", "denied"] {
            metrics.asked.with_label_values(&[result]);
        }
        registry.register(Box::new(metrics.rate.clone()))?;
        registry.register(Box::new(metrics.asked.clone()))?;
        Ok(metrics)
    }

    pub(super) fn changed(&self, rate: f64) {
        self.rate.set(rate);
    }

    pub(super) fn answered(&self, admitted: bool) {
        self.asked.with_label_values(&[if admitted { "admitted" } else { "denied" }]).inc();
    }
}
