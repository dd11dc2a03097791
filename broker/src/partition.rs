//! Reading stretches of one partition, from its end backwards: what was published last is found without reading all.
//!
//! ```text
//! low ......... from ─────────► to ......... high        read(from..to), in the order of the partition
//!        next:  from' ──► from                           back(): ever larger stretches, each read once
//! ```

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::BrokerError;
use crate::logging::QuietContext;
use crate::settings::{KafkaSettings, create};
use crate::tail::{Overtaken, RawRecord, raw, watermarks};

/// Records of the first stretch backwards; each further one is twice as long.
const FIRST: i64 = 5_000;
/// How long a stretch may give nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reader of one partition that commits nothing.
pub struct PartitionReader {
    consumer: BaseConsumer<QuietContext>,
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
        config.set("enable.partition.eof", "true");
        let consumer: BaseConsumer<QuietContext> = create(&config, QuietContext::default())?;
        let (low, high) = watermarks(&consumer, settings, topic, partition)?;
        let from = last.map_or(high, |last| last.saturating_add(1).clamp(low, high));
        Ok(Self { consumer, topic: topic.to_owned(), partition, low, from, step: FIRST })
    }

    /// The oldest offset that the partition still holds.
    #[must_use]
    pub fn low(&self) -> i64 {
        self.low
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
        let records = self.read(begin..self.from)?;
        self.from = begin;
        self.step = self.step.saturating_mul(2);
        Ok(Some(records))
    }

    /// Some offsets; those that are there no more, or never held a record, are passed over.
    fn read(&mut self, offsets: Range<i64>) -> Result<Vec<RawRecord>, BrokerError> {
        self.begin_at(offsets.start)?;
        let (mut records, mut overtaken, mut heard) = (Vec::new(), Overtaken::default(), Instant::now());
        let mut next = offsets.start;
        while next < offsets.end {
            if overtaken.is_due()
                && let Some(left) = overtaken.by(&self.consumer, &self.topic, self.partition, next)
            {
                (self.low, next) = (left, left);
                self.begin_at(left)?;
                continue;
            }
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    next = message.offset() + 1;
                    heard = Instant::now();
                    if message.offset() < offsets.end {
                        records.push(raw(&message));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(e)) => match BrokerError::kafka(self.what(), e) {
                    e if e.is_retryable() => tracing::debug!("{e}"),
                    e => return Err(e),
                },
                None if heard.elapsed() > PATIENCE => {
                    let message = format!("{} gave nothing for {} s", self.topic, PATIENCE.as_secs());
                    return Err(BrokerError::Unreachable { brokers: self.topic.clone(), message });
                }
                None => {}
            }
        }
        Ok(records)
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
