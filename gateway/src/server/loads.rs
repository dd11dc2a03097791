//! Load reports that the gateway makes itself, of samples and of usage, into Kafka.
//!
//! ```text
//! LoadReport ─ encode ─> Record, as edges send them ─ Intake ─> load, dead-letters ─ acknowledged?
//! ```

use std::sync::Arc;

use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, SchemaError, Topic};

use super::intake::Intake;
use crate::proto::Record;

/// The way of such reports.
#[derive(Debug)]
pub(super) struct Loads {
    encoder: Encoder,
    intake: Arc<Intake>,
}

impl Loads {
    /// Over this intake.
    pub(super) fn new(intake: Arc<Intake>) -> Result<Self, SchemaError> {
        // The intake puts the topic's own id in the place of the catalogue's.
        Ok(Self { encoder: Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds)?, intake })
    }

    /// Publishes reports, and waits until Kafka has them or their dead letters.
    pub(super) async fn publish(self: &Arc<Self>, reports: Vec<LoadReport>) -> Result<(), String> {
        let own = Arc::clone(self);
        // It waits while the client's queue is full.
        let handed = tokio::task::spawn_blocking(move || {
            let records = reports.iter().map(|report| own.record(report)).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, SchemaError>(own.intake.publish(0, &records))
        });
        let taken = handed.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        let ack = self.intake.acknowledgement(taken).await.map_err(|status| status.message().to_owned())?;
        if ack.set_aside > 0 {
            tracing::warn!("{} reports that were made here were set aside: {}", ack.set_aside, ack.first_reason);
        }
        Ok(())
    }

    fn record(&self, report: &LoadReport) -> Result<Record, SchemaError> {
        let mut value = Vec::new();
        self.encoder.encode(report, &mut value)?;
        Ok(Record { key: report.node_id.clone().into(), value: value.into(), traceparent: String::new() })
    }
}
