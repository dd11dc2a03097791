//! OTLP over gRPC: `TraceService` and `MetricsService`, plain or gzip.
//!
//! ```text
//! call ─ who? ─ a free place? ─ message within its limit ─> signals ─> OK, partial_success
//!     UNAUTHENTICATED   RESOURCE_EXHAUSTED                     └ INVALID_ARGUMENT, UNAVAILABLE with RetryInfo
//! ```

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tidegate_otlp::Encoding;
use tokio::sync::OwnedSemaphorePermit;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status, Streaming};

use super::Http;
use super::signals::{Received, failed};
use crate::otlp::message::message;
use crate::otlp::proto::metrics_service_server::{MetricsService, MetricsServiceServer};
use crate::otlp::proto::trace_service_server::{TraceService, TraceServiceServer};
use crate::otlp::status::refused;
use crate::server::service::peer;

/// The service of spans.
pub(super) fn traces(http: &Arc<Http>) -> TraceServiceServer<Otlp> {
    TraceServiceServer::new(Otlp(Arc::clone(http)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(http.limits.batch.bytes)
}

/// The service of metrics.
pub(super) fn metrics(http: &Arc<Http>) -> MetricsServiceServer<Otlp> {
    MetricsServiceServer::new(Otlp(Arc::clone(http)))
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(http.limits.batch.bytes)
}

/// Both of them.
#[derive(Debug)]
pub(super) struct Otlp(Arc<Http>);

impl Otlp {
    async fn enter(&self, call: Request<Streaming<Bytes>>) -> Result<(OwnedSemaphorePermit, Received), Status> {
        let peer = peer(&call);
        let place = self.0.admit(&peer)?;
        let body = message(call.into_inner(), self.0.limits.batch.bytes).await?;
        Ok((place, Received { peer, encoding: Encoding::Protobuf, compression: String::new(), body }))
    }

    fn answered(&self, call: &str, answer: &Result<Response<Bytes>, Status>) {
        self.0.metrics.answered_grpc(call, answer.as_ref().map_or_else(Status::code, |_| Code::Ok).into());
    }

    async fn spans(&self, call: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let (place, received) = self.enter(call).await?;
        let http = Arc::clone(&self.0);
        let taking = tokio::spawn(async move {
            let _place = place;
            http.take_spans(received).await
        });
        answer(taking.await.unwrap_or_else(|e| Err(failed(&e))))
    }

    async fn points(&self, call: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let (place, received) = self.enter(call).await?;
        let http = Arc::clone(&self.0);
        let taking = tokio::spawn(async move {
            let _place = place;
            http.take_metrics(received).await
        });
        answer(taking.await.unwrap_or_else(|e| Err(failed(&e))))
    }
}

fn answer<M: Message>(taken: Result<M, tidegate_otlp::Refusal>) -> Result<Response<Bytes>, Status> {
    match taken {
        Ok(response) => Ok(Response::new(response.encode_to_vec().into())),
        Err(refusal) => Err(refused(&refusal)),
    }
}

#[tonic::async_trait]
impl TraceService for Otlp {
    async fn export(&self, call: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let answer = self.spans(call).await;
        self.answered("traces", &answer);
        answer
    }
}

#[tonic::async_trait]
impl MetricsService for Otlp {
    async fn export(&self, call: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let answer = self.points(call).await;
        self.answered("metrics", &answer);
        answer
    }
}
