//! The gateway: edges in front, Kafka behind.
//!
//! ```text
//! edge ══ incoming ══ service ─┬─ Report ─> reports ─> intake ─> load, dead-letters
//!       (security: who, for which nodes)
//!                              └─ Watch <── watching <─ board <─ (own thread) quotas
//! Prometheus, OTLP (gRPC, too) ══ incoming ══ http ─ samples ─> intake; spans
//! Envoy ══ incoming ══ rlqs ─ usage ─> intake; assignments <─ board
//! ```
//!
//! It keeps nothing but the last command of each node, which it reads from the topic: any number of gateways may stand beside
//! each other, and one that is killed takes with it only batches that were never acknowledged.

mod board;
pub(crate) mod drain;
pub(crate) mod http;
mod incoming;
mod intake;
mod limits;
mod loads;
pub(crate) mod metrics;
mod quotas;
mod reports;
mod rlqs;
mod security;
mod service;
mod tickets;
mod watching;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tidegate_broker::{BrokerError, KafkaSettings, Registry, Stop};
use tidegate_producers::spans::{SpanMetrics, SpanReceiver};
use tidegate_samples::Mapping;
use tidegate_schemas::SchemaIds;
use tidegate_schemas::trace::HeadSampler;
use tonic::service::Routes;
use tonic::transport::Server;

pub use limits::Limits;
pub use security::{Security, TlsFiles};

use crate::error::GatewayError;
use crate::proto::DESCRIPTORS;
use crate::proto::edge_service_server::EdgeServiceServer;
use board::Board;
use drain::{Drain, Draining};
use http::Http;
use intake::Intake;
use loads::Loads;
use metrics::GatewayMetrics;
use security::Doorman;
use service::Service;

/// Between two pings of an idle connection, and how long an answer may take: so a peer that vanished is known.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// What is left to connections once the gateway stops.
const DRAIN: Duration = Duration::from_secs(7);
/// What is left to Kafka after that.
const FLUSH: Duration = Duration::from_secs(1);
/// Streams of one connection.
const STREAMS: u32 = 32;
/// Bytes of a request's headers.
const HEADER_BYTES: u32 = 16 * 1024;
/// How often the word to stop is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// How a gateway serves.
#[derive(Debug)]
pub struct GatewaySettings {
    /// What it takes at most.
    pub limits: Limits,
    /// Who may join.
    pub security: Security,
    /// What samples of others are.
    pub mapping: Mapping,
    /// Begins the traces of reports that come without one.
    pub head: HeadSampler,
}

/// A gateway that is about to serve.
#[derive(Debug)]
pub struct Gateway {
    intake: Arc<Intake>,
    board: Arc<Board>,
    doorman: Arc<Doorman>,
    limits: Limits,
    metrics: GatewayMetrics,
    http: Arc<Http>,
    rlqs: Arc<rlqs::Shared>,
    quotas: JoinHandle<Result<(), BrokerError>>,
    stop: Stop,
}

impl Gateway {
    /// Asks the brokers for the topics and begins to read the quotas.
    ///
    /// # Errors
    /// What is wrong with the files of `security`; what Kafka, the source of schema ids or the registry of metrics says.
    pub fn start(
        kafka: &KafkaSettings,
        ids: Arc<dyn SchemaIds>,
        settings: GatewaySettings,
        registry: &Registry,
        stop: &Stop,
    ) -> Result<Self, GatewayError> {
        let GatewaySettings { limits, security, mapping, head } = settings;
        let metrics = GatewayMetrics::register(registry)?;
        let doorman = Arc::new(Doorman::new(security)?);
        let board = Arc::new(Board::default());
        let intake =
            Arc::new(Intake::new(kafka, &*ids, (limits, head.clone()), Arc::clone(&doorman), metrics.clone())?);
        let spans = SpanReceiver::new(kafka, &*ids, SpanMetrics::register(registry)?, None)?;
        let loads = Arc::new(Loads::new(Arc::clone(&intake))?);
        let http = Http::new(Arc::clone(&intake), Arc::clone(&loads), mapping.clone(), spans, limits, registry, stop)?;
        let rlqs = rlqs::Shared::new(mapping, Arc::clone(&intake), loads, Arc::clone(&board), limits, metrics.clone());
        let (http, rlqs) = (Arc::new(http), Arc::new(rlqs));
        let quotas = quotas::follow(kafka, ids, Arc::clone(&board), head, metrics.clone(), stop)?;
        Ok(Self { intake, board, doorman, limits, metrics, http, rlqs, quotas, stop: stop.clone() })
    }

    /// Tells whether it is ready: the quotas were read to their end, and it is not stopping.
    #[must_use]
    pub fn readiness(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        let (board, stop) = (Arc::clone(&self.board), self.stop.clone());
        Arc::new(move || board.has_caught_up() && !stop.is_set())
    }

    /// Serves edges until it is to stop; then their streams end with the word to move, what was taken is acknowledged,
    /// and this returns within 10 s.
    ///
    /// # Errors
    /// What ended it before.
    pub fn serve(self, listener: TcpListener) -> Result<(), GatewayError> {
        let start = |source| GatewayError::Start { what: "start its server", source };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(start)?;
        let served = runtime.block_on(self.serve_until_stopped(listener));
        self.stop.stop();
        self.intake.finish(FLUSH);
        runtime.shutdown_background();
        served?;
        // A panic of the thread was logged.
        Ok(self.quotas.join().unwrap_or(Ok(()))?)
    }

    async fn serve_until_stopped(&self, listener: TcpListener) -> Result<(), GatewayError> {
        let start = |source| GatewayError::Start { what: "listen", source };
        let drain = Drain::default();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(start)?;
        let (most, doorman, metrics) = (self.limits.connections, Arc::clone(&self.doorman), self.metrics.clone());
        let connections = incoming::accept(listener, most, doorman, metrics, drain.told());
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<EdgeServiceServer<Service>>().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|e| GatewayError::Serve(e.to_string()))?;
        let mut told = drain.told();
        let routes = Routes::from(Arc::clone(&self.http).router())
            .add_service(health_service)
            .add_service(reflection)
            .add_service(self.service(drain.told()))
            .add_service(self.rlqs.service(drain.told()));
        let routes = self.http.add_otlp(routes);
        let server = Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(PING_EVERY))
            .http2_keepalive_timeout(Some(PING_PATIENCE))
            .max_concurrent_streams(STREAMS)
            .http2_max_header_list_size(HEADER_BYTES)
            .add_routes(routes)
            .serve_with_incoming_shutdown(connections, async move { told.began().await });
        let stopping = async {
            while !self.stop.is_set() {
                tokio::time::sleep(LOOK).await;
            }
            health.set_not_serving::<EdgeServiceServer<Service>>().await;
            drain.begin();
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            served = server => served.map_err(|e| GatewayError::Serve(e.to_string())),
            () = stopping => {
                tracing::warn!("some connections did not end within {} s; they are cut", DRAIN.as_secs());
                Ok(())
            }
            never = self.doorman.keep_up() => match never {},
        }
    }

    fn service(&self, draining: Draining) -> EdgeServiceServer<Service> {
        let service = Service {
            intake: Arc::clone(&self.intake),
            board: Arc::clone(&self.board),
            doorman: Arc::clone(&self.doorman),
            limits: self.limits,
            metrics: self.metrics.clone(),
            draining,
        };
        EdgeServiceServer::new(service).max_decoding_message_size(self.limits.message_bytes)
    }
}
