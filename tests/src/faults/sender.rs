//! What puts records on the load topic, and keeps the list of what was sent: by this list the checker judges.
//!
//! ```text
//! fleet of the simulator, reports numbered ─┐
//! poison ───────────────────────────────────┴─> send ─> producer ─> load topic
//!                                                 │          │ delivery report: partition, offset
//!                                                 └─> list <─┘
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tidegate_producers::simulate::{Fleet, FleetOptions};
use tidegate_schemas::records::LoadReport;

use crate::client::{self, Raw};
use crate::pipeline;

/// Event time between two reports of a node: a model's window of an hour is seen within a few minutes.
const INTERVAL_MS: i64 = 60_000;
/// Rounds of all nodes that come at once, before the faults: more than two windows, so that nodes are READY.
pub const HISTORY_ROUNDS: u64 = 130;
/// The event time begins so long before now, and so all of it has passed, however long the run.
const BEGIN_BEFORE_MS: i64 = 20 * 24 * 3_600_000;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(180);

/// Name of a decision: node and number of the report.
pub type Name = (Arc<str>, i64);

/// A record that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Partition and offset, once the broker has acknowledged it.
    pub place: Option<(i32, i64)>,
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// Of a valid report; `None`: poison.
    pub name: Option<Name>,
}

/// The list of what was sent, in order.
#[derive(Debug, Default)]
pub struct List(Mutex<Vec<Sent>>);

impl List {
    /// The list so far.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offset after the last acknowledged record of each partition.
    #[must_use]
    pub fn ends(&self) -> HashMap<i32, i64> {
        let mut ends = HashMap::new();
        for (partition, offset) in self.lock().iter().filter_map(|sent| sent.place) {
            let end = ends.entry(partition).or_insert(0);
            *end = (*end).max(offset + 1);
        }
        ends
    }
}

struct Reports(Arc<List>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        if let Ok(message) = result {
            self.0.lock()[index].place = Some((message.partition(), message.offset()));
        }
    }
}

/// Sends to one topic.
pub struct Sender {
    producer: ThreadedProducer<Reports>,
    topic: String,
    list: Arc<List>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender that waits an outage out.
    ///
    /// # Errors
    /// Where no client could be made.
    pub fn new(bootstrap: &str, topic: &str) -> anyhow::Result<Self> {
        let list = Arc::new(List::default());
        let mut config = client::config(bootstrap);
        config.set("enable.idempotence", "true").set("partitioner", "murmur2_random").set("message.timeout.ms", "0");
        config.set("linger.ms", "5").set("queue.buffering.max.messages", "20000");
        let producer = config.create_with_context(Reports(Arc::clone(&list)))?;
        Ok(Self { producer, topic: topic.to_owned(), list })
    }

    /// What was sent.
    #[must_use]
    pub fn list(&self) -> &List {
        &self.list
    }

    /// Sends a record; waits while the queue is full. Gives its place in the list.
    ///
    /// # Errors
    /// What the client refuses.
    pub fn send(&self, raw: &Raw, name: Option<Name>) -> anyhow::Result<usize> {
        let key = raw.key.clone().context("a record without key")?;
        let index = {
            let mut list = self.list.lock();
            list.push(Sent { place: None, key, value: raw.value.clone(), name });
            list.len() - 1
        };
        let mut next: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(&self.topic, index);
        next.key = raw.key.as_deref();
        next.payload = raw.value.as_deref();
        next.timestamp = raw.timestamp;
        while let Err((error, back)) = self.producer.send(next) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => next = back,
                other => return Err(other).with_context(|| format!("producing to {}", self.topic)),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(index)
    }

    /// Waits until all is acknowledged.
    ///
    /// # Errors
    /// Where that takes longer than three minutes.
    pub fn flush(&self) -> anyhow::Result<()> {
        self.producer.flush(FLUSH_TIMEOUT).with_context(|| format!("flushing to {}", self.topic))
    }
}

/// The made-up load.
#[derive(Debug)]
pub struct Load {
    fleet: Fleet,
    nodes: u64,
    count: u64,
}

impl Load {
    /// A fleet of so many nodes.
    ///
    /// # Errors
    /// Where there can be no such fleet.
    pub fn new(nodes: usize, seed: u64) -> anyhow::Result<Self> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let start_ms = (now - BEGIN_BEFORE_MS) / 3_600_000 * 3_600_000;
        let options = FleetOptions { nodes, seed, interval_ms: INTERVAL_MS, start_ms, ..FleetOptions::default() };
        Ok(Self { fleet: Fleet::new(options)?, nodes: nodes as u64, count: 0 })
    }

    /// The next report; the sequence of a node counts its reports, from 1.
    fn next(&mut self) -> anyhow::Result<LoadReport> {
        let mut report = self.fleet.next_report();
        report.sequence = i64::try_from(self.count / self.nodes + 1)?;
        self.count += 1;
        Ok(report)
    }

    fn send(&mut self, sender: &Sender) -> anyhow::Result<()> {
        let report = self.next()?;
        let name = (report.node_id.as_str().into(), report.sequence);
        sender.send(&pipeline::record(&report), Some(name)).map(drop)
    }

    /// Sends the history, as fast as it goes.
    ///
    /// # Errors
    /// What the client refuses.
    pub fn send_history(&mut self, sender: &Sender) -> anyhow::Result<()> {
        (0..HISTORY_ROUNDS * self.nodes).try_for_each(|_| self.send(sender))?;
        sender.flush()
    }

    /// Sends at a pace until `stop` says so, then to the end of the round.
    ///
    /// # Errors
    /// What the client refuses, or where not all is acknowledged in the end.
    pub fn send_paced(&mut self, sender: &Sender, a_second: u64, stop: &AtomicBool) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut sent = 0;
        while !stop.load(Ordering::SeqCst) || !self.count.is_multiple_of(self.nodes) {
            let due = (started.elapsed().as_secs_f64() * a_second as f64) as u64;
            // After an outage what is due comes at once, but no faster than this.
            for _ in sent..due.min(sent + a_second) {
                self.send(sender)?;
                sent += 1;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        sender.flush()
    }
}
