//! Reading stretches of one partition, from its end backwards: what was published last is found without reading all.
//!
//! ```text
//! low ......... from ─────────► to ......... high        read(from..to), in the order of the partition
//!        next:  from' ──► from                           back(): ever larger stretches, each read once
//! ```

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::arrivals::Arrivals;
use crate::error::BrokerError;
use crate::logging::QuietContext;
use crate::overtaken::Overtaken;
use crate::settings::{KafkaSettings, create};
use crate::tail::{RawRecord, raw, watermarks};

/// Records of the first stretch backwards; each further one is twice as long.
const FIRST: i64 = 500;
/// How long a stretch may give nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reader of one partition that commits nothing.
pub struct PartitionReader {
    consumer: BaseConsumer<QuietContext>,
    arrivals: Arrivals,
    brokers: String,
    topic: String,
    partition: i32,
    low: i64,
    /// Everything from here on was given by [`PartitionReader::back`].
    from: i64,
    step: i64,
}

impl std::fmt::Debug for PartitionReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { topic, partition, low, from, .. } = self;
        f.debug_struct("PartitionReader").field("at", &(topic, partition, low, from)).finish_non_exhaustive()
    }
}

impl PartitionReader {
    /// Begins at the end of a partition as of now, or behind the offset `last` where that is before it.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`], and what the broker refuses.
    pub fn open(settings: &KafkaSettings, topic: &str, partition: i32, last: Option<i64>) -> Result<Self, BrokerError> {
        let mut config = settings.consumer(None);
        // What is gone is told at once: where to go on is this reader's to say.
        config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
        let mut consumer: BaseConsumer<QuietContext> = create(&config, QuietContext::default())?;
        let arrivals = Arrivals::of(&mut consumer);
        let (low, high) = watermarks(&consumer, settings, topic, partition)?;
        let from = last.map_or(high, |last| last.saturating_add(1).clamp(low, high));
        let (brokers, topic) = (settings.brokers.clone(), topic.to_owned());
        Ok(Self { consumer, arrivals, brokers, topic, partition, low, from, step: FIRST })
    }

    /// The oldest offset that the partition still holds.
    #[must_use]
    pub fn low(&self) -> i64 {
        self.low
    }

    /// The oldest record that the partition still holds; `None` where nothing is left before what was read so far.
    ///
    /// # Errors
    /// As [`PartitionReader::back`].
    pub fn oldest(&mut self) -> Result<Option<RawRecord>, BrokerError> {
        self.first_from(self.low)
    }

    /// The first record at an offset or after it, before what was read so far; `None` where there is none.
    ///
    /// # Errors
    /// As [`PartitionReader::back`].
    pub fn first_from(&mut self, offset: i64) -> Result<Option<RawRecord>, BrokerError> {
        let offset = offset.max(self.low);
        if self.from <= offset {
            return Ok(None);
        }
        Ok(self.read(offset..self.from, 1)?.into_iter().next())
    }

    /// The record at an offset before what was read so far; `None` where there is none, or none any more.
    ///
    /// # Errors
    /// As [`PartitionReader::back`].
    pub fn at(&mut self, offset: i64) -> Result<Option<RawRecord>, BrokerError> {
        if !(self.low..self.from).contains(&offset) {
            return Ok(None);
        }
        Ok(self.read(offset..offset + 1, 1)?.into_iter().next())
    }

    /// The stretch before what was read so far, in the order of the partition; `None` where there is nothing before it.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where nothing comes for long, and what the broker refuses.
    pub fn back(&mut self) -> Result<Option<Vec<RawRecord>>, BrokerError> {
        if self.from <= self.low {
            return Ok(None);
        }
        let begin = self.from.saturating_sub(self.step).max(self.low);
        let records = self.read(begin..self.from, usize::MAX)?;
        self.from = begin;
        self.step = self.step.saturating_mul(2);
        Ok(Some(records))
    }

    /// Some offsets, so many records at most; those that are there no more, or never held a record, are passed over.
    fn read(&mut self, offsets: Range<i64>, most: usize) -> Result<Vec<RawRecord>, BrokerError> {
        self.begin_at(offsets.start)?;
        let (mut records, mut overtaken, mut heard) = (Vec::new(), Overtaken::default(), Instant::now());
        let mut next = offsets.start;
        while next < offsets.end && records.len() < most {
            if heard.elapsed() > PATIENCE {
                return Err(self.silent());
            }
            match self.arrivals.next(&self.consumer, Duration::from_millis(100), || false) {
                Some(Ok(message)) => {
                    next = message.offset() + 1;
                    heard = Instant::now();
                    if message.offset() < offsets.end {
                        records.push(raw(&message));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                // The client stops there until it is told where to go on.
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    let left = overtaken.by(&self.consumer, &self.topic, self.partition, next);
                    match left {
                        Some(left) => next = self.go_on(left)?,
                        None => self.begin_at(next)?,
                    }
                }
                Some(Err(e)) => match BrokerError::kafka(self.what(), e) {
                    e if e.is_retryable() => tracing::debug!("{e}"),
                    e => return Err(e),
                },
                None if overtaken.is_due(heard) => {
                    if let Some(left) = overtaken.by(&self.consumer, &self.topic, self.partition, next) {
                        next = self.go_on(left)?;
                    }
                }
                None => {}
            }
        }
        Ok(records)
    }

    /// Goes on at an offset: what lies before it and was not read is gone.
    fn go_on(&mut self, next: i64) -> Result<i64, BrokerError> {
        self.low = next;
        self.begin_at(next)?;
        Ok(next)
    }

    fn silent(&self) -> BrokerError {
        let message = format!("{}/{} gave nothing for {} s", self.topic, self.partition, PATIENCE.as_secs());
        BrokerError::Unreachable { brokers: self.brokers.clone(), message }
    }

    fn begin_at(&self, offset: i64) -> Result<(), BrokerError> {
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, self.partition, Offset::Offset(offset));
        added.and_then(|()| self.consumer.assign(&list)).map_err(|e| BrokerError::kafka(self.what(), e))
    }

    fn what(&self) -> String {
        format!("reading {}/{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;

    use super::*;
    use crate::acknowledge::Deliveries;
    use crate::publisher::{Outgoing, Publisher};

    const TOPIC: &str = "t.load";
    const WAIT: Duration = Duration::from_secs(30);

    /// A broker with so many records of 1 KiB on one partition.
    fn broker(records: usize) -> (MockCluster<'static, DefaultProducerContext>, KafkaSettings, Publisher) {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let compression = crate::settings::Compression::None;
        let settings = KafkaSettings {
            brokers: cluster.bootstrap_servers(),
            embedded: true,
            compression,
            ..KafkaSettings::default()
        };
        let publisher = Publisher::new(&settings, Arc::new(Deliveries::default())).unwrap();
        publish(&publisher, records);
        (cluster, settings, publisher)
    }

    fn publish(publisher: &Publisher, records: usize) {
        for number in 0..records {
            let payload = format!("{number:01024}");
            let payload = Some(payload.as_bytes());
            publisher.send(&Outgoing { topic: TOPIC, key: None, payload, ..Outgoing::default() }).unwrap();
        }
        publisher.flush(WAIT).unwrap();
    }

    /// Offsets of all stretches, from the front to the back.
    fn offsets(reader: &mut PartitionReader) -> Vec<i64> {
        let mut all = Vec::new();
        while let Some(stretch) = reader.back().unwrap() {
            all.splice(0..0, stretch.iter().map(|record| record.offset));
        }
        all
    }

    #[test]
    fn a_slow_broker_is_asked_for_records_and_not_for_its_ends_over_and_over() {
        let (cluster, settings, publisher) = broker(2_000);
        drop(publisher);
        // Slower than a look at the ends is often: with one before each record this would take 20 minutes.
        cluster.broker_round_trip_time(1, Duration::from_millis(600)).unwrap();
        let mut reader = PartitionReader::open(&settings, TOPIC, 0, None).unwrap();
        assert_eq!(reader.oldest().unwrap().map(|record| record.offset), Some(0));
        assert_eq!(reader.at(1_234).unwrap().map(|record| record.offset), Some(1_234));
        assert_eq!(reader.at(2_000).unwrap(), None);
        assert_eq!(offsets(&mut reader), (0..2_000).collect::<Vec<_>>());
    }

    #[test]
    fn what_the_broker_deleted_meanwhile_is_passed_over() {
        let (_cluster, settings, publisher) = broker(4_000);
        let mut reader = PartitionReader::open(&settings, TOPIC, 0, None).unwrap();
        assert_eq!(reader.low(), 0);
        // The broker keeps 5 MiB: the oldest records of the stretch are gone before it is read.
        publish(&publisher, 3_000);
        let oldest = reader.oldest().unwrap().map(|record| record.offset);
        assert_eq!(oldest, Some(reader.low()));
        let read = offsets(&mut reader);
        assert!(reader.low() > 0 && read.len() < 4_000, "{} from {}", read.len(), reader.low());
        assert_eq!(read, (reader.low()..4_000).collect::<Vec<_>>());
    }
}
