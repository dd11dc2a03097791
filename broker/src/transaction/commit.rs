//! Committing: all outputs acknowledged, the offsets of their inputs sent with them, the transaction ended.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;

use super::LOST;
use crate::error::BrokerError;
use crate::group::GroupContext;

/// Why a commit did not succeed.
pub(super) enum Failed {
    /// The transaction can be aborted.
    Abort(String),
    /// Nobody knows whether it is committed.
    Unknown(String),
    /// No repetition mends it.
    Refused(BrokerError),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Abort(why) | Self::Unknown(why) => f.write_str(why),
            Self::Refused(e) => e.fmt(f),
        }
    }
}

/// All that was taken becomes visible, with the offsets after it.
pub(super) fn commit(
    context: &GroupContext,
    consumer: &BaseConsumer<GroupContext>,
    until: Instant,
) -> Result<Vec<(i32, i64)>, Failed> {
    let publisher = &context.publisher;
    let flushed = publisher.flush(left(until));
    match context.ledger.take_failure() {
        Some(e @ (BrokerError::Refused { .. } | BrokerError::MissingTopic(_) | BrokerError::TooLarge { .. })) => {
            return Err(Failed::Refused(e));
        }
        Some(e) => return Err(Failed::Abort(e.to_string())),
        None => flushed.map_err(|e| Failed::Abort(e.to_string()))?,
    }
    // A rebalance may come between two outputs of one input.
    if context.ledger.lock().is_waiting() {
        return Err(Failed::Abort("an input is answered in part".into()));
    }
    let (offsets, done) = context.acknowledged(None).map_err(|e| Failed::Abort(e.to_string()))?;
    let producer = publisher.producer();
    if !done.is_empty() {
        let member = consumer.group_metadata().ok_or_else(|| Failed::Abort("we are in no group".into()))?;
        // Asked after the membership: one that has no generation any more would be believed by the broker.
        if consumer.assignment_lost() {
            return Err(Failed::Abort(LOST.into()));
        }
        until_it_is_known(until, |left| producer.send_offsets_to_transaction(&offsets, &member, left))?;
    }
    until_it_is_known(until, |left| producer.commit_transaction(left))?;
    Ok(done)
}

/// Calls again what may be called again, as long as there is time.
pub(super) fn until_it_is_known(
    until: Instant,
    mut call: impl FnMut(Duration) -> Result<(), KafkaError>,
) -> Result<(), Failed> {
    loop {
        match call(left(until)) {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(e)) if e.is_retriable() && Instant::now() < until => {}
            Err(KafkaError::Transaction(e)) if e.txn_requires_abort() => return Err(Failed::Abort(e.string())),
            Err(e) => return Err(Failed::Unknown(e.to_string())),
        }
    }
}

/// Time left, at least what a call needs to say anything.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100))
}
