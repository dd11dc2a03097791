//! The made-up load of benchmark and soak: nodes in turn, a fixed event time a round, ending before now. No randomness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::{HeadSampler, TRACEPARENT};
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};

use super::settings;

const NODES_OF_A_POOL: u64 = 20;
/// Share of the reports whose traces are recorded, as `tidegate`'s own producers have it.
const SAMPLED: f64 = 0.01;

/// Where the fleet stands: which report is next.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    nodes: u64,
    interval_ms: u64,
    begin: u64,
    next: u64,
    head: HeadSampler,
}

impl Fleet {
    /// A fleet that reports every `interval_ms` of event time, which is up to now after `rounds`.
    pub(crate) fn new(nodes: u64, rounds: u64, interval_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        Self::up_to(now, nodes, rounds, interval_ms)
    }

    /// A fleet that reports at an interval and whose event time is up to `end`, Unix ms, after `rounds`.
    pub(super) fn up_to(end: u64, nodes: u64, rounds: u64, interval_ms: u64) -> Self {
        let begin = (end / interval_ms).saturating_sub(rounds + 1) * interval_ms;
        Self { nodes, interval_ms, begin, next: 0, head: HeadSampler::new(1, SAMPLED) }
    }

    /// The same fleet with this share of its traces recorded.
    pub(crate) fn with_sampled(self, share: f64) -> Self {
        Self { head: HeadSampler::new(1, share), ..self }
    }

    /// Number of the next report.
    pub(crate) fn position(&self) -> u64 {
        self.next
    }

    /// Number of the report behind a record, from its node and sequence.
    pub(crate) fn number(&self, node_id: &str, sequence: i64) -> Option<u64> {
        let node: u64 = node_id.strip_prefix("node-")?.parse().ok()?;
        let round = u64::try_from(sequence).ok()?.checked_sub(self.begin)? / self.interval_ms;
        Some(round * self.nodes + node)
    }

    /// The next report.
    pub(super) fn next_report(&mut self) -> LoadReport {
        let report = self.report(self.next);
        self.next += 1;
        report
    }

    fn report(&self, number: u64) -> LoadReport {
        let (round, node) = (number / self.nodes, number % self.nodes);
        let timestamp = (self.begin + round * self.interval_ms) as i64;
        let mut report = LoadReport::new(format!("node-{node:06}"), timestamp, self.interval_ms as i64, 1000.0);
        // An hourly wave, shifted from node to node, with a little that repeats late.
        let hours = (round * self.interval_ms) as f64 / 3_600_000.0;
        let phase = (hours + node as f64 / self.nodes as f64) * std::f64::consts::TAU;
        let ripple = ((number.wrapping_mul(2_654_435_761) >> 7) % 1000) as f64 / 10_000.0;
        let rounded = |load: f64| (load * 1e4).round() / 1e4;
        report.pool = format!("pool-{:03}", node / NODES_OF_A_POOL);
        report.cpu = Some(rounded(0.45 + 0.35 * phase.sin() + ripple));
        report.memory = Some(rounded(0.5 + 0.1 * phase.cos() + ripple / 2.0));
        report
    }
}

/// Sends reports of a fleet.
pub(crate) struct FleetProducer {
    producer: ThreadedProducer<DefaultProducerContext>,
    encoder: Encoder,
    value: Vec<u8>,
}

impl FleetProducer {
    pub(crate) fn new(bootstrap: &str) -> anyhow::Result<Self> {
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds)?;
        Ok(Self { producer: settings::producer(bootstrap).create()?, encoder, value: Vec::new() })
    }

    /// Sends the next report; waits while the client's queue is full.
    pub(crate) fn send(&mut self, topic: &str, fleet: &mut Fleet) -> anyhow::Result<()> {
        let report = fleet.next_report();
        self.encoder.encode(&report, &mut self.value)?;
        let trace = fleet.head.begin(&report.node_id, report.sequence).traceparent();
        let headers = OwnedHeaders::new_with_capacity(1).insert(Header { key: TRACEPARENT, value: Some(&trace) });
        let mut next = BaseRecord::to(topic).key(&report.node_id).payload(&self.value).headers(headers);
        while let Err((error, back)) = self.producer.send(next) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => next = back,
                other => return Err(other).with_context(|| format!("producing to {topic}")),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    pub(crate) fn flush(&self) -> anyhow::Result<()> {
        self.producer.flush(Duration::from_secs(60)).context("flushing reports")
    }
}

/// Fills a topic with the fleet's next `count` reports.
pub(crate) fn fill(bootstrap: &str, topic: &str, fleet: &mut Fleet, count: u64) -> anyhow::Result<()> {
    let mut producer = FleetProducer::new(bootstrap)?;
    for _ in 0..count {
        producer.send(topic, fleet)?;
    }
    producer.flush()
}
