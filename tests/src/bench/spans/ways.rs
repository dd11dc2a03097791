//! The ways that are compared: their topics, their processes, their configuration.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tidegate_schemas::Topic;

use super::traffic::{PER_REQUEST, PER_TRACE};
use crate::binary::{self, Running};
use crate::brokers::apply_topics;
use crate::client;
use crate::collector::Collector;
use crate::ports::free_port;

const PARTITIONS: i32 = 4;
const START: Duration = Duration::from_secs(60);

/// What carries the spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tidegate,
    /// A record is a request, in any partition.
    CollectorAsItComes,
    /// A record is a trace of a request, and the key its id: what tidegate promises.
    CollectorByTrace,
}

pub(super) const WAYS: [Kind; 3] = [Kind::Tidegate, Kind::CollectorAsItComes, Kind::CollectorByTrace];

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "tidegate",
            Self::CollectorAsItComes => "Collector, as it comes",
            Self::CollectorByTrace => "Collector, keyed by trace",
        }
    }

    /// Spans of one record.
    fn per_record(self) -> u64 {
        match self {
            Self::Tidegate => 1,
            Self::CollectorAsItComes => PER_REQUEST,
            Self::CollectorByTrace => PER_TRACE,
        }
    }
}

/// A way with a topic of its own.
#[derive(Debug)]
pub(super) struct Way<'a> {
    kind: Kind,
    brokers: &'a str,
    prefix: String,
    topic: String,
    collector: &'a Path,
    gzip: bool,
}

/// One process of a way.
#[derive(Debug)]
pub(super) struct Process {
    process: Either,
    address: String,
}

#[derive(Debug)]
enum Either {
    Tidegate(Running),
    Collector(Collector),
}

impl Process {
    pub(super) fn pid(&self) -> u32 {
        match &self.process {
            Either::Tidegate(running) => running.pid(),
            Either::Collector(collector) => collector.pid(),
        }
    }

    /// Where it takes spans.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

impl<'a> Way<'a> {
    /// Creates its topic.
    pub(super) fn provision(
        kind: Kind,
        round: u32,
        brokers: &'a str,
        collector: &'a Path,
        gzip: bool,
    ) -> anyhow::Result<Self> {
        let prefix = format!("{}-{round}.", format!("{kind:?}").to_lowercase());
        let topic = match kind {
            Kind::Tidegate => {
                apply_topics(brokers, &prefix, PARTITIONS, 1)?;
                Topic::Spans.name(&prefix)
            }
            _ => {
                let topic = format!("{prefix}otlp_spans");
                client::create_topic(brokers, &topic, PARTITIONS, &[])?;
                topic
            }
        };
        Ok(Self { kind, brokers, prefix, topic, collector, gzip })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Whether its topic holds so many spans, rounded up to whole requests.
    pub(super) fn check_topic(&self, spans: u64) -> anyhow::Result<()> {
        let held = client::Counter::new(self.brokers, &self.topic)?.count()?;
        let wanted = spans / self.kind.per_record();
        ensure!(held >= wanted, "{} holds {held} records, not {wanted}", self.topic);
        Ok(())
    }

    /// OTLP to Kafka.
    pub(super) fn receiver(&self) -> anyhow::Result<Process> {
        if self.kind == Kind::Tidegate {
            let flags = ["edge", "--node-id", "bench", "--otlp-grpc-listen", "127.0.0.1:0"];
            let mut running = self.tidegate(&flags);
            let words = "spans by OTLP over gRPC at ";
            running.wait_for(words, START)?;
            let said = running.stderr();
            let at = said.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next());
            let address = at.context("the agent tells no address")?.to_owned();
            return Ok(Process { process: Either::Tidegate(running), address });
        }
        let port = free_port()?;
        let config = format!(
            "receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}
exporters:
  kafka:
    brokers: ['{brokers}']
    traces: {{topic: {topic}, encoding: otlp_proto}}
    partition_traces_by_id: {by_trace}
    producer: {{compression: snappy, required_acks: -1}}
    sending_queue: {{enabled: false}}
{SERVICE}    traces: {{receivers: [otlp], exporters: [kafka]}}
",
            brokers = self.brokers,
            topic = self.topic,
            by_trace = self.kind == Kind::CollectorByTrace,
        );
        let process = Either::Collector(Collector::start(self.collector, &config)?);
        Ok(Process { process, address: format!("http://127.0.0.1:{port}") })
    }

    /// Kafka to OTLP.
    pub(super) fn exporter(&self, backend: &str) -> anyhow::Result<Process> {
        let (compression, address) = (if self.gzip { "gzip" } else { "none" }, String::new());
        if self.kind == Kind::Tidegate {
            let url = format!("http://{backend}");
            let to = ["--otlp", &url, "--otlp-protocol", "grpc", "--otlp-compression", compression];
            let running = self.tidegate(&[&["run", "export"], &to[..]].concat());
            return Ok(Process { process: Either::Tidegate(running), address });
        }
        let by_trace = self.kind == Kind::CollectorByTrace;
        let config = format!(
            "receivers:
  kafka:
    brokers: ['{brokers}']
    traces: {{topic: {topic}, encoding: otlp_proto}}
    group_id: {topic}
    initial_offset: earliest
    message_marking: {{after: true}}
processors:
  batch: {{send_batch_size: {PER_REQUEST}, send_batch_max_size: {PER_REQUEST}}}
exporters:
  otlp:
    endpoint: '{backend}'
    tls: {{insecure: true}}
    compression: {compression}
    sending_queue: {{enabled: false}}
{SERVICE}    traces: {{receivers: [kafka], processors: [{batch}], exporters: [otlp]}}
",
            brokers = self.brokers,
            topic = self.topic,
            batch = if by_trace { "batch" } else { "" },
        );
        let process = Either::Collector(Collector::start(self.collector, &config)?);
        Ok(Process { process, address })
    }

    fn tidegate(&self, flags: &[&str]) -> Running {
        binary::spawn(&[flags, &["--brokers", self.brokers, "--prefix", &self.prefix]].concat())
    }
}

const SERVICE: &str = "service:
  telemetry: {metrics: {level: none}}
  pipelines:
";
