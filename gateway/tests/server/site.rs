//! A gateway before an embedded broker, and what is said to it.

use std::sync::Arc;
use std::time::Duration;

use prometheus::TextEncoder;
use tidegate_broker::embedded::EmbeddedBroker;
use tidegate_broker::{Acknowledge, Deliveries, From, Outgoing, Publisher, RawRecord, Registry, Stop, Tail};
use tidegate_gateway::batch::BatchLimits;
use tidegate_gateway::proto::edge_service_client::EdgeServiceClient;
use tidegate_gateway::proto::{Record, ReportAck, ReportBatch};
use tidegate_gateway::{Gateway, GatewaySettings, Limits, Security};
use tidegate_samples::{Bounds, Mapping};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::HeadSampler;
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};
use tonic::Status;
use tonic::transport::Channel;

pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Small, so that they are reached; but for the connections, of which one that has ended may be counted for a moment.
pub(crate) const LIMITS: Limits = Limits {
    message_bytes: 100_000,
    batch: BatchLimits { bytes: 200_000, records: 100 },
    in_flight: 2,
    connections: 100,
    nodes: 3,
    requests: 1,
    sampled: Bounds { nodes: 3, series: 100 },
};

/// A gateway before an embedded broker, until it is dropped.
pub(crate) struct Site {
    broker: EmbeddedBroker,
    registry: Registry,
    pub(crate) address: String,
    pub(crate) stop: Stop,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Site {
    /// In plain text, for everybody.
    pub(crate) fn start() -> Self {
        Self::secured(Security::default())
    }

    pub(crate) fn secured(security: Security) -> Self {
        Self::limited(security, LIMITS)
    }

    pub(crate) fn limited(security: Security, limits: Limits) -> Self {
        let broker = EmbeddedBroker::start("t.", 2).unwrap();
        let (stop, kafka, registry) = (Stop::default(), broker.settings(), Registry::new());
        let (ids, mapping) = (
            Arc::new(CatalogueIds),
            Mapping::preset("node_exporter").unwrap().and(Mapping::preset("opentelemetry").unwrap()),
        );
        let settings = GatewaySettings { limits, security, mapping, head: HeadSampler::new(1, 1.0) };
        let gateway = Gateway::start(&kafka, ids, settings, &registry, &stop).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || gateway.serve(listener).unwrap());
        Self { broker, registry, address, stop, thread: Some(thread) }
    }

    pub(crate) async fn client(&self) -> EdgeServiceClient<Channel> {
        connect(&self.address).await.unwrap()
    }

    /// How often something was refused for that reason.
    pub(crate) fn counted(&self, reason: &str) -> u64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let name = format!("tidegate_gateway_refused_total{{reason=\"{reason}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }

    /// All that stands on a topic.
    pub(crate) fn read(&self, topic: Topic) -> Vec<RawRecord> {
        let kafka = self.broker.settings();
        let mut tail = Tail::topic(&kafka, &kafka.topic(topic), From::Beginning).unwrap();
        std::iter::from_fn(|| tail.next_before_end(PATIENCE).unwrap()).collect()
    }

    pub(crate) fn publish(&self, topic: Topic, key: &str, value: &[u8]) {
        let kafka = self.broker.settings();
        let publisher = Publisher::new(&kafka, Arc::new(Deliveries::default()) as Arc<dyn Acknowledge>).unwrap();
        let topic = kafka.topic(topic);
        let key = Some(key.as_bytes());
        publisher.send(&Outgoing { topic: &topic, key, payload: Some(value), ..Outgoing::default() }).unwrap();
        publisher.flush(PATIENCE).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.stop();
        self.thread.take().map(std::thread::JoinHandle::join).transpose().unwrap();
    }
}

/// Connects in plain text.
pub(crate) async fn connect(address: &str) -> Result<EdgeServiceClient<Channel>, tonic::transport::Error> {
    let channel = Channel::from_shared(address.to_owned()).unwrap().connect().await?;
    Ok(EdgeServiceClient::new(channel))
}

pub(crate) fn record(node: &str, sequence: i64) -> Record {
    let mut value = Vec::new();
    let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds).unwrap();
    encoder.encode(&LoadReport::new(node, sequence, 10_000, 1000.0), &mut value).unwrap();
    Record { key: node.to_owned().into(), value: value.into(), traceparent: String::new() }
}

/// Sends batches on a stream of their own, and gives what comes back, to its end.
pub(crate) async fn report(
    client: &mut EdgeServiceClient<Channel>,
    batches: Vec<ReportBatch>,
) -> Result<Vec<ReportAck>, Status> {
    let mut stream = client.report(tokio_stream::iter(batches)).await?.into_inner();
    let mut acks = Vec::new();
    while let Some(ack) = stream.message().await? {
        acks.push(ack);
    }
    acks.sort_by_key(|ack| ack.id);
    Ok(acks)
}
