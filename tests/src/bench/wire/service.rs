//! The reference's server: `POST /reports`, HTTP/1.1 over TLS, an array of reports as JSON; 204 once Kafka has all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::serve::Listener;
use axum::{Json, Router};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::site::{Site, TOKEN};
use crate::bench::settings;

/// The server; it ends with the process.
#[derive(Debug)]
pub(super) struct Service {
    port: u16,
    _runtime: tokio::runtime::Runtime,
}

/// Tells who waits for a record what became of it.
struct Told;

impl ClientContext for Told {}

impl ProducerContext for Told {
    type DeliveryOpaque = Box<oneshot::Sender<Result<(), KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        // Nobody waits where the client has gone.
        drop(waiting.send(result.as_ref().map(drop).map_err(|(error, _)| error.clone())));
    }
}

struct Kafka {
    producer: ThreadedProducer<Told>,
    encoder: Encoder,
    topic: String,
}

impl Service {
    /// Starts it on a port of its own.
    pub(super) fn start(brokers: &str, site: &Site) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TlsListener::bind(site))?;
        let port = listener.local_addr()?.port();
        let config: ClientConfig = settings::producer(brokers);
        let kafka = Kafka {
            producer: config.create_with_context(Told)?,
            encoder: Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds)?,
            topic: Site::topic(),
        };
        let router = Router::new().route("/reports", post(take)).with_state(Arc::new(kafka));
        runtime.spawn(async { axum::serve(listener, router).await });
        Ok(Self { port, _runtime: runtime })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

async fn take(
    State(kafka): State<Arc<Kafka>>,
    headers: HeaderMap,
    Json(reports): Json<Vec<LoadReport>>,
) -> Result<StatusCode, (StatusCode, String)> {
    let failed = |said: String| (StatusCode::SERVICE_UNAVAILABLE, said);
    if headers.get(header::AUTHORIZATION).is_none_or(|shown| shown != format!("Bearer {TOKEN}").as_str()) {
        return Err((StatusCode::UNAUTHORIZED, "no token that is known".to_owned()));
    }
    let mut waiting = Vec::with_capacity(reports.len());
    for report in &reports {
        let mut value = Vec::new();
        kafka.encoder.encode(report, &mut value).map_err(|e| failed(e.to_string()))?;
        let (sender, receiver) = oneshot::channel();
        let record = BaseRecord::with_opaque_to(&kafka.topic, Box::new(sender)).key(&report.node_id).payload(&value);
        kafka.producer.send(record).map_err(|(e, _)| failed(e.to_string()))?;
        waiting.push(receiver);
    }
    for receiver in waiting {
        receiver.await.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
    }
    Ok(StatusCode::NO_CONTENT)
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    async fn bind(site: &Site) -> anyhow::Result<Self> {
        let chain = vec![CertificateDer::from_pem_file(site.path("server.pem"))?];
        let key = PrivateKeyDer::from_pem_file(site.path("server.key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_no_client_auth().with_single_cert(chain, key)?;
        let tcp = TcpListener::bind(("127.0.0.1", 0)).await.context("listening for the reference")?;
        Ok(Self { tcp, acceptor: Arc::new(config).into() })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            // There is one client, so a handshake holds nobody up; one that fails is seen by it.
            match self.tcp.accept().await {
                Ok((stream, from)) if stream.set_nodelay(true).is_ok() => {
                    if let Ok(stream) = self.acceptor.accept(stream).await {
                        return (stream, from);
                    }
                }
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
