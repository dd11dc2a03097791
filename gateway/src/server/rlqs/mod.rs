//! Envoy's Rate Limit Quota Service: usage in, assignments out, over one stream a data plane.
//!
//! ```text
//! usage reports ─ bucket of the mappings ─ granted? ─> Usage ─> LoadReport ─> load
//! quotas ─> Board ─> command ─ shared among the data planes ─> assignment, for the rest of its lease
//! ```
//!
//! `stream` is one of them, `held` what it knows of its buckets, `assignment` a quota in Envoy's words.

mod assignment;
mod held;
mod stream;
mod usage;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use envoy_types::pb::envoy::service::rate_limit_quota::v3::rate_limit_quota_service_server::{
    RateLimitQuotaService, RateLimitQuotaServiceServer,
};
use envoy_types::pb::envoy::service::rate_limit_quota::v3::{RateLimitQuotaResponse, RateLimitQuotaUsageReports};
use tidegate_samples::Mapping;
use tidegate_samples::buckets::Usage;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::board::Board;
use super::drain::{Draining, move_on};
use super::intake::Intake;
use super::limits::Limits;
use super::loads::Loads;
use super::metrics::GatewayMetrics;
use super::service::peer;
use stream::Stream;

/// Answers that wait between a stream and its connection.
const ANSWERS: usize = 16;

/// The service of one gateway.
#[derive(Debug, Clone)]
pub(super) struct Rlqs {
    shared: Arc<Shared>,
    draining: Draining,
}

/// What its streams share.
#[derive(Debug)]
pub(super) struct Shared {
    mapping: Mapping,
    intake: Arc<Intake>,
    loads: Arc<Loads>,
    board: Arc<Board>,
    limits: Limits,
    metrics: GatewayMetrics,
    usage: Mutex<Usage>,
    planes: AtomicU64,
}

impl Shared {
    /// With no data plane yet.
    pub(super) fn new(
        mapping: Mapping,
        intake: Arc<Intake>,
        loads: Arc<Loads>,
        board: Arc<Board>,
        limits: Limits,
        metrics: GatewayMetrics,
    ) -> Self {
        let (usage, planes) = (Mutex::default(), AtomicU64::default());
        Self { mapping, intake, loads, board, limits, metrics, usage, planes }
    }

    /// The service, until the gateway stops.
    pub(super) fn service(self: &Arc<Self>, draining: Draining) -> RateLimitQuotaServiceServer<Rlqs> {
        let most = self.limits.message_bytes;
        RateLimitQuotaServiceServer::new(Rlqs { shared: Arc::clone(self), draining }).max_decoding_message_size(most)
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for one bucket of one stream.
    fn plane(&self) -> u64 {
        self.planes.fetch_add(1, Ordering::Relaxed)
    }
}

#[tonic::async_trait]
impl RateLimitQuotaService for Rlqs {
    type StreamRateLimitQuotasStream = ReceiverStream<Result<RateLimitQuotaResponse, Status>>;

    async fn stream_rate_limit_quotas(
        &self,
        request: Request<Streaming<RateLimitQuotaUsageReports>>,
    ) -> Result<Response<Self::StreamRateLimitQuotasStream>, Status> {
        if self.draining.has_begun() {
            return Err(move_on());
        }
        let peer = peer(&request);
        self.shared.intake.admit(&peer, std::iter::empty())?;
        let (answers, stream) = mpsc::channel(ANSWERS);
        let counted = self.shared.metrics.stream("rlqs");
        let own = Stream::new(Arc::clone(&self.shared), peer, answers, self.draining.clone());
        tokio::spawn(async move {
            own.serve(request.into_inner()).await;
            drop(counted);
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
