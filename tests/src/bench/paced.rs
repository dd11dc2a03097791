//! Latency at a given rate: from the produce call of a report to its last record in a consumer's hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_schemas::{CatalogueIds, Decoder, RecordKind};

use super::fleet::{Fleet, FleetProducer};
use super::pipelines::Running;
use super::settings;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Not counted in each slice: the measuring client's connections are cold.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long after the last report its answer may take.
const GRACE: Duration = Duration::from_secs(10);

/// Latency of one way at one rate.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// Median, ms.
    pub p50_ms: f64,
    /// 99th percentile, ms.
    pub p99_ms: f64,
    /// Reports sent, those of the warm-up included.
    pub sent: u64,
    /// Reports answered, those of the warm-up included.
    pub answered: u64,
}

/// What one or more slices gave.
#[derive(Debug, Default)]
pub(super) struct Slices {
    latencies_ms: Vec<f64>,
    sent: u64,
    answered: u64,
}

impl Slices {
    /// Over all slices.
    pub(super) fn latency(mut self) -> Latency {
        self.latencies_ms.sort_by(f64::total_cmp);
        let (p50_ms, p99_ms) = (quantile(&self.latencies_ms, 0.5), quantile(&self.latencies_ms, 0.99));
        Latency { p50_ms, p99_ms, sent: self.sent, answered: self.answered }
    }

    /// Sends at `rate` for `seconds`, measures, and adds what came of it.
    pub(super) fn measure(
        &mut self,
        bootstrap: &str,
        running: &Running,
        fleet: &mut Fleet,
        rate: u64,
        seconds: u64,
    ) -> anyhow::Result<()> {
        running.check()?;
        let total = rate * seconds;
        let run = Run::new(fleet, total);
        let consumer = at_the_end(bootstrap, &running.output)?;
        let latencies = std::thread::scope(|scope| {
            let reader = scope.spawn(|| run.read(&consumer, running.kind));
            let sent = run.send(bootstrap, &running.input, fleet, rate);
            let deadline = Instant::now() + GRACE;
            while sent.is_ok() && run.answered.load(Ordering::Relaxed) < total && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            run.done.store(true, Ordering::Relaxed);
            let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            sent.and(read)
        })?;
        running.check()?;
        self.latencies_ms.extend(latencies);
        self.sent += total;
        self.answered += run.answered.load(Ordering::Relaxed);
        Ok(())
    }
}

struct Run {
    first: u64,
    numbering: Fleet,
    /// Nanoseconds since the start at which each report was sent; 0: not yet, or answered.
    sent_at: Vec<AtomicU64>,
    start: Instant,
    answered: AtomicU64,
    done: AtomicBool,
}

impl Run {
    fn new(fleet: &Fleet, total: u64) -> Self {
        Self {
            first: fleet.position(),
            numbering: fleet.clone(),
            sent_at: (0..total).map(|_| AtomicU64::new(0)).collect(),
            start: Instant::now(),
            answered: AtomicU64::new(0),
            done: AtomicBool::new(false),
        }
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn send(&self, bootstrap: &str, topic: &str, fleet: &mut Fleet, rate: u64) -> anyhow::Result<()> {
        let mut producer = FleetProducer::new(bootstrap)?;
        let begin = Instant::now();
        for (number, slot) in (0u32..).zip(&self.sent_at) {
            let due = Duration::from_secs_f64(f64::from(number) / rate as f64);
            if let Some(wait) = due.checked_sub(begin.elapsed()) {
                std::thread::sleep(wait);
            }
            slot.store(self.nanos(), Ordering::Relaxed);
            producer.send(topic, fleet)?;
        }
        producer.flush()
    }

    /// Latencies in ms of what was sent after the warm-up.
    fn read(&self, consumer: &BaseConsumer, kind: RecordKind) -> anyhow::Result<Vec<f64>> {
        let mut decoder = Decoder::new(Arc::new(CatalogueIds));
        let mut latencies = Vec::with_capacity(self.sent_at.len());
        let mut begin = None;
        while !self.done.load(Ordering::Relaxed) {
            let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
            let message = message?;
            let now = self.nanos();
            let value = message.payload().context("a record without a value")?;
            let Some(sent) = self.sent(value, kind, &mut decoder)? else { continue };
            self.answered.fetch_add(1, Ordering::Relaxed);
            if sent >= *begin.get_or_insert(sent) + WARM_UP.as_nanos() as u64 {
                latencies.push((now - sent) as f64 / 1e6);
            }
        }
        Ok(latencies)
    }

    /// When the report behind a record was sent; `None`: not in this run, or answered before.
    fn sent(&self, value: &[u8], kind: RecordKind, decoder: &mut Decoder) -> anyhow::Result<Option<u64>> {
        let (node_id, sequence) = match kind {
            RecordKind::QuotaCommand => {
                let command: QuotaCommand = decoder.decode(value)?;
                (command.node_id, command.sequence)
            }
            _ => {
                let report: LoadReport = decoder.decode(value)?;
                (report.node_id, report.sequence)
            }
        };
        let number = self.numbering.number(&node_id, sequence).and_then(|n| n.checked_sub(self.first));
        let slot = number.and_then(|n| self.sent_at.get(usize::try_from(n).ok()?));
        Ok(slot.map(|slot| slot.swap(0, Ordering::Relaxed)).filter(|sent| *sent > 0))
    }
}

/// A consumer of all partitions that begins where they end now.
fn at_the_end(bootstrap: &str, topic: &str) -> anyhow::Result<BaseConsumer> {
    let consumer: BaseConsumer = settings::reader(bootstrap).create()?;
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let partitions = metadata.topics().first().map_or(0, |t| t.partitions().len());
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions)? {
        let (_, end) = consumer.fetch_watermarks(topic, partition, TIMEOUT)?;
        list.add_partition_offset(topic, partition, Offset::Offset(end))?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = ((sorted.len() as f64 * q).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
