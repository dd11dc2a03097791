//! The driver of sinks: topics out to the world. A sink that cannot deliver is tried again until it can.
//!
//! ```text
//! batch ─> sink.take ─> sink.deliver ─ ok ─> commit
//!                            │ error: input paused, membership kept, tried again with backoff
//! ```

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tidegate_schemas::Topic;
use tidegate_schemas::records::Record;

use crate::backpressure::Backpressure;
use crate::dead_letters::DeadLetter;
use crate::driver::{COMMIT_EVERY, report_lag};
use crate::error::BrokerError;
use crate::group::GroupEvent;
use crate::guarantee::Processing;
use crate::intake::{Commit, Intake, Item};
use crate::job::{Job, Member};
use crate::limits;
use crate::stage::{Received, Rejection};
use crate::stop::Stop;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Reasons told of one outage at most.
const REASONS: usize = 8;

/// A delivery that did not succeed; it will be tried again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DeliveryError(pub String);

/// Takes decoded records out.
pub trait Sink: Send {
    /// Records it takes.
    type Input: Record;
    /// Its name: consumer group and metrics.
    fn name(&self) -> &'static str;
    /// Topic it reads.
    fn input(&self) -> Topic;
    /// Takes a batch over, in the place of one before. It may hold records that were delivered before.
    fn take(&mut self, batch: Vec<Received<Self::Input>>);
    /// Delivers what is left of the batch; called until it succeeds.
    ///
    /// # Errors
    /// Why the batch, or a part of it, is not delivered.
    fn deliver(&mut self) -> Result<(), DeliveryError>;
}

/// Runs a sink until `stop` is set or something fails that waiting does not mend.
///
/// # Errors
/// An unreachable broker or a missing topic at the start; a refusal by the broker later.
pub fn run_sink<S: Sink>(mut sink: S, job: &Job<'_>) -> Result<(), BrokerError> {
    loop {
        match run_once(&mut sink, job) {
            Err(e @ BrokerError::ClockSetBack(_)) if job.stop.is_set() => {
                tracing::warn!("{}: stopping with work that is done again after the next start: {e}", sink.name());
                return Ok(());
            }
            Err(e @ BrokerError::ClockSetBack(_)) => {
                tracing::warn!("{}: beginning again with other clients: {e}", sink.name());
            }
            outcome => return outcome,
        }
    }
}

/// As long as its consumer is good.
fn run_once<S: Sink>(sink: &mut S, job: &Job<'_>) -> Result<(), BrokerError> {
    let limit = limits::of_topics(job.settings, &[Topic::DeadLetters]);
    let mut member: Member<S::Input> = job.join(sink.name(), sink.input(), false, Processing::default(), limit)?;
    job.metrics.assigned.set(0);
    job.status.assigned.store(0, Ordering::Relaxed);
    let mut batch = Vec::new();
    let mut last_commit = Instant::now();
    let accept = |_: &S::Input, _: Option<&[u8]>, _: Option<i64>| Ok::<(), Rejection>(());
    while !job.stop.is_set() {
        member.intake.poll(&mut batch, job.max_batch.max(1), Duration::from_millis(100), &accept)?;
        serve_events(sink.name(), &member, &mut batch, job);
        let (records, places) = taken_apart(batch.drain(..));
        if !records.is_empty() {
            sink.take(records);
            if !deliver(sink, &member.intake, job.stop) {
                break;
            }
        }
        job.metrics.note_hops(places.iter().map(|place| (place.partition, place.kafka_timestamp)));
        settle(&member, &places, job)?;
        if let Some(e) = member.ledger.take_failure() {
            return Err(e);
        }
        if last_commit.elapsed() >= COMMIT_EVERY {
            member.intake.check_clock()?;
            commit(&member.intake, Intake::commit, job);
            last_commit = Instant::now();
        }
    }
    commit(&member.intake, Intake::commit_at_last, job);
    Ok(())
}

/// What is known of an item once its record is the sink's.
struct Place {
    partition: i32,
    offset: i64,
    /// Of a record that has one.
    kafka_timestamp: Option<i64>,
    /// What did not decode.
    letter: Option<DeadLetter>,
}

/// The records of a batch, and the place of each of its items.
fn taken_apart<T>(batch: impl Iterator<Item = Item<T>>) -> (Vec<Received<T>>, Vec<Place>) {
    let (mut records, mut places) = (Vec::new(), Vec::new());
    for item in batch {
        let (partition, offset) = (item.source().partition, item.source().offset);
        let (kafka_timestamp, letter) = match item {
            Item::Record(received) => {
                let timestamp = received.kafka_timestamp;
                records.push(received);
                (timestamp, None)
            }
            Item::Dead(letter) => (None, Some(letter)),
        };
        places.push(Place { partition, offset, kafka_timestamp, letter });
    }
    (records, places)
}

/// Enters a delivered batch in the ledger; what did not decode is set aside.
fn settle<T: Record>(member: &Member<T>, batch: &[Place], job: &Job<'_>) -> Result<(), BrokerError> {
    let (metrics, status) = (job.metrics, job.status);
    for Place { partition, offset, letter, .. } in batch {
        let outputs = u32::from(letter.is_some());
        let ticket = member.ledger.lock().take(*partition, *offset, outputs);
        match letter {
            None => {
                metrics.records.inc();
                metrics.outputs.inc();
                status.records.fetch_add(1, Ordering::Relaxed);
                status.outputs.fetch_add(1, Ordering::Relaxed);
            }
            Some(letter) => {
                metrics.dead_letters.with_label_values(&[letter.rejection.class]).inc();
                status.dead_letters.fetch_add(1, Ordering::Relaxed);
                let mut paused = Backpressure::new(&member.intake);
                member.dead_letters.send(letter, &member.publisher, ticket, || paused.wait())?;
            }
        }
    }
    Ok(())
}

/// Takes changes of the assignment in. All of `batch` was polled before them.
fn serve_events<T: Record>(name: &str, member: &Member<T>, batch: &mut Vec<Item<T>>, job: &Job<'_>) {
    while let Some(event) = member.intake.next_event() {
        let change = match event {
            GroupEvent::Assigned(resumes) => {
                for r in &resumes {
                    member.ledger.lock().assign(r.partition, r.past);
                    let (partition, offset) = (r.partition, r.resume);
                    tracing::info!(partition, offset, "{name}: partition taken");
                }
                job.status.joined.store(true, Ordering::Relaxed);
                resumes.len() as i64
            }
            GroupEvent::Revoked(partitions) => {
                batch.retain(|item| !partitions.contains(&item.source().partition));
                job.metrics.forget(&partitions);
                -(partitions.len() as i64)
            }
        };
        job.metrics.assigned.add(change);
        job.status.assigned.fetch_add(change, Ordering::Relaxed);
    }
}

/// Lets the sink deliver, again until it succeeds; `false` where we were told to stop before.
fn deliver<S: Sink>(sink: &mut S, intake: &Intake<S::Input>, stop: &Stop) -> bool {
    let mut pause = FIRST_PAUSE;
    let mut away: Option<Instant> = None;
    let mut told = BTreeSet::new();
    loop {
        match sink.deliver() {
            Ok(()) => {
                if let Some(since) = away {
                    intake.resume();
                    tracing::info!("{}: delivering again after {:.1} s", sink.name(), since.elapsed().as_secs_f64());
                }
                return true;
            }
            Err(e) => {
                away.get_or_insert_with(Instant::now);
                // Each reason once an outage, and no more of them than anybody reads.
                if told.len() < REASONS && told.insert(e.to_string()) {
                    tracing::warn!("{}: {e}; trying again until it is taken", sink.name());
                }
            }
        }
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if stop.is_set() {
                return false;
            }
            intake.idle();
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn commit<T: Record>(intake: &Intake<T>, commit: Commit<T>, job: &Job<'_>) {
    match commit(intake) {
        Ok(done) => job.metrics.note_committed(&done),
        Err(e) => tracing::warn!("{e}"),
    }
    report_lag(intake.context(), job.metrics, job.status);
}
