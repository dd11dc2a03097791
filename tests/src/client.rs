//! A Kafka client of the tests' own: what stands on a topic, byte by byte, with none of tidegate's code in between.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::process::{PATIENCE, wait_until};

const TIMEOUT: Duration = Duration::from_secs(60);

/// One record, whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "Kafka's own names")]
pub struct Raw {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Raw {
    /// A record of key and value, to be sent.
    #[must_use]
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self { partition: -1, offset: -1, key: Some(key.into()), value: Some(value.into()), ..Self::default() }
    }

    /// Text of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        value.as_ref().map(|v| String::from_utf8_lossy(v).into_owned())
    }
}

/// Settings of a client with the library's defaults.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the tests' client must not share a mistake with the product's")]
pub fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("log_level", "0");
    config
}

/// Creates a topic on a real Kafka.
///
/// # Errors
/// Where the broker refuses.
pub fn create_topic(bootstrap: &str, name: &str, partitions: i32, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let created = block_on(admin.create_topics([&topic], &AdminOptions::new()))?;
    for result in created {
        result.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

/// A setting of a topic as the broker holds it.
///
/// # Errors
/// Where the broker does not tell.
pub fn topic_setting(bootstrap: &str, topic: &str, key: &str) -> anyhow::Result<Option<String>> {
    use rdkafka::admin::ResourceSpecifier;
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    let specifier = ResourceSpecifier::Topic(topic);
    let asked = admin.describe_configs([&specifier], &AdminOptions::new());
    let resource = block_on(asked)?.into_iter().next().context("no answer")?.map_err(|e| anyhow::anyhow!("{e}"))?;
    Ok(resource.get(key).and_then(|entry| entry.value.clone()))
}

/// Sets a setting of a topic; its others go back to the broker's defaults.
///
/// # Errors
/// Where the broker refuses.
pub fn set_topic_setting(bootstrap: &str, topic: &str, key: &str, value: &str) -> anyhow::Result<()> {
    use rdkafka::admin::{AlterConfig, ResourceSpecifier};
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
    let changed = block_on(admin.alter_configs([&change], &AdminOptions::new()))?;
    changed
        .into_iter()
        .try_for_each(|result| result.map(drop).map_err(|(what, code)| anyhow::anyhow!("{what:?}: {code}")))?;
    // The controller has it before the broker does.
    let is_set = || topic_setting(bootstrap, topic, key).is_ok_and(|set| set.as_deref() == Some(value));
    wait_until(PATIENCE, is_set)
}

/// rdkafka's admin calls are futures that its own thread completes: polling them now and then is enough.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Number of partitions of each topic whose name begins with `prefix`.
///
/// # Errors
/// Where no broker answers.
pub fn topics(bootstrap: &str, prefix: &str) -> anyhow::Result<Vec<(String, usize)>> {
    let client: BaseProducer = config(bootstrap).create()?;
    let metadata = client.client().fetch_metadata(None, TIMEOUT)?;
    let ours = metadata.topics().iter().filter(|t| t.name().starts_with(prefix));
    let mut found: Vec<_> = ours.map(|t| (t.name().to_owned(), t.partitions().len())).collect();
    found.sort();
    Ok(found)
}

/// Sends records (to their partition where it is at least 0) and waits until all are acknowledged.
///
/// # Errors
/// Where a record is refused or not acknowledged in time.
pub fn produce(bootstrap: &str, topic: &str, records: &[Raw]) -> anyhow::Result<()> {
    let mut config = config(bootstrap);
    config.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
    let producer: BaseProducer = config.create()?;
    for record in records {
        let mut next: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        next.partition = (record.partition >= 0).then_some(record.partition);
        next.key = record.key.as_deref();
        next.payload = record.value.as_deref();
        next.timestamp = record.timestamp;
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let add = |all: OwnedHeaders, (key, value): &(String, Option<Vec<u8>>)| {
            all.insert(Header { key, value: value.as_ref() })
        };
        next.headers = Some(record.headers.iter().fold(headers, add));
        producer.send(next).map_err(|(e, _)| e).with_context(|| format!("producing to {topic}"))?;
    }
    producer.flush(TIMEOUT).with_context(|| format!("flushing to {topic}"))
}

/// Counts the records of one topic again and again over one connection.
pub struct Counter {
    consumer: BaseConsumer,
    topic: String,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Counter {
    /// A counter of `topic`.
    ///
    /// # Errors
    /// Where no client could be made.
    pub fn new(bootstrap: &str, topic: &str) -> anyhow::Result<Self> {
        Ok(Self { consumer: reader(bootstrap, "read_committed")?, topic: topic.into() })
    }

    /// End offsets less start offsets, over all partitions.
    ///
    /// # Errors
    /// Where the broker does not tell.
    pub fn count(&self) -> anyhow::Result<u64> {
        let held: i64 = ranges(&self.consumer, &self.topic)?.iter().map(|(_, low, high)| high - low).sum();
        Ok(u64::try_from(held)?)
    }

    /// Waits until the topic holds at least `wanted` records.
    ///
    /// # Errors
    /// After `timeout`, with what it holds by then.
    pub fn wait_for(&self, wanted: u64, timeout: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let held = self.count()?;
            if held >= wanted {
                return Ok(());
            }
            ensure!(started.elapsed() < timeout, "{} holds {held} records after {timeout:?}, not {wanted}", self.topic);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Waits until a topic holds at least `wanted` records.
///
/// # Errors
/// After `timeout`, with what it holds by then.
pub fn wait_for_count(bootstrap: &str, topic: &str, wanted: u64, timeout: Duration) -> anyhow::Result<()> {
    Counter::new(bootstrap, topic)?.wait_for(wanted, timeout)
}

/// All records of a topic by partition and offset, up to the end that it had when asked; of transactions only those that are
/// committed.
///
/// # Errors
/// Where the broker does not give them in time.
pub fn read_all(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Raw>> {
    read_to_the_end(reader(bootstrap, "read_committed")?, topic)
}

/// As [`read_all`], with what was taken back or is not committed yet.
///
/// # Errors
/// As [`read_all`].
pub fn read_uncommitted(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Raw>> {
    read_to_the_end(reader(bootstrap, "read_uncommitted")?, topic)
}

/// Offsets of a topic that stand behind a transaction which has not ended.
///
/// # Errors
/// Where the broker does not tell.
pub fn behind_open_transactions(bootstrap: &str, topic: &str) -> anyhow::Result<i64> {
    let end = |isolation| -> anyhow::Result<i64> {
        Ok(ranges(&reader(bootstrap, isolation)?, topic)?.iter().map(|(_, _, high)| high).sum())
    };
    let readable = end("read_committed")?;
    Ok(end("read_uncommitted")? - readable)
}

fn read_to_the_end(consumer: BaseConsumer, topic: &str) -> anyhow::Result<Vec<Raw>> {
    let ranges = ranges(&consumer, topic)?;
    let mut assignment = TopicPartitionList::new();
    for (partition, low, high) in &ranges {
        if low < high {
            assignment.add_partition_offset(topic, *partition, Offset::Offset(*low))?;
        }
    }
    if assignment.count() == 0 {
        return Ok(Vec::new());
    }
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    let mut open: Vec<i32> = assignment.elements().iter().map(|e| e.partition()).collect();
    let started = Instant::now();
    while !open.is_empty() {
        ensure!(started.elapsed() < TIMEOUT * 3, "{topic} was not read to its end in time");
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            records.push(owned(&message?));
        }
        // Compaction and transaction markers leave gaps: the position tells the end, not the last offset.
        let position = consumer.position()?;
        open.retain(|partition| {
            let end = ranges.iter().find(|(p, ..)| p == partition).map_or(0, |(_, _, high)| *high);
            let at = position.find_partition(topic, *partition).and_then(|e| e.offset().to_raw());
            at.is_none_or(|at| at < end)
        });
    }
    records.sort_by_key(|r| (r.partition, r.offset));
    Ok(records)
}

fn reader(bootstrap: &str, isolation: &str) -> anyhow::Result<BaseConsumer> {
    let mut config = config(bootstrap);
    config.set("isolation.level", isolation);
    config.set("group.id", "tests-reader").set("enable.auto.commit", "false").set("check.crcs", "true");
    config.set("fetch.wait.max.ms", "10").set("auto.offset.reset", "error").set("enable.partition.eof", "false");
    Ok(config.create()?)
}

fn ranges(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Vec<(i32, i64, i64)>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let partitions = metadata.topics().first().map_or(0, |t| t.partitions().len());
    ensure!(partitions > 0, "there is no topic {topic}");
    (0..i32::try_from(partitions)?)
        .map(|p| watermarks(consumer, topic, p).map(|(low, high)| (p, low, high)).map_err(Into::into))
        .collect()
}

/// First offset and end of a partition. One that was created a moment ago may have no leader yet.
fn watermarks(consumer: &BaseConsumer, topic: &str, partition: i32) -> KafkaResult<(i64, i64)> {
    let started = Instant::now();
    loop {
        match consumer.fetch_watermarks(topic, partition, TIMEOUT) {
            Err(KafkaError::MetadataFetch(
                RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable,
            )) if started.elapsed() < TIMEOUT => {
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

pub(crate) fn owned(message: &rdkafka::message::BorrowedMessage<'_>) -> Raw {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|h| (h.key.to_owned(), h.value.map(ToOwned::to_owned))).collect()
    });
    Raw {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(ToOwned::to_owned),
        value: message.payload().map(ToOwned::to_owned),
        headers,
    }
}
