//! Readers that keep their own position and commit nothing: watching, recording, saved state, an edge's own quotas.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use tidegate_schemas::trace::TraceContext;

use crate::arrivals::Arrivals;
use crate::error::BrokerError;
use crate::headers::readable;
use crate::logging::QuietContext;
use crate::overtaken::Overtaken;
use crate::settings::{ASK, KafkaSettings, create};

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At the oldest record.
    Beginning,
    /// At the newest so many of each partition; at least 0, and at the oldest where there are fewer.
    Last(i64),
    /// After the newest.
    End,
}

/// A record as it stands on a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRecord {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp in ms since the epoch.
    pub timestamp: Option<i64>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order; those whose names are not UTF-8 are left out.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl RawRecord {
    /// Its place in a trace.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::in_headers(&self.headers)
    }
}

/// A reader of one topic.
pub struct Tail {
    consumer: BaseConsumer<QuietContext>,
    arrivals: Arrivals,
    brokers: String,
    topic: String,
    /// Partitions that have not been read to their end yet, with the end that they had at the start.
    behind: BTreeMap<i32, i64>,
    /// Next offset of each of them.
    position: BTreeMap<i32, i64>,
    /// When the last record came.
    heard: Instant,
    overtaken: Overtaken,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("topic", &self.topic).field("behind", &self.behind).finish_non_exhaustive()
    }
}

impl Tail {
    /// Reads all partitions of a topic.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`], [`BrokerError::MissingTopic`].
    pub fn topic(settings: &KafkaSettings, topic: &str, from: From) -> Result<Self, BrokerError> {
        let count = settings.partition_count(topic, ASK)?;
        Self::partitions(settings, topic, &(0..count).collect::<Vec<_>>(), from)
    }

    /// Reads some partitions of a topic. Both ends are looked up now: what is produced from now on is read however late
    /// the first fetch is, and an empty partition is at its end already.
    ///
    /// # Errors
    /// As [`Tail::topic`].
    pub fn partitions(
        settings: &KafkaSettings,
        topic: &str,
        partitions: &[i32],
        from: From,
    ) -> Result<Self, BrokerError> {
        let stretch = |low: i64, high: i64| match from {
            From::Beginning => (low, high),
            From::Last(count) => (high.saturating_sub(count.max(0)).max(low), high),
            From::End => (high, high),
        };
        let partitions: Vec<_> = partitions.iter().map(|partition| (*partition, stretch)).collect();
        Self::of(settings, topic, &partitions)
    }

    /// Reads a stretch of each partition as far as it is there.
    ///
    /// # Errors
    /// As [`Tail::topic`].
    pub(crate) fn stretches(
        settings: &KafkaSettings,
        topic: &str,
        stretches: &[(i32, Range<i64>)],
    ) -> Result<Self, BrokerError> {
        let stretch = |(partition, offsets): &(i32, Range<i64>)| {
            let Range { start, end } = *offsets;
            // What is not there is not asked for: the broker would give its oldest record instead.
            let part = move |low: i64, high: i64| {
                let part = (start.max(low), end.min(high));
                if part.0 < part.1 { part } else { (high, high) }
            };
            (*partition, part)
        };
        Self::of(settings, topic, &stretches.iter().map(stretch).collect::<Vec<_>>())
    }

    /// Reads of each partition what its function makes of the ends.
    fn of(
        settings: &KafkaSettings,
        topic: &str,
        partitions: &[(i32, impl Fn(i64, i64) -> (i64, i64))],
    ) -> Result<Self, BrokerError> {
        let mut config = settings.consumer(None);
        config.set("enable.partition.eof", "true");
        let mut consumer: BaseConsumer<QuietContext> = create(&config, QuietContext::default())?;
        let arrivals = Arrivals::of(&mut consumer);
        let mut list = TopicPartitionList::new();
        let (mut behind, mut position) = (BTreeMap::new(), BTreeMap::new());
        for (partition, stretch) in partitions {
            let partition = *partition;
            let (low, high) = watermarks(&consumer, settings, topic, partition)?;
            let (start, high) = stretch(low, high);
            if start < high {
                behind.insert(partition, high);
                position.insert(partition, start);
            }
            let what = || format!("reading {topic}/{partition}");
            let offset = Offset::Offset(start);
            list.add_partition_offset(topic, partition, offset).map_err(|e| BrokerError::kafka(what(), e))?;
        }
        consumer.assign(&list).map_err(|e| BrokerError::kafka(format!("reading {topic}"), e))?;
        let (heard, overtaken) = (Instant::now(), Overtaken::default());
        let (brokers, topic) = (settings.brokers.clone(), topic.into());
        Ok(Self { consumer, arrivals, brokers, topic, behind, position, heard, overtaken })
    }

    /// The next record, or `None` where there is none within `wait`.
    ///
    /// # Errors
    /// What waiting does not mend; outages are waited out.
    pub fn next(&mut self, wait: Duration) -> Result<Option<RawRecord>, BrokerError> {
        self.take(wait, raw)
    }

    /// As [`Tail::next`], for a reader that wants only a part of the record.
    pub(crate) fn take<T>(
        &mut self,
        wait: Duration,
        of: impl FnOnce(&BorrowedMessage<'_>) -> T,
    ) -> Result<Option<T>, BrokerError> {
        match self.arrivals.next(&self.consumer, wait, || false) {
            None => Ok(None),
            Some(Ok(message)) => {
                self.heard = Instant::now();
                if let Some(next) = self.position.get_mut(&message.partition()) {
                    *next = message.offset() + 1;
                }
                // The client tells of an end only once it has asked for more.
                if self.behind.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
                    self.behind.remove(&message.partition());
                }
                Ok(Some(of(&message)))
            }
            // What is missing at the end was compacted away, or is no record.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.behind.remove(&partition);
                Ok(None)
            }
            Some(Err(e)) => match BrokerError::kafka(format!("reading {}", self.topic), e) {
                e if e.is_retryable() => {
                    tracing::debug!("{e}");
                    Ok(None)
                }
                e => Err(e),
            },
        }
    }

    /// Offsets that lie between here and the ends that the partitions had at the start.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let of =
            |(partition, end): (&i32, &i64)| end.saturating_sub(self.position.get(partition).copied().unwrap_or(*end));
        self.behind.iter().map(of).map(|offsets| u64::try_from(offsets).unwrap_or_default()).sum()
    }

    /// The next offset of a partition; `None` where there was nothing to read of it.
    pub(crate) fn position(&self, partition: i32) -> Option<i64> {
        self.position.get(&partition).copied()
    }

    /// Whether every partition was read to the end that it had at the start.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.behind.is_empty()
    }

    /// The next record, or `None` once every partition was read to the end that it had at the start.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where nothing comes within `patience`; otherwise as [`Tail::next`].
    pub fn next_before_end(&mut self, patience: Duration) -> Result<Option<RawRecord>, BrokerError> {
        let started = Instant::now();
        while !self.caught_up() {
            if let Some(record) = self.next(Duration::from_millis(100))? {
                return Ok(Some(record));
            }
            self.pass_over_what_is_gone()?;
            if started.elapsed() > patience {
                let message = format!("{} gave nothing for {} s", self.topic, patience.as_secs());
                return Err(BrokerError::Unreachable { brokers: self.brokers.clone(), message });
            }
        }
        Ok(None)
    }

    /// Goes on behind what the broker deleted before it was read.
    pub(crate) fn pass_over_what_is_gone(&mut self) -> Result<(), BrokerError> {
        if !self.overtaken.is_due(self.heard) {
            return Ok(());
        }
        for (partition, end) in self.behind.clone() {
            let at = self.position.get(&partition).copied().unwrap_or(end);
            let Some(next) = self.overtaken.by(&self.consumer, &self.topic, partition, at) else { continue };
            if next >= end {
                self.behind.remove(&partition);
                continue;
            }
            let what = || format!("reading {}/{partition}", self.topic);
            self.consumer
                .seek(&self.topic, partition, Offset::Offset(next), ASK)
                .map_err(|e| BrokerError::kafka(what(), e))?;
            self.position.insert(partition, next);
        }
        Ok(())
    }
}

/// The ends that readers of partitions get to by now.
pub(crate) fn ends(settings: &KafkaSettings, topic: &str, partitions: &[i32]) -> Result<Vec<(i32, i64)>, BrokerError> {
    let consumer: BaseConsumer<QuietContext> = create(&settings.consumer(None), QuietContext::default())?;
    let end = |partition: &i32| Ok((*partition, watermarks(&consumer, settings, topic, *partition)?.1));
    partitions.iter().map(end).collect()
}

/// Both ends of a partition. A partition that was created a moment ago may not be served yet: it is asked again.
pub(crate) fn watermarks(
    consumer: &BaseConsumer<QuietContext>,
    settings: &KafkaSettings,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), BrokerError> {
    let what = || format!("asking for the ends of {topic}/{partition}");
    settings.patiently(what, || consumer.fetch_watermarks(topic, partition, ASK))
}

pub(crate) fn raw(message: &BorrowedMessage<'_>) -> RawRecord {
    RawRecord {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: readable(message),
    }
}
