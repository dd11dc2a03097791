//! A batch into Kafka.
//!
//! ```text
//! ReportBatch ─ unpack ─> records ─ granted? ─ Judge ─┬─> load, spans
//!      │ bad                │ not                     └─> dead-letters   ─ delivery reports ─> Tickets ─> ReportAck
//!      └────────────────────┴─> Status, counted, nothing published
//! ```

use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::{
    BrokerError, DeadLetter, DeadLetterBox, KafkaSettings, Outgoing, Publisher, RawRecord, Rejection, Source,
};
use tidegate_schemas::trace::{HeadSampler, TRACEPARENT};
use tidegate_schemas::{SchemaIds, Topic, partition};
use tidegate_traces::{Hop, Operation, Step};
use tokio::sync::{Semaphore, oneshot};
use tonic::Status;

use super::limits::Limits;
use super::metrics::{Counted, GatewayMetrics};
use super::security::{Doorman, Peer};
use super::tickets::{Outcome, Tickets};
use crate::batch::{BadBatch, unpack};
use crate::clock::now_ms;
use crate::error::GatewayError;
use crate::judge::{Judge, Place, topic_of};
use crate::proto::{Record, ReportAck, ReportBatch};

/// Name of the gateway in dead letters.
const STAGE: &str = "gateway";
/// Batches that are handed to Kafka at a time; more would only wait for the same queue.
const AT_A_TIME: usize = 4;

/// The way of batches into Kafka.
#[derive(Debug)]
pub(super) struct Intake {
    publisher: Publisher,
    tickets: Arc<Tickets>,
    letters: DeadLetterBox,
    load: Destination,
    spans: Destination,
    judge: Judge,
    limits: Limits,
    doorman: Arc<Doorman>,
    metrics: GatewayMetrics,
    turns: Semaphore,
}

/// A topic of records.
#[derive(Debug)]
struct Destination {
    topic: Arc<str>,
    partitions: i32,
}

impl Destination {
    fn of(kafka: &KafkaSettings, topic: Topic) -> Result<Self, GatewayError> {
        let topic = kafka.topic(topic);
        let partitions = kafka.partition_count(&topic, Duration::from_secs(10))?;
        Ok(Self { topic: topic.into(), partitions })
    }
}

/// A batch that is on its way to Kafka.
#[derive(Debug)]
pub(super) struct Taken {
    ack: ReportAck,
    outcome: oneshot::Receiver<Outcome>,
    /// Of its sampled reports, until they are acknowledged.
    hops: Vec<Hop>,
    _counted: Counted,
}

impl Intake {
    /// Asks the brokers for the topics.
    pub(super) fn new(
        kafka: &KafkaSettings,
        ids: &dyn SchemaIds,
        (limits, head): (Limits, HeadSampler),
        doorman: Arc<Doorman>,
        metrics: GatewayMetrics,
    ) -> Result<Self, GatewayError> {
        let (load, spans) = (Destination::of(kafka, Topic::Load)?, Destination::of(kafka, Topic::Spans)?);
        let tickets = Arc::new(Tickets::default());
        let topics = [Topic::Load, Topic::Spans, Topic::DeadLetters];
        let publisher = Publisher::within_topics(kafka, Arc::clone(&tickets) as _, &topics)?;
        Ok(Self {
            publisher,
            tickets,
            letters: DeadLetterBox::new(kafka, STAGE)?,
            load,
            spans,
            judge: Judge::new(ids, head)?,
            limits,
            doorman,
            metrics,
            turns: Semaphore::new(AT_A_TIME),
        })
    }

    /// Hands a batch to Kafka's client; waits while its queue is full. Of a batch that is refused nothing is published.
    pub(super) async fn take(self: &Arc<Self>, batch: ReportBatch, peer: &Peer) -> Result<Taken, Status> {
        let turn = self.turns.acquire().await.map_err(|_| super::drain::move_on())?;
        let (own, id, peer) = (Arc::clone(self), batch.id, peer.clone());
        let handed = tokio::task::spawn_blocking(move || {
            let records = unpack(&batch, own.limits.batch).map_err(|bad| own.refuse(&bad))?;
            own.admit(&peer, records.iter().filter(|record| is_report(record)).map(|record| &record.key[..]))?;
            Ok(own.publish(id, &records))
        });
        let taken = handed.await.map_err(|e| Status::internal(e.to_string()))?;
        drop(turn);
        taken
    }

    fn refuse(&self, bad: &BadBatch) -> Status {
        self.metrics.refuse("bad-batch");
        self.metrics.batches.with_label_values(&["refused"]).inc();
        let said = bad.to_string();
        if bad.is_size() { Status::out_of_range(said) } else { Status::invalid_argument(said) }
    }

    /// Asks whether an edge may speak for these nodes, and counts where it may not.
    pub(super) fn admit<'n>(&self, peer: &Peer, nodes: impl Iterator<Item = &'n [u8]>) -> Result<(), Status> {
        self.doorman.admit(peer, nodes).inspect_err(|status| {
            let is_known = status.code() == tonic::Code::PermissionDenied;
            self.metrics.refuse(if is_known { "not-granted" } else { "unknown-edge" });
        })
    }

    /// Counts something that was refused.
    pub(super) fn refused(&self, reason: &str) {
        self.metrics.refuse(reason);
    }

    /// Sends every record, or its dead letter.
    pub(super) fn publish(&self, id: u64, records: &[Record]) -> Taken {
        let (ticket, outcome) = self.tickets.open(records.len());
        let _counted = Counted::of(self.metrics.in_flight.clone());
        let mut judge = self.judge.clone();
        let mut ack = ReportAck { id, ..ReportAck::default() };
        let (mut sent, mut hops) = (0, Vec::new());
        let ended = records.iter().try_for_each(|record| {
            match judge.judge(record, now_ms()) {
                Ok(accepted) => {
                    ack.accepted += 1;
                    let place = accepted.place.as_ref();
                    hops.extend(place.and_then(|place| self.hop(record, place)));
                    let trace = place.map(|place| place.own.traceparent());
                    let trace = trace.as_ref().map(|trace| (TRACEPARENT, Some(trace.as_bytes())));
                    let outgoing = Outgoing {
                        topic: &self.destination(accepted.topic).topic,
                        key: Some(&record.key),
                        payload: Some(&accepted.value),
                        headers: trace.as_slice(),
                        ..Outgoing::default()
                    };
                    self.publisher.send_with(&outgoing, ticket, wait)?;
                }
                Err(why) => {
                    ack.set_aside += 1;
                    if ack.first_reason.is_empty() {
                        ack.first_reason.clone_from(&why.message);
                    }
                    self.set_aside(record, why, ticket)?;
                }
            }
            sent += 1;
            Ok(())
        });
        self.tickets.close(ticket, records.len() - sent, ended);
        Taken { ack, outcome, hops, _counted }
    }

    /// The span of a report's way to Kafka, where its trace is sampled.
    fn hop(&self, record: &Record, place: &Place) -> Option<Hop> {
        let step = Step {
            service: "tidegate-gateway",
            operation: Operation::Send,
            topic: &self.load.topic,
            key: std::str::from_utf8(&record.key).unwrap_or_default(),
            at: None,
            group: None,
        };
        place.own.is_sampled().then(|| Hop::begin(&step, &place.own, place.parent.as_ref()))
    }

    /// The letter's source is where the record would have gone, so that a replay sends it there; it has no offset.
    fn set_aside(&self, record: &Record, why: Rejection, ticket: usize) -> Result<(), BrokerError> {
        let destination = self.destination(topic_of(&record.value));
        let to = partition::partition_of(&record.key, destination.partitions);
        let source = Source { topic: Arc::clone(&destination.topic), partition: to, offset: -1 };
        let trace = Some(record.traceparent.as_bytes().to_vec()).filter(|trace| !trace.is_empty());
        let raw = RawRecord {
            timestamp: Some(now_ms()),
            key: Some(record.key.to_vec()),
            value: Some(record.value.to_vec()),
            headers: trace.map(|trace| (TRACEPARENT.to_owned(), Some(trace))).into_iter().collect(),
            ..RawRecord::default()
        };
        self.letters.send(&DeadLetter::of_raw(raw, source, why), &self.publisher, ticket, wait)
    }

    fn destination(&self, topic: Topic) -> &Destination {
        if topic == Topic::Spans { &self.spans } else { &self.load }
    }

    /// Waits until Kafka has all of a batch.
    pub(super) async fn acknowledgement(&self, taken: Taken) -> Result<ReportAck, Status> {
        let Taken { ack, outcome, hops, .. } = taken;
        let failed = |why: String| {
            hops.iter().for_each(|hop| hop.failed(&why));
            self.metrics.batches.with_label_values(&["failed"]).inc();
            tracing::warn!("a batch did not reach Kafka: {why}");
            Status::unavailable(format!("the batch did not reach Kafka: {why}"))
        };
        match outcome.await {
            Ok(Ok(())) => {
                self.metrics.batches.with_label_values(&["acknowledged"]).inc();
                self.metrics.records.with_label_values(&["accepted"]).inc_by(ack.accepted.into());
                self.metrics.records.with_label_values(&["set_aside"]).inc_by(ack.set_aside.into());
                Ok(ack)
            }
            Ok(Err(e)) => Err(failed(e.to_string())),
            Err(_) => Err(failed("the gateway lost its producer".into())),
        }
    }

    /// Waits for what is on the way, at most so long.
    pub(super) fn finish(&self, patience: Duration) {
        if let Err(e) = self.publisher.flush(patience) {
            tracing::warn!("{e}; the edges send them again");
        }
    }
}

/// Spans have no node that an edge could speak for.
fn is_report(record: &Record) -> bool {
    topic_of(&record.value) != Topic::Spans
}

/// Between two looks at a full queue.
fn wait() {
    std::thread::sleep(Duration::from_millis(1));
}
