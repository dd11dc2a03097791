//! The way of samples into Kafka.
//!
//! ```text
//! series ─ Request ─> Collector ─> reports ─ Loads ─> load ─ acknowledged? ─> settled, and the answer
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_samples::collect::Request;
use tidegate_samples::{Bounds, Collector, Counts, Labels, Mapping, Sample};

use super::metrics::HttpMetrics;
use crate::clock::now_ms;
use crate::server::intake::Intake;
use crate::server::loads::Loads;
use crate::server::security::Peer;

/// How long a request waits for Kafka: less than senders wait for an answer (30 s by default).
const PATIENCE: Duration = Duration::from_secs(10);

/// All that is known by samples.
#[derive(Debug)]
pub(in crate::server) struct Samples {
    mapping: Mapping,
    collector: Mutex<Collector>,
    intake: Arc<Intake>,
    loads: Arc<Loads>,
    metrics: HttpMetrics,
}

impl Samples {
    /// With no node yet.
    pub(in crate::server) fn new(
        mapping: Mapping,
        bounds: Bounds,
        intake: Arc<Intake>,
        loads: Arc<Loads>,
        metrics: HttpMetrics,
    ) -> Self {
        let collector = Mutex::new(Collector::new(mapping.clone(), bounds));
        Self { mapping, collector, intake, loads, metrics }
    }

    /// Adds a series to a request, if its sender may speak for its nodes.
    pub(super) fn add(&self, request: &mut Request, peer: &Peer, labels: &Labels<'_>, samples: &[Sample]) {
        let mut may = |node: &str| self.intake.admit(peer, std::iter::once(node.as_bytes())).is_ok();
        request.series(&self.mapping, labels, samples, &mut may);
    }

    /// Takes a request, and waits until Kafka has the reports that it gave.
    ///
    /// # Errors
    /// Why it is to be sent again; what it brought is known then, and its reports are made once more.
    pub(super) async fn take(&self, request: Request) -> Result<Counts, String> {
        let (taken, held) = {
            let mut collector = self.lock();
            let taken = collector.take(request, now_ms());
            (taken, collector.held())
        };
        self.metrics.taken(&taken.counts, held);
        if taken.counts.reports_lost > 0 {
            tracing::warn!("{} reports waited too long for Kafka and are lost", taken.counts.reports_lost);
        }
        if taken.reports.is_empty() {
            return Ok(taken.counts);
        }
        let sent = tokio::time::timeout(PATIENCE, self.loads.publish(taken.reports)).await;
        let late = |_| Err(format!("Kafka did not take the reports of it within {} s", PATIENCE.as_secs()));
        let outcome = sent.unwrap_or_else(late);
        self.lock().settle(&taken.names, outcome.is_ok());
        outcome.map(|()| taken.counts)
    }

    fn lock(&self) -> MutexGuard<'_, Collector> {
        self.collector.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
