//! Consumer groups as the broker knows them.

use std::time::Duration;

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::config;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its client's id.
    pub client_id: String,
    /// How many partitions it has.
    pub partitions: usize,
}

/// The members of a consumer group.
///
/// # Errors
/// Where the broker does not tell.
pub fn members(bootstrap: &str, group: &str) -> anyhow::Result<Vec<Member>> {
    let client: BaseProducer = config(bootstrap).create()?;
    let groups = client.client().fetch_group_list(Some(group), TIMEOUT)?;
    let found = groups.groups().iter().find(|g| g.name() == group).context("there is no such group")?;
    let member = |member: &rdkafka::groups::GroupMemberInfo| {
        let assignment = member.assignment().unwrap_or_default();
        let partitions = assigned_partitions(assignment).context("an assignment that ends early")?;
        Ok(Member { client_id: member.client_id().to_owned(), partitions })
    };
    found.members().iter().map(member).collect()
}

/// Partitions of each member of a consumer group, by the members' ids.
///
/// # Errors
/// Where the broker does not tell.
pub fn shares(bootstrap: &str, group: &str) -> anyhow::Result<Vec<usize>> {
    Ok(members(bootstrap, group)?.iter().map(|member| member.partitions).collect())
}

/// Counts the partitions of an assignment of the consumer protocol: version i16, then topics, each with a name and an
/// array of i32 (Apache Kafka, `ConsumerProtocolAssignment`).
fn assigned_partitions(mut bytes: &[u8]) -> Option<usize> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
        let (head, tail) = bytes.split_at_checked(count)?;
        *bytes = tail;
        Some(head)
    }
    if bytes.is_empty() {
        return Some(0);
    }
    take(&mut bytes, 2)?;
    let topics = u32::from_be_bytes(take(&mut bytes, 4)?.try_into().ok()?);
    let mut count = 0;
    for _ in 0..topics {
        let name = u16::from_be_bytes(take(&mut bytes, 2)?.try_into().ok()?);
        take(&mut bytes, usize::from(name))?;
        let partitions = usize::try_from(u32::from_be_bytes(take(&mut bytes, 4)?.try_into().ok()?)).ok()?;
        take(&mut bytes, partitions * 4)?;
        count += partitions;
    }
    Some(count)
}

/// How far a group is with one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Partition.
    pub partition: i32,
    /// Offset after its last record.
    pub end: i64,
    /// Offset that the group committed.
    pub committed: Option<i64>,
    /// What the group wrote beside it.
    pub metadata: String,
}

/// How far a group is with a topic, asked again and again over one connection.
pub struct Progress {
    consumer: BaseConsumer,
    topic: String,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Progress {
    /// Of `group` with `topic`. It never joins the group.
    ///
    /// # Errors
    /// Where no client could be made.
    pub fn of(bootstrap: &str, group: &str, topic: &str) -> anyhow::Result<Self> {
        let mut config = config(bootstrap);
        config.set("group.id", group).set("enable.auto.commit", "false");
        Ok(Self { consumer: config.create()?, topic: topic.into() })
    }

    /// The position of every partition.
    ///
    /// # Errors
    /// Where the broker does not tell.
    pub fn positions(&self) -> anyhow::Result<Vec<Position>> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), TIMEOUT)?;
        let mut asked = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
            asked.add_partition(&self.topic, partition.id());
        }
        let committed = self.consumer.committed_offsets(asked, TIMEOUT)?;
        let position = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            element.error()?;
            let (_, end) = self.consumer.fetch_watermarks(&self.topic, element.partition(), TIMEOUT)?;
            let committed = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            Ok(Position { partition: element.partition(), end, committed, metadata: element.metadata().to_owned() })
        };
        committed.elements().iter().map(position).collect()
    }
}
