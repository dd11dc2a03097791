//! A topic read on and on by a plain consumer: all that stands on it, in the order of each partition.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{self, Raw};

const ASK: Duration = Duration::from_secs(5);
/// A broker may have come back a moment ago.
const PATIENCE: Duration = Duration::from_secs(120);

/// A reader of a topic from its beginning.
pub struct Reading {
    consumer: BaseConsumer,
    topic: String,
    /// What was read so far.
    pub records: Vec<Raw>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("topic", &self.topic).field("records", &self.records.len()).finish()
    }
}

impl Reading {
    /// Of a topic with so many partitions; records of transactions only once they are committed.
    ///
    /// # Errors
    /// Where no client could be made.
    pub fn of(bootstrap: &str, topic: &str, partitions: i32) -> anyhow::Result<Self> {
        let mut config = client::config(bootstrap);
        config.set("group.id", "tests-reader").set("enable.auto.commit", "false").set("check.crcs", "true");
        config.set("isolation.level", "read_committed").set("auto.offset.reset", "error");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&assignment)?;
        Ok(Self { consumer, topic: topic.to_owned(), records: Vec::new() })
    }

    /// Takes what has come, and waits for more for so long.
    ///
    /// # Errors
    /// What does not pass by itself.
    pub fn advance(&mut self, wait: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            match self.consumer.poll(wait.saturating_sub(started.elapsed())) {
                None => return Ok(()),
                Some(Ok(message)) => self.records.push(client::owned(&message)),
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    anyhow::bail!("{}: an offset is gone", self.topic)
                }
                // The client tells of lost brokers, and goes on by itself.
                Some(Err(_)) => {}
            }
        }
    }

    /// All that stands on the topic now, by partition and offset.
    ///
    /// # Errors
    /// Where the broker does not give it in time.
    pub fn all(mut self, partitions: i32) -> anyhow::Result<Vec<Raw>> {
        let started = Instant::now();
        let mut ends = Vec::new();
        while ends.len() < usize::try_from(partitions)? {
            match self.consumer.fetch_watermarks(&self.topic, i32::try_from(ends.len())?, ASK) {
                Ok((low, high)) => ends.push((low, high)),
                Err(e) if started.elapsed() > PATIENCE => return Err(e).with_context(|| self.topic.clone()),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
        loop {
            self.advance(Duration::from_millis(100))?;
            // The position tells the end: transactions leave gaps before it.
            let position = self.consumer.position()?;
            let at = |p: usize| position.find_partition(&self.topic, p as i32).and_then(|e| e.offset().to_raw());
            let read = |(p, (low, high)): (usize, &(i64, i64))| low == high || at(p).is_some_and(|at| at >= *high);
            if ends.iter().enumerate().all(read) {
                break;
            }
            ensure!(started.elapsed() < PATIENCE, "{} was not read to its end in time", self.topic);
        }
        self.records.sort_by_key(|r| (r.partition, r.offset));
        Ok(self.records)
    }
}
