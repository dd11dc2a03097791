//! Membership of a consumer group: assignments, revocations and commits.
//!
//! ```text
//! rebalance callback (on the poll thread)
//!   assign ─> read committed offset and its metadata ─> start at the committed offset ─> event Assigned
//!   revoke ─> flush outputs, commit what is acknowledged ─> event Revoked
//! ```
//!
//! The committed offset's metadata says from where state must be rebuilt (`past.rs`), so that a restore needs no lookup by
//! time and works on every broker.

mod pausing;
mod resume;
mod shared_ledger;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::{self, Statistics};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;

use crate::client_metrics::ClientWatch;
use crate::error::BrokerError;
use crate::logging::QuietLog;
use crate::past::Past;
use crate::publisher::Publisher;
use crate::stable::{Ends, HangingTransactions};
use crate::stop::Stop;
use crate::transaction::Transactions;
use pausing::Pausing;
pub(crate) use resume::{GroupEvent, Resume};
pub(crate) use shared_ledger::SharedLedger;

/// How long a rebalance or a stop waits for outputs in flight.
pub(crate) const DRAIN: Duration = Duration::from_secs(6);
const ASK: Duration = Duration::from_secs(10);

/// Context of a group member's consumer.
#[derive(Debug)]
pub(crate) struct GroupContext {
    pub(crate) topic: String,
    pub(crate) ledger: Arc<SharedLedger>,
    pub(crate) publisher: Arc<Publisher>,
    /// Exactly-once: the transactions that carry outputs and offsets.
    pub(crate) transactions: Option<Transactions>,
    pub(crate) stop: Stop,
    /// The member is about to be made anew.
    pub(crate) leaving: AtomicBool,
    /// Whether the state depends on the past: then a position without a rewind offset is rebuilt from the beginning.
    pub(crate) depends_on_past: bool,
    pub(crate) pausing: Pausing,
    pub(crate) events: Mutex<VecDeque<GroupEvent>>,
    /// Lag by partition as of the last statistics.
    pub(crate) lag: Mutex<Vec<(i32, i64)>>,
    /// How far the input is readable as of the last statistics.
    pub(crate) ends: Mutex<Vec<Ends>>,
    pub(crate) hanging: Mutex<HangingTransactions>,
    pub(crate) watch: ClientWatch,
    pub(crate) log: QuietLog,
}

impl GroupContext {
    pub(crate) fn next_event(&self) -> Option<GroupEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn push(&self, event: GroupEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        let resumes = self.resumes(consumer, partitions);
        for resume in &resumes {
            if let Err(e) = partitions.set_partition_offset(&self.topic, resume.partition, resume.start()) {
                tracing::error!("{}/{}: {e}", self.topic, resume.partition);
            }
        }
        let done = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
            _ => consumer.assign(partitions),
        };
        if let Err(e) = done {
            tracing::error!("taking partitions of {}: {e}", self.topic);
        }
        self.push(GroupEvent::Assigned(resumes));
    }

    /// Committed offsets with their metadata; asks until there is an answer.
    pub(crate) fn resumes(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) -> Vec<Resume> {
        loop {
            match self.committed(consumer, partitions, ASK) {
                Ok(resumes) => return resumes,
                Err(e) if self.stop.is_set() => {
                    tracing::warn!("stopping without the committed offsets of {}: {e}", self.topic);
                    return Vec::new();
                }
                Err(e) => {
                    self.log.error(&e, "reading committed offsets, trying again");
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
        }
    }

    /// Committed offsets with their metadata, asked for once.
    pub(crate) fn committed(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
        patience: Duration,
    ) -> Result<Vec<Resume>, KafkaError> {
        let resume_of = |e: &TopicPartitionListElem<'_>| e.error().map(|()| self.resume_of(e));
        consumer.committed_offsets(partitions.clone(), patience)?.elements().iter().map(resume_of).collect()
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let numbers: Vec<i32> = partitions.elements().iter().map(|e| e.partition()).collect();
        // A stopping driver has waited already, and nobody waits for a coordinator that is away.
        let stopping = self.stop.is_set() || self.leaving.load(Ordering::Relaxed);
        let (patience, mode) = if stopping { (DRAIN / 6, CommitMode::Async) } else { (DRAIN, CommitMode::Sync) };
        match &self.transactions {
            Some(transactions) if consumer.assignment_lost() => transactions.lost(self),
            // It holds outputs of all partitions, so it ends as a whole.
            Some(transactions) => drop(transactions.end(self, consumer, patience)),
            // They are somebody else's by now: so are their offsets.
            None if consumer.assignment_lost() => {}
            None => {
                if let Err(e) = self.publisher.flush(patience) {
                    tracing::warn!("giving partitions of {} up with outputs in flight: {e}", self.topic);
                }
                if let Err(e) = self.commit_again(consumer, Some(&numbers), mode) {
                    tracing::warn!("{e}");
                }
            }
        }
        for partition in &numbers {
            self.ledger.lock().revoke(*partition);
        }
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).retain(|(partition, _)| !numbers.contains(partition));
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).retain(|end| !numbers.contains(&end.partition));
        self.pausing.resume(consumer, &self.topic, |partition| numbers.contains(&partition));
        let done = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
            _ => consumer.unassign(),
        };
        if let Err(e) = done {
            tracing::error!("giving partitions of {} up: {e}", self.topic);
        }
        self.push(GroupEvent::Revoked(numbers));
    }

    /// Says when a transaction on the input does not end: what is behind it waits.
    fn note_ends(&self, ends: Vec<Ends>) {
        let hanging = self.hanging.lock().unwrap_or_else(PoisonError::into_inner).see(&ends, Instant::now());
        for (end, standing) in hanging {
            tracing::warn!(
                "{}/{}: offsets from {} wait behind a transaction that has not ended for {} s",
                self.topic,
                end.partition,
                end.stable,
                standing.as_secs()
            );
        }
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }

    fn resume_of(&self, element: &TopicPartitionListElem<'_>) -> Resume {
        let resume = match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        let told = Past::parse(element.metadata());
        let past = told.or(self.depends_on_past.then(|| Past::from(0)));
        Resume { partition: element.partition(), resume, past }
    }

    /// Commits what is acknowledged of `only` (`None`: of all partitions). Gives what was committed.
    pub(crate) fn commit(
        &self,
        consumer: &BaseConsumer<Self>,
        only: Option<&[i32]>,
        mode: CommitMode,
    ) -> Result<Vec<(i32, i64)>, BrokerError> {
        let (list, done) = self.acknowledged(only)?;
        if !done.is_empty() {
            let what = || format!("committing offsets of {}", self.topic);
            consumer.commit(&list, mode).map_err(|e| BrokerError::kafka(what(), e))?;
        }
        Ok(done)
    }

    /// As [`Self::commit`], and repeats the last one. Nobody tells of a commit that failed later, in a rebalance say: the
    /// client library shows it only in its statistics, where the offset on the broker lags behind ours.
    fn commit_again(
        &self,
        consumer: &BaseConsumer<Self>,
        only: Option<&[i32]>,
        mode: CommitMode,
    ) -> Result<Vec<(i32, i64)>, BrokerError> {
        let mut ledger = self.ledger.lock();
        let partitions = ledger.partitions();
        partitions.into_iter().for_each(|partition| ledger.on_broker(partition, i64::MIN));
        drop(ledger);
        self.commit(consumer, only, mode)
    }

    /// The last commit before the group is left, and whether the broker has it; a coordinator that is away is not waited for.
    pub(crate) fn commit_at_last(&self, consumer: &BaseConsumer<Self>) -> Result<Vec<(i32, i64)>, BrokerError> {
        let done = self.commit_again(consumer, None, CommitMode::Async)?;
        if done.is_empty() {
            return Ok(done);
        }
        let asked = partitions_of(&self.topic, done.iter().map(|(partition, _)| *partition));
        let what = || format!("leaving before the offsets of {} are known to be committed", self.topic);
        let on_broker = consumer.committed_offsets(asked, DRAIN / 3).map_err(|e| BrokerError::kafka(what(), e))?;
        let has = |(partition, offset): &(i32, i64)| {
            let found = on_broker.find_partition(&self.topic, *partition).map(|element| element.offset());
            found == Some(Offset::Offset(*offset))
        };
        Ok(done.into_iter().filter(has).collect())
    }

    /// What is acknowledged of `only` (`None`: of all partitions) and was not committed yet, with where its state is rebuilt
    /// from. It counts as committed from now on.
    pub(crate) fn acknowledged(
        &self,
        only: Option<&[i32]>,
    ) -> Result<(TopicPartitionList, Vec<(i32, i64)>), BrokerError> {
        let mut list = TopicPartitionList::new();
        let mut done = Vec::new();
        let mut ledger = self.ledger.lock();
        for partition in ledger.partitions() {
            if only.is_some_and(|only| !only.contains(&partition)) {
                continue;
            }
            let Some(next) = ledger.committable(partition) else { continue };
            let mut element = list.add_partition(&self.topic, partition);
            let what = || format!("committing {}/{partition} at {}", self.topic, next.offset);
            element.set_offset(Offset::Offset(next.offset)).map_err(|e| BrokerError::kafka(what(), e))?;
            if let Some(past) = next.past {
                element.set_metadata(past.to_string().as_str());
            }
            done.push((partition, next.offset));
        }
        Ok((list, done))
    }
}

/// Some partitions of a topic.
pub(crate) fn partitions_of(topic: &str, partitions: impl IntoIterator<Item = i32>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, partition);
    }
    list
}

/// Records that wait on a partition. The client counts from the committed offset; where there is none yet, from what it has
/// fetched.
fn lag(partition: &statistics::Partition) -> Option<i64> {
    let fetched = (partition.next_offset >= 0 && partition.ls_offset >= 0)
        .then(|| partition.ls_offset.saturating_sub(partition.next_offset).max(0));
    Some(partition.consumer_lag).filter(|lag| *lag >= 0).or(fetched)
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.watch.note(&statistics);
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut ledger = self.ledger.lock();
        topic.partitions.values().for_each(|p| ledger.on_broker(p.partition, p.committed_offset));
        drop(ledger);
        // Only of partitions that we read; a lag is unknown (-1) until the first fetch.
        let ours = topic.partitions.values().filter(|p| p.fetch_state == "active");
        let lags = ours.filter_map(|p| Some((p.partition, lag(p)?))).collect();
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = lags;
        let known = topic.partitions.values().filter(|p| p.fetch_state == "active" && p.ls_offset >= 0);
        let ends = known.map(|p| Ends { partition: p.partition, stable: p.ls_offset, high: p.hi_offset }).collect();
        self.note_ends(ends);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, partitions),
            other => {
                let code: RDKafkaErrorCode = other.into();
                tracing::error!("rebalance of {}: {code}", self.topic);
            }
        }
    }
}
