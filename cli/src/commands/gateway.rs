//! `tidegate gateway`: the way in and out for edges that have no Kafka.

use std::net::SocketAddr;

use prometheus::Registry;

use crate::args::{Common, MetricsFlag};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{http, shutdown, telemetry};

/// Where edges are awaited, if nothing else is said.
const LISTEN: &str = "127.0.0.1:4600";

/// Serve edges that have no Kafka: reports in, quota commands out, by gRPC.
///
/// Start as many as you like beside each other, and give the edges all their addresses: each gateway reads the quotas
/// itself and keeps nothing. A batch of reports is acknowledged when Kafka has acknowledged it; what cannot be read is set
/// aside. On SIGTERM the edges are sent to another gateway. `tidegate edge --gateway http://HOST:PORT` is the other end.
#[derive(Debug, clap::Args)]
pub(crate) struct Gateway {
    /// Await edges here [default: 127.0.0.1:4600]
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_GATEWAY_LISTEN")]
    listen: Option<String>,
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
    #[command(flatten)]
    metrics: MetricsFlag,
}

impl Gateway {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let settings = self.settings(common)?;
        let limits = settings.gateway.limits()?;
        let kafka = settings.kafka()?;
        let listener = http::bind(settings.gateway.listen.as_deref().unwrap_or(LISTEN))?;
        let at = listener.local_addr()?;
        check_plain_text(at)?;
        let stop = shutdown::on_signals()?;
        super::reach(&kafka)?;
        let registry = Registry::new();
        let ids = settings.schema_ids(&kafka, &stop);
        let gateway = tidegate_gateway::Gateway::start(&kafka, ids, limits, &registry, &stop)?;
        telemetry::serve(
            self.metrics.metrics_listen.as_ref().or(settings.metrics_listen.as_ref()),
            registry,
            gateway.readiness(),
            &stop,
        )?;
        tracing::info!("gateway at http://{at}");
        Ok(gateway.serve(listener)?)
    }

    /// The file's settings with this command's flags laid over them.
    fn settings(&self, common: &Common) -> anyhow::Result<Settings> {
        let mut settings = Settings::load(common)?;
        let gateway = &mut settings.gateway;
        gateway.listen = self.listen.clone().or(gateway.listen.take());
        gateway.max_message_bytes = self.max_message_bytes.or(gateway.max_message_bytes);
        gateway.max_batch_bytes = self.max_batch_bytes.or(gateway.max_batch_bytes);
        gateway.max_batch_records = self.max_batch_records.or(gateway.max_batch_records);
        gateway.max_in_flight = self.max_in_flight.or(gateway.max_in_flight);
        gateway.max_connections = self.max_connections.or(gateway.max_connections);
        gateway.max_nodes = self.max_nodes.or(gateway.max_nodes);
        Ok(settings)
    }
}

/// Without TLS only this machine is served.
fn check_plain_text(at: SocketAddr) -> anyhow::Result<()> {
    if at.ip().is_loopback() {
        return Ok(());
    }
    Err(failure(exit::CONFIG, format!("{at} can be reached from elsewhere, and without TLS only loopback is served")))
}
