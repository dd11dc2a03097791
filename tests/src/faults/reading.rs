//! A topic read on and on by a plain consumer: all that stands on it, in the order of each partition.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{self, Raw};

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

    /// What was read, by partition and offset.
    #[must_use]
    pub fn into_records(self) -> Vec<Raw> {
        let mut records = self.records;
        records.sort_by_key(|r| (r.partition, r.offset));
        records
    }
}
