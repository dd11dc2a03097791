//! `tidegate gateway`: the way in and out for edges that have no Kafka.

use std::path::PathBuf;

use tidegate_broker::Registry;
use tidegate_gateway::GatewaySettings;

use crate::args::{Common, MetricsFlag, TraceFlag};
use crate::config::Settings;
use crate::{http, own_spans, shutdown, telemetry};

/// Where edges are awaited, if nothing else is said.
pub(super) const LISTEN: &str = "127.0.0.1:4600";

/// Serve edges that have no Kafka: reports in, quota commands out, by gRPC.
///
/// Start as many as you like beside each other, and give the edges all their addresses: each gateway reads the quotas
/// itself and keeps nothing. A batch of reports is acknowledged when Kafka has acknowledged it; what cannot be read is set
/// aside. On SIGTERM the edges are sent to another gateway. `tidegate edge --gateway http://HOST:PORT` is the other end.
///
/// Prometheus joins by `remote_write: [{url: http://HOST:PORT/api/v1/write}]`: --mapping says which of its series are a node's
/// CPU, memory and base quota, and each node gets a report a scrape. docs/remote-write.md has the mappings' format.
/// OpenTelemetry's metrics come the same way (POST /v1/metrics), and Envoys get rate limit quotas (docs/rlqs.md).
///
/// Edges are known by certificate (--client-ca) or token (--tokens), and speak only for the nodes that --grants gives them;
/// without that file, for the node of their name. All these files are read again when they change.
#[derive(Debug, clap::Args)]
pub(crate) struct Gateway {
    /// Await edges here [default: 127.0.0.1:4600]
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_GATEWAY_LISTEN")]
    listen: Option<String>,
    /// What samples of others are: a preset (node_exporter, kubernetes, opentelemetry) or a TOML file; may be repeated
    /// [default: node_exporter, opentelemetry]
    #[arg(long = "mapping", value_name = "NAME|FILE")]
    mappings: Vec<String>,
    /// PEM file of the gateway's certificate, its chain behind it
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TLS_CERT", help_heading = "Security")]
    tls_cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TLS_KEY", help_heading = "Security")]
    tls_key: Option<PathBuf>,
    /// PEM file of the authorities that edges' certificates must come from; their CN and DNS names are the edge's
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CLIENT_CA", help_heading = "Security")]
    client_ca: Option<PathBuf>,
    /// File of bearer tokens: a line for each, NAME and the SHA-256 of the token in hex
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TOKENS", help_heading = "Security")]
    tokens: Option<PathBuf>,
    /// File (TOML) that says which edge may speak for which nodes
    #[arg(long, value_name = "FILE", env = "TIDEGATE_GRANTS", help_heading = "Security")]
    grants: Option<PathBuf>,
    /// Serve other machines without TLS, and without knowing them; for networks that are safe by other means
    #[arg(long, help_heading = "Security")]
    plain_text_anywhere: bool,
    /// Bytes of one message at most [default: 1 MiB]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    max_message_bytes: Option<usize>,
    /// Bytes of one batch at most, once it is uncompressed [default: 4 MiB]
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    max_batch_bytes: Option<usize>,
    /// Records of one batch at most [default: 5000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_batch_records: Option<usize>,
    /// Batches of one edge that may wait for Kafka; meanwhile nothing more is read from it [default: 8]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_in_flight: Option<usize>,
    /// Connections at a time; one more is closed at once [default: 20000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_connections: Option<usize>,
    /// Nodes that one edge may watch in one stream [default: 5000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_nodes: Option<usize>,
    /// HTTP requests that are taken at a time; one more is answered with 429 [default: 32]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_requests: Option<usize>,
    /// Nodes that may be known by samples [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_sampled_nodes: Option<usize>,
    #[command(flatten)]
    trace: TraceFlag,
    #[command(flatten)]
    metrics: MetricsFlag,
}

impl Gateway {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let settings = self.settings(common)?;
        let limits = settings.gateway.limits()?;
        let mapping = settings.gateway.mapping()?;
        let kafka = settings.kafka()?;
        let listener = http::bind(settings.gateway.listen.as_deref().unwrap_or(LISTEN))?;
        let at = listener.local_addr()?;
        let security = settings.gateway.security(at)?;
        let scheme = if security.tls.is_some() { "https" } else { "http" };
        if settings.gateway.plain_text_anywhere && !at.ip().is_loopback() {
            tracing::warn!("{at} is served in plain text, and whoever reaches it is believed");
        }
        let stop = shutdown::on_signals()?;
        super::reach(&kafka)?;
        let registry = Registry::new();
        let ids = settings.schema_ids(&kafka, &stop);
        let _spans = own_spans::to_kafka(&kafka, &ids, &registry)?;
        let head = settings.trace.head(own_spans::seed());
        let served = GatewaySettings { limits, security, mapping, head };
        let gateway = tidegate_gateway::Gateway::start(&kafka, ids, served, &registry, &stop)?;
        telemetry::serve(
            self.metrics.metrics_listen.as_ref().or(settings.metrics_listen.as_ref()),
            registry,
            gateway.readiness(),
            &stop,
        )?;
        tracing::info!("gateway at {scheme}://{at}");
        Ok(gateway.serve(listener)?)
    }

    /// The file's settings with this command's flags laid over them.
    pub(super) fn settings(&self, common: &Common) -> anyhow::Result<Settings> {
        let mut settings = Settings::load(common)?;
        self.trace.lay_over(&mut settings.trace);
        let gateway = &mut settings.gateway;
        gateway.listen = self.listen.clone().or(gateway.listen.take());
        gateway.tls_cert = self.tls_cert.clone().or(gateway.tls_cert.take());
        gateway.tls_key = self.tls_key.clone().or(gateway.tls_key.take());
        gateway.client_ca = self.client_ca.clone().or(gateway.client_ca.take());
        gateway.tokens = self.tokens.clone().or(gateway.tokens.take());
        gateway.grants = self.grants.clone().or(gateway.grants.take());
        gateway.plain_text_anywhere |= self.plain_text_anywhere;
        gateway.max_message_bytes = self.max_message_bytes.or(gateway.max_message_bytes);
        gateway.max_batch_bytes = self.max_batch_bytes.or(gateway.max_batch_bytes);
        gateway.max_batch_records = self.max_batch_records.or(gateway.max_batch_records);
        gateway.max_in_flight = self.max_in_flight.or(gateway.max_in_flight);
        gateway.max_connections = self.max_connections.or(gateway.max_connections);
        gateway.max_nodes = self.max_nodes.or(gateway.max_nodes);
        gateway.max_requests = self.max_requests.or(gateway.max_requests);
        gateway.max_sampled_nodes = self.max_sampled_nodes.or(gateway.max_sampled_nodes);
        if !self.mappings.is_empty() {
            gateway.mappings.clone_from(&self.mappings);
        }
        Ok(settings)
    }
}
