//! HTTP at the address of the edges: Prometheus' samples, OpenTelemetry's metrics and spans; the latter two by gRPC as well.
//!
//! ```text
//! request ─ who? ─ a free place? ─ headers, body within its limit ─> (own task) Samples, SpanReceiver ─> Kafka ─> answer
//!             401       429              413, 415, 503                                             2xx, 400, 403, 503
//! ```
//!
//! OTLP's transports, `otlp` and `otlp_grpc`, meet in `signals`. A request that was taken is followed to its end, also where its sender has gone: what it brought is known when it is sent again.

mod entry;
pub(crate) mod metrics;
mod otlp;
mod otlp_grpc;
mod reasons;
mod refusal;
mod samples;
mod signals;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tidegate_broker::{Registry, Stop};
use tidegate_producers::spans::SpanReceiver;
use tidegate_samples::Mapping;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::service::Routes;

use super::intake::Intake;
use super::limits::Limits;
use super::loads::Loads;
use super::security::Peer;
use crate::body;
use crate::error::GatewayError;
use metrics::HttpMetrics;
use refusal::Refusal;
use samples::Samples;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Http {
    intake: Arc<Intake>,
    samples: Arc<Samples>,
    spans: Arc<SpanReceiver>,
    limits: Limits,
    metrics: HttpMetrics,
    places: Arc<Semaphore>,
    stop: Stop,
}

impl Http {
    /// With no node known yet.
    pub(super) fn new(
        intake: Arc<Intake>,
        loads: Arc<Loads>,
        mapping: Mapping,
        spans: SpanReceiver,
        limits: Limits,
        registry: &Registry,
        stop: &Stop,
    ) -> Result<Self, GatewayError> {
        let metrics = HttpMetrics::register(registry)?;
        let samples = Samples::new(mapping, limits.sampled, Arc::clone(&intake), loads, metrics.clone());
        let places = Arc::new(Semaphore::new(limits.requests));
        Ok(Self {
            intake,
            samples: Arc::new(samples),
            spans: Arc::new(spans),
            limits,
            metrics,
            places,
            stop: stop.clone(),
        })
    }

    /// The routes; any other address is told what there is.
    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/api/v1/write", post(write::write))
            .route("/v1/metrics", post(otlp::metrics))
            .route("/v1/traces", post(otlp::traces))
            .fallback(|| async {
                Refusal::new(StatusCode::NOT_FOUND, "there is POST /api/v1/write, /v1/metrics, /v1/traces, and gRPC")
            })
            .with_state(self)
    }

    /// The same for OTLP over gRPC, beside the services that are there.
    pub(super) fn add_otlp(self: &Arc<Self>, routes: Routes) -> Routes {
        routes.add_service(otlp_grpc::traces(self)).add_service(otlp_grpc::metrics(self))
    }

    /// Who asks, and a place for the request; neither costs anything of a flood.
    fn enter(&self, request: &Request) -> Result<(Peer, OwnedSemaphorePermit), Refusal> {
        let connected = request.extensions().get::<Peer>().cloned().unwrap_or_default();
        let peer = connected.bearing(text(request.headers(), "authorization"));
        let place = self.admit(&peer)?;
        Ok((peer, place))
    }

    /// A refusal of a request whose body is still to come: that is thrown away, so that its sender sees the answer.
    async fn refuse(&self, request: Request, refusal: Refusal) -> Refusal {
        body::pass(request.into_body(), self.limits.message_bytes).await;
        refusal
    }

    /// The body, within its limit and in good time.
    async fn body(&self, request: Request) -> Result<Bytes, Refusal> {
        Ok(body::whole(request.into_body(), self.limits.message_bytes).await?)
    }
}

/// A header as text; empty where it is none.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
