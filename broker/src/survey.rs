//! A cluster looked at from outside: who its brokers are, what topics it has, how far groups are. Nothing is joined or changed.
//!
//! ```text
//! metadata ─> Cluster: brokers, topics (partitions, replicas, leaders)
//! group ─> members, committed offsets ─┬─> GroupLook: what waits for it
//! topic ─> ends of partitions ─────────┘        └─ the first record that waits, by `PartitionReader`
//! ```

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::BrokerError;
use crate::logging::QuietContext;
use crate::partition::PartitionReader;
use crate::settings::{ASK, KafkaSettings, create};
use crate::tail::{RawRecord, watermarks};

/// What stands behind most failures of administration.
pub(crate) const NO_ADMINISTRATION: &str = "the demo's embedded broker has no administration: it takes a real Kafka";
/// Of so many partitions at most the first waiting record is read: those with the most to do.
const READ: usize = 8;

/// A topic as the brokers have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of its first partition.
    pub replication_factor: i32,
    /// Partitions without a leader: nobody can read or write them.
    pub leaderless: Vec<i32>,
    /// Partitions some of whose replicas are behind or away.
    pub out_of_sync: usize,
    /// Its `cleanup.policy`, where the brokers told.
    pub cleanup: Option<String>,
}

impl Found {
    /// The partitions that can be read.
    #[must_use]
    pub fn led(&self) -> Vec<i32> {
        (0..self.partitions).filter(|partition| !self.leaderless.contains(partition)).collect()
    }
}

/// Brokers and topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `HOST:PORT` of every broker, as it is announced to clients.
    pub brokers: Vec<String>,
    /// Every topic by name; without cleanup policies.
    pub topics: BTreeMap<String, Found>,
}

impl Cluster {
    /// Asks the brokers.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`], [`BrokerError::Refused`].
    pub fn ask(settings: &KafkaSettings) -> Result<Self, BrokerError> {
        let metadata = settings.metadata(ASK)?;
        let brokers = metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port()));
        let topics = metadata.topics().iter().map(|topic| (topic.name().to_owned(), found(topic)));
        Ok(Self { brokers: brokers.collect(), topics: topics.collect() })
    }
}

fn found(topic: &MetadataTopic) -> Found {
    let partitions = topic.partitions();
    Found {
        partitions: partitions.len() as i32,
        replication_factor: partitions.first().map_or(0, |p| p.replicas().len() as i32),
        leaderless: partitions.iter().filter(|p| p.leader() < 0).map(MetadataPartition::id).collect(),
        out_of_sync: partitions.iter().filter(|p| p.isr().len() < p.replicas().len()).count(),
        cleanup: None,
    }
}

/// Fills in the `cleanup.policy` of topics that there are.
///
/// # Errors
/// Where the brokers refuse, or have no administration, as the embedded one.
pub async fn read_policies(settings: &KafkaSettings, topics: &mut BTreeMap<String, Found>) -> Result<(), BrokerError> {
    if topics.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<QuietContext> = create(&settings.client(), QuietContext::default())?;
    let resources: Vec<_> = topics.keys().map(|name| ResourceSpecifier::Topic(name)).collect();
    let options = AdminOptions::new().request_timeout(Some(ASK));
    let described = admin.describe_configs(&resources, &options).await;
    let described =
        described.map_err(|e| BrokerError::kafka(format!("reading topic settings ({NO_ADMINISTRATION})"), e))?;
    for ((name, topic), config) in topics.iter_mut().zip(described) {
        let config = config.map_err(|code| BrokerError::Refused {
            what: format!("reading the settings of {name}"),
            message: code.to_string(),
        })?;
        topic.cleanup = config.get("cleanup.policy").and_then(|entry| entry.value.clone());
    }
    Ok(())
}

/// How many offsets these partitions of a topic hold: as many records at most.
///
/// # Errors
/// Where the brokers do not tell.
pub fn offsets_held(settings: &KafkaSettings, topic: &str, partitions: &[i32]) -> Result<u64, BrokerError> {
    let consumer: BaseConsumer<QuietContext> = create(&settings.consumer(None), QuietContext::default())?;
    let mut held = 0;
    for partition in partitions {
        let (low, high) = watermarks(&consumer, settings, topic, *partition)?;
        held += u64::try_from(high - low).unwrap_or_default();
    }
    Ok(held)
}

/// What waits for a group on a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupLook {
    /// Its members; `None`: the brokers do not tell, as the embedded one.
    pub members: Option<usize>,
    /// Whether it ever committed an offset.
    pub has_committed: bool,
    /// Offsets between what it committed and the ends.
    pub lag: u64,
    /// The first record that waits: the oldest by its Kafka timestamp, of the eight partitions with the largest lag. Offsets without a
    /// record, as transactions leave them, are no lag where nothing else waits.
    pub first: Option<RawRecord>,
}

impl GroupLook {
    /// Looks at the group of a role, at these partitions of its topic: each must have a leader.
    ///
    /// # Errors
    /// Where the brokers do not tell.
    pub fn at(settings: &KafkaSettings, role: &str, topic: &str, partitions: &[i32]) -> Result<Self, BrokerError> {
        let group = settings.group(role);
        let consumer: BaseConsumer<QuietContext> = create(&settings.consumer(Some(&group)), QuietContext::default())?;
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(topic, *partition);
        }
        let what = || format!("asking for the offsets of {group}");
        let committed = settings.patiently(what, || consumer.committed_offsets(asked.clone(), ASK))?;
        let mut look = Self { members: members(&consumer, &group), ..Self::default() };
        let mut waiting = Vec::new();
        for element in committed.elements() {
            let (low, high) = watermarks(&consumer, settings, topic, element.partition())?;
            let next = match element.offset() {
                Offset::Offset(next) => {
                    look.has_committed = true;
                    next.max(low)
                }
                _ => low,
            };
            if next < high {
                waiting.push((high - next, element.partition(), next));
            }
        }
        look.lag = waiting.iter().map(|(lag, ..)| lag.unsigned_abs()).sum();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        for (_, partition, next) in waiting.into_iter().take(READ) {
            let record = PartitionReader::open(settings, topic, partition, None)?.first_from(next)?;
            let earliest = look.first.iter().chain(&record).min_by_key(|record| record.timestamp).cloned();
            look.first = earliest;
        }
        if look.first.is_none() {
            look.lag = 0;
        }
        Ok(look)
    }
}

fn members(consumer: &BaseConsumer<QuietContext>, group: &str) -> Option<usize> {
    let groups = consumer.fetch_group_list(Some(group), ASK).ok()?;
    Some(groups.groups().iter().find(|found| found.name() == group).map_or(0, |found| found.members().len()))
}
