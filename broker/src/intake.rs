//! The input side of the driver: one poll thread's consumer, decoding, and setting bad input aside.
//!
//! ```text
//! poll ─> decode ─> check ─┬─> Item::Record
//!           │              └─> Item::Dead        (never fatal, never lost)
//!           └─ registry away: the input waits
//! ```
//!
//! A batch never spans a change of the assignment: it ends when the rebalance callback has spoken, and what was polled
//! after that opens the next batch.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use tidegate_schemas::codec::{Decoder, SchemaIds};
use tidegate_schemas::records::Record;
use tidegate_schemas::trace::{TRACEPARENT, TRACESTATE, TraceContext};

use crate::arrivals::Arrivals;
use crate::dead_letters::DeadLetter;
use crate::error::BrokerError;
use crate::group::{GroupContext, GroupEvent, Resume, partitions_of};
use crate::headers;
use crate::settings::{ASK, KafkaSettings, create};
use crate::stage::{Received, Rejection, Source};
use crate::wall_clock::WallClock;

/// One input record.
#[derive(Debug)]
pub(crate) enum Item<T> {
    Record(Received<T>),
    Dead(DeadLetter),
}

impl<T> Item<T> {
    pub(crate) fn source(&self) -> &Source {
        match self {
            Self::Record(received) => &received.source,
            Self::Dead(letter) => &letter.source,
        }
    }
}

/// Checks a decoded record against its key and Kafka timestamp.
pub(crate) type Check<'a, T> = &'a dyn Fn(&T, Option<&[u8]>, Option<i64>) -> Result<(), Rejection>;

/// A way to commit; gives what was committed.
pub(crate) type Commit<T> = fn(&Intake<T>) -> Result<Vec<(i32, i64)>, BrokerError>;

/// The consumer of one group member.
pub(crate) struct Intake<T> {
    consumer: BaseConsumer<GroupContext>,
    arrivals: Arrivals,
    clock: WallClock,
    topic: Arc<str>,
    decoder: Decoder,
    /// Polled after a change of the assignment: opens the next batch.
    held: Option<Item<T>>,
    /// Partitions of which nothing may be taken yet.
    closed: BTreeSet<i32>,
}

impl<T: Record> Intake<T> {
    pub(crate) fn join(
        settings: &KafkaSettings,
        group: &str,
        context: GroupContext,
        ids: Arc<dyn SchemaIds>,
    ) -> Result<Self, BrokerError> {
        let topic: Arc<str> = context.topic.as_str().into();
        let mut consumer: BaseConsumer<GroupContext> = create(&settings.consumer(Some(group)), context)?;
        consumer.subscribe(&[&topic]).map_err(|e| BrokerError::kafka(format!("subscribing to {topic}"), e))?;
        let arrivals = Arrivals::of(&mut consumer);
        let clock = WallClock::at(Instant::now(), SystemTime::now());
        Ok(Self { consumer, arrivals, clock, topic, decoder: Decoder::new(ids), held: None, closed: BTreeSet::new() })
    }

    pub(crate) fn context(&self) -> &Arc<GroupContext> {
        self.consumer.context()
    }

    pub(crate) fn next_event(&self) -> Option<GroupEvent> {
        self.context().next_event()
    }

    /// Fills `batch` with up to `max` records; waits up to `wait` for the first.
    pub(crate) fn poll(
        &mut self,
        batch: &mut Vec<Item<T>>,
        max: usize,
        wait: Duration,
        check: Check<'_, T>,
    ) -> Result<(), BrokerError> {
        batch.clear();
        batch.extend(self.held.take());
        let mut wait = if batch.is_empty() { wait } else { Duration::ZERO };
        while batch.len() < max {
            let polled = match self.arrivals.next(&self.consumer, wait, || self.context().has_events()) {
                None => break,
                Some(Ok(message)) => match decode(&mut self.decoder, &self.topic, &message, check) {
                    // Nothing after it may be taken either, or a commit would pass over it.
                    None => break,
                    decoded => decoded,
                },
                Some(Err(e)) => {
                    fatal(&self.topic, e)?;
                    break;
                }
            };
            if self.context().has_events() {
                self.held = polled;
                break;
            }
            batch.extend(polled);
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Gives back what was polled and not taken: while this waits, its partition may go to somebody else.
    pub(crate) fn put_back(&mut self) {
        let Some(item) = self.held.take() else { return };
        let source = item.source();
        seek_back(&self.consumer, source.partition, &self.topic, source.offset);
    }

    /// Fails where the wall clock was set back since this was asked last: then the consumer is of no use, and leaves at once.
    pub(crate) fn check_clock(&mut self) -> Result<(), BrokerError> {
        match self.clock.set_back(Instant::now(), SystemTime::now()) {
            None => Ok(()),
            Some(by) => {
                self.context().leaving.store(true, Ordering::Relaxed);
                Err(BrokerError::ClockSetBack(by.as_secs()))
            }
        }
    }

    /// Keeps the membership alive while nothing may be taken: input is paused, events are served.
    pub(crate) fn idle(&self) {
        self.context().stop.moved();
        match self.consumer.assignment() {
            Ok(assigned) => {
                let partitions = assigned.elements().iter().map(|element| element.partition()).collect::<Vec<_>>();
                self.context().pausing.pause(&self.consumer, &self.topic, partitions);
            }
            Err(e) => tracing::debug!("pausing the input: {e}"),
        }
        match self.arrivals.next(&self.consumer, Duration::from_millis(50), || false) {
            None => {}
            Some(Err(e)) => tracing::debug!("while the input is paused: {e}"),
            // A partition that became ours in this very poll was not paused yet: its record is read again.
            Some(Ok(message)) => seek_back(&self.consumer, message.partition(), message.topic(), message.offset()),
        }
    }

    /// Takes input again after [`Intake::idle`], but not of partitions that are closed.
    pub(crate) fn resume(&self) {
        let open = |partition| !self.closed.contains(&partition);
        self.context().pausing.resume(&self.consumer, &self.topic, open);
    }

    /// Takes nothing of these partitions until they are opened; what was polled of them is read again then.
    pub(crate) fn close(&mut self, partitions: &[i32]) {
        if self.held.as_ref().is_some_and(|item| partitions.contains(&item.source().partition)) {
            self.put_back();
        }
        self.closed.extend(partitions);
        self.context().pausing.pause(&self.consumer, &self.topic, partitions.iter().copied());
    }

    /// Takes input of these partitions.
    pub(crate) fn open(&mut self, partitions: &[i32]) {
        self.lost(partitions);
        self.context().pausing.resume(&self.consumer, &self.topic, |partition| partitions.contains(&partition));
    }

    /// These partitions are no longer ours.
    pub(crate) fn lost(&mut self, partitions: &[i32]) {
        self.closed.retain(|partition| !partitions.contains(partition));
    }

    /// Ends the open transaction; gives what was committed.
    pub(crate) fn end_transaction(&self, patience: Duration) -> Vec<(i32, i64)> {
        let context = self.context();
        context.transactions.as_ref().map_or_else(Vec::new, |t| t.end(context, &self.consumer, patience))
    }

    /// Goes back to where these partitions were committed.
    pub(crate) fn go_back(&mut self, partitions: &[i32]) -> Result<Vec<Resume>, BrokerError> {
        self.held = None;
        let resumes = self.context().resumes(&self.consumer, &partitions_of(&self.topic, partitions.iter().copied()));
        for resume in &resumes {
            let at = resume.start();
            let sought = self.consumer.seek(&self.topic, resume.partition, at, ASK);
            let what = || format!("going back to {at:?} of {}/{}", self.topic, resume.partition);
            sought.map_err(|e| BrokerError::Transaction(format!("{}: {e}", what())))?;
        }
        Ok(resumes)
    }

    /// How far the group has committed these partitions, whoever holds them.
    pub(crate) fn committed(&self, partitions: &[i32], patience: Duration) -> Result<Vec<Resume>, BrokerError> {
        let asked = partitions_of(&self.topic, partitions.iter().copied());
        let what = || format!("asking for the committed offsets of {}", self.topic);
        self.context().committed(&self.consumer, &asked, patience).map_err(|e| BrokerError::kafka(what(), e))
    }

    /// Commits what is acknowledged, except where transactions carry the offsets.
    pub(crate) fn commit(&self) -> Result<Vec<(i32, i64)>, BrokerError> {
        if self.context().transactions.is_some() {
            return Ok(Vec::new());
        }
        self.context().commit(&self.consumer, None, CommitMode::Async)
    }

    /// As [`Intake::commit`], for the last time.
    pub(crate) fn commit_at_last(&self) -> Result<Vec<(i32, i64)>, BrokerError> {
        if self.context().transactions.is_some() {
            return Ok(Vec::new());
        }
        self.context().commit_at_last(&self.consumer)
    }
}

/// Errors of a poll: those that pass by themselves are logged by the context and waited out.
fn fatal(topic: &str, error: KafkaError) -> Result<(), BrokerError> {
    let unknown = error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition);
    let error = BrokerError::kafka(format!("reading {topic}"), error);
    if unknown {
        return Err(BrokerError::MissingTopic(topic.into()));
    }
    match error {
        BrokerError::Refused { .. } | BrokerError::Settings(_) => Err(error),
        error => {
            tracing::debug!("{error}");
            Ok(())
        }
    }
}

fn seek_back(consumer: &BaseConsumer<GroupContext>, partition: i32, topic: &str, offset: i64) {
    if let Err(e) = consumer.seek(topic, partition, Offset::Offset(offset), Duration::from_secs(5)) {
        tracing::error!("{topic}/{partition}/{offset} is to be read again: {e}");
    }
}

/// Decodes one record; `None` where we were told to stop while the registry was away.
pub(crate) fn decode<T: Record>(
    decoder: &mut Decoder,
    topic: &Arc<str>,
    message: &BorrowedMessage<'_>,
    check: Check<'_, T>,
) -> Option<Item<T>> {
    let source = Source { topic: Arc::clone(topic), partition: message.partition(), offset: message.offset() };
    let value = message.payload().unwrap_or_default();
    let decoded = match decoder.decode::<T>(value) {
        // Whoever gives ids waits for them; only a stop ends that wait, and then nothing is taken any more.
        Err(e) if e.is_retryable() => return None,
        other => other,
    };
    let kafka_timestamp = message.timestamp().to_millis();
    let checked = decoded.map_err(|e| Rejection { class: e.class(), message: e.to_string() }).and_then(|record| {
        check(&record, message.key(), kafka_timestamp)?;
        Ok(record)
    });
    let checked = checked.and_then(|record| Ok((record, trace_of(message)?)));
    Some(match checked {
        Ok((record, trace)) => Item::Record(Received { record, source, kafka_timestamp, trace }),
        Err(rejection) => Item::Dead(DeadLetter::of(message, source, rejection)),
    })
}

/// The trace that the record belongs to, if its headers name one.
fn trace_of(message: &BorrowedMessage<'_>) -> Result<Option<TraceContext>, Rejection> {
    let (mut parent, mut state) = (None, None);
    let unreadable = headers::read(message, |name, value| match name {
        TRACEPARENT => parent = parent.or(value),
        TRACESTATE => state = state.or(value),
        _ => {}
    });
    if unreadable > 0 {
        let message = format!("the names of {unreadable} of its headers are not UTF-8");
        return Err(Rejection { class: "bad-header", message });
    }
    Ok(parent.and_then(|parent| TraceContext::parse(parent, state)))
}
