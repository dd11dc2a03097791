//! The driver of followers: each reads a whole topic, keeps up with it, and commits nothing. What it knows is what stands on the topic,
//! so a restart begins at the oldest record, and several processes each know all of it.
//!
//! ```text
//! topic, from its beginning ─> decode ─> follower.take ─┐
//!                                    every 100 ms at most ─> follower.tick
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_schemas::records::Record;
use tidegate_schemas::{Decoder, Topic};

use crate::error::BrokerError;
use crate::job::Job;
use crate::stage::{Received, Source};
use crate::stop::Stop;
use crate::tail::{From, RawRecord, Tail};

const WAIT: Duration = Duration::from_millis(100);

/// Takes the records of a whole topic.
pub trait Follower: Send {
    /// Records it takes.
    type Input: Record;

    /// Its name in logs and metrics.
    fn name(&self) -> &'static str;
    /// Topic it reads.
    fn input(&self) -> Topic;
    /// Takes a record.
    fn take(&mut self, received: Received<Self::Input>);
    /// Does what is due; `caught_up`: all that stood on the topic at the start was taken. It comes back soon after `stop` is set.
    fn tick(&mut self, caught_up: bool, stop: &Stop);
}

/// Runs a follower until `stop` is set or something fails that waiting does not mend.
///
/// # Errors
/// An unreachable broker or a missing topic at the start; a refusal by the broker later.
pub fn run_follower<F: Follower>(mut follower: F, job: &Job<'_>) -> Result<(), BrokerError> {
    let topic = job.settings.topic(follower.input());
    let mut tail = Tail::topic(job.settings, &topic, From::Beginning)?;
    let mut decoder = Decoder::new(Arc::clone(&job.ids));
    job.status.joined.store(true, Ordering::Relaxed);
    while !job.stop.is_set() {
        for _ in 0..job.max_batch.max(1) {
            let Some(record) = tail.next(WAIT)? else {
                tail.pass_over_what_is_gone()?;
                break;
            };
            if let Some(received) = decoded(&mut decoder, record, job, follower.name()) {
                follower.take(received);
                job.metrics.records.inc();
                job.status.records.fetch_add(1, Ordering::Relaxed);
            }
        }
        job.status.lag.store(i64::try_from(tail.remaining()).unwrap_or(i64::MAX), Ordering::Relaxed);
        job.status.lag_known.store(true, Ordering::Relaxed);
        follower.tick(tail.caught_up(), job.stop);
    }
    Ok(())
}

/// The record; `None` for a tombstone, and for what cannot be read: it stays where it is, is told of and counted.
fn decoded<T: Record>(decoder: &mut Decoder, record: RawRecord, job: &Job<'_>, name: &str) -> Option<Received<T>> {
    let bytes = record.value.as_deref()?;
    let value = match decoder.decode::<T>(bytes) {
        Ok(value) => value,
        // Whoever gives ids waits for them; only a stop ends that wait, and then nothing is taken any more.
        Err(e) if e.is_retryable() => return None,
        Err(e) => {
            job.metrics.dead_letters.with_label_values(&[e.class()]).inc();
            job.status.dead_letters.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("{name}: {}/{}/{} is passed over: {e}", record.topic, record.partition, record.offset);
            return None;
        }
    };
    let trace = record.trace();
    let source = Source { topic: record.topic.into(), partition: record.partition, offset: record.offset };
    Some(Received { record: value, source, kafka_timestamp: record.timestamp, trace })
}
