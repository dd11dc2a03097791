//! OTLP's metrics and spans from their bodies to their answers, whatever brought them.
//!
//! ```text
//! body ─ gzip ─┬─ metrics ─> series ─ granted? ─> Samples ─> response
//!              └─ spans ─> SpanReceiver ───────────────────> response
//! ```

use std::sync::Arc;

use axum::body::Bytes;
use tidegate_otlp::{
    Encoding, ExportMetricsPartialSuccess, ExportMetricsServiceResponse, ExportTraceServiceResponse, Kind, OtlpError,
    Refusal, plain,
};
use tidegate_producers::spans::receive;
use tidegate_samples::remote_write::Contents;
use tidegate_samples::{Counts, otlp};

use super::Http;
use super::reasons::reasons;
use crate::server::security::Peer;

/// What a request is, once it is here.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) peer: Peer,
    pub(super) encoding: Encoding,
    /// Its `Content-Encoding`.
    pub(super) compression: String,
    pub(super) body: Bytes,
}

impl Http {
    /// Takes metrics, and waits until Kafka has the reports that they gave.
    pub(super) async fn take_metrics(&self, received: Received) -> Result<ExportMetricsServiceResponse, Refusal> {
        let (samples, most) = (Arc::clone(&self.samples), self.limits.batch.bytes);
        let reading = tokio::task::spawn_blocking(move || {
            let Received { peer, encoding, compression, body } = received;
            let decoded = encoding.metrics(&plain(&compression, &body, most)?)?;
            let mut request = tidegate_samples::collect::Request::default();
            let contents = otlp::read(&decoded, &mut |labels, of| samples.add(&mut request, &peer, labels, of));
            Ok::<_, OtlpError>((request, contents))
        });
        let read = reading.await.map_err(|e| failed(&e))?;
        let (request, contents) = read.map_err(|e| self.refused(e.into()))?;
        let contents = contents.and(request.invalid());
        let counts = self.samples.take(request).await.map_err(|why| Refusal::new(Kind::Behind, why))?;
        Ok(response(&contents, &counts))
    }

    /// Takes spans, and waits until Kafka has them.
    pub(super) async fn take_spans(&self, received: Received) -> Result<ExportTraceServiceResponse, Refusal> {
        let (spans, most) = (Arc::clone(&self.spans), self.limits.batch.bytes);
        // It waits for Kafka on its thread.
        let taking = tokio::task::spawn_blocking(move || {
            let Received { encoding, compression, body, .. } = received;
            receive(&*spans, encoding, &plain(&compression, &body, most)?)
        });
        taking.await.map_err(|e| failed(&e))?.map_err(|refusal| self.refused(refusal))
    }

    /// Counts a body that is wrong.
    fn refused(&self, refusal: Refusal) -> Refusal {
        if matches!(refusal.kind, Kind::Malformed | Kind::TooLarge | Kind::Unsupported) {
            self.intake.refused("body");
        }
        refusal
    }
}

fn response(contents: &Contents, counts: &Counts) -> ExportMetricsServiceResponse {
    let refused = contents.invalid + counts.refused();
    let partial_success = (refused > 0).then(|| ExportMetricsPartialSuccess {
        rejected_data_points: i64::try_from(refused).unwrap_or(i64::MAX),
        error_message: reasons(contents, counts),
    });
    ExportMetricsServiceResponse { partial_success }
}

/// A task of ours ended in a panic, which was logged.
pub(super) fn failed(error: &tokio::task::JoinError) -> Refusal {
    Refusal::new(Kind::Failed, error.to_string())
}
