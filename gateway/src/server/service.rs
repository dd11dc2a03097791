//! The gRPC service: each call becomes a task of its own, fed and read through short channels.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::board::Board;
use super::drain::{Draining, move_on};
use super::intake::Intake;
use super::limits::Limits;
use super::metrics::GatewayMetrics;
use super::reports::Reports;
use super::security::{Doorman, Peer};
use super::watching::Watching;
use crate::proto::edge_service_server::EdgeService;
use crate::proto::{QuotaUpdate, ReportAck, ReportBatch, WatchRequest};

/// Commands that wait between the board and the connection.
const UPDATES: usize = 16;

/// The service of one gateway.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) intake: Arc<Intake>,
    pub(super) board: Arc<Board>,
    pub(super) doorman: Arc<Doorman>,
    pub(super) limits: Limits,
    pub(super) metrics: GatewayMetrics,
    pub(super) draining: Draining,
}

#[tonic::async_trait]
impl EdgeService for Service {
    type ReportStream = ReceiverStream<Result<ReportAck, Status>>;
    type WatchStream = ReceiverStream<Result<QuotaUpdate, Status>>;

    async fn report(&self, request: Request<Streaming<ReportBatch>>) -> Result<Response<Self::ReportStream>, Status> {
        self.is_open()?;
        let peer = peer(&request);
        self.intake.admit(&peer, std::iter::empty())?;
        let (acks, stream) = mpsc::channel(self.limits.in_flight);
        let reports = Reports {
            intake: Arc::clone(&self.intake),
            acks,
            draining: self.draining.clone(),
            in_flight: self.limits.in_flight,
            peer,
            counted: self.metrics.stream("report"),
        };
        tokio::spawn(reports.receive(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.is_open()?;
        let peer = peer(&request);
        let nodes = request.into_inner().node_ids;
        if nodes.is_empty() || nodes.len() > self.limits.nodes {
            self.metrics.refuse("nodes");
            let most = self.limits.nodes;
            return Err(Status::invalid_argument(format!("a stream watches 1 to {most} nodes, not {}", nodes.len())));
        }
        // Changes from here on are heard, so that none is missed between the answer and the stream.
        let changes = self.doorman.changes();
        self.intake.admit(&peer, nodes.iter().map(String::as_bytes))?;
        let (updates, stream) = mpsc::channel(UPDATES);
        let watching = Watching {
            updates,
            draining: self.draining.clone(),
            intake: Arc::clone(&self.intake),
            peer,
            nodes,
            changes,
            metrics: self.metrics.clone(),
            counted: self.metrics.stream("watch"),
        };
        tokio::spawn(watching.send(Arc::clone(&self.board)));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Who asks: the connection's certificate, the request's token.
pub(super) fn peer<T>(request: &Request<T>) -> Peer {
    request.extensions().get::<Peer>().cloned().unwrap_or_default().with(request.metadata())
}

impl Service {
    fn is_open(&self) -> Result<(), Status> {
        if self.draining.has_begun() { Err(move_on()) } else { Ok(()) }
    }
}
