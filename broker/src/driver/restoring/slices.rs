//! One slice of what is read to restore: records from a reader to the stage until the time is over.

use std::time::{Duration, Instant};

use rdkafka::message::Message;
use tidegate_schemas::records::Checkpoint;

use super::{Restoration, Step};
use crate::driver::Driver;
use crate::error::BrokerError;
use crate::group::Resume;
use crate::intake::{self, Item};
use crate::stage::{Received, Saved, Stage};
use crate::tail::{RawRecord, Tail};

/// How long a slice waits for the next record.
const WAIT: Duration = Duration::from_millis(5);
/// Records of others that are followed in one batch at most.
const FOLLOWED: usize = 500;

impl<S: Stage> Driver<'_, S> {
    /// Gives a slice of saved records to the stage; `true` where a stop ended it.
    pub(super) fn saved_slice(
        &mut self,
        job: &mut Restoration,
        tail: &mut Tail,
        step: Step,
        until: Instant,
    ) -> Result<bool, BrokerError> {
        while !tail.caught_up() && Instant::now() < until {
            let Some(record) = tail.next(WAIT)? else {
                tail.pass_over_what_is_gone()?;
                break;
            };
            job.read += 1;
            let Some(place) = job.place(record.partition) else { continue };
            let stopped = match step {
                Step::Checkpoints => self.saved_checkpoint(job, &record, place),
                _ => self.saved_output(job, &record),
            };
            if stopped {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn saved_output(&mut self, job: &mut Restoration, record: &RawRecord) -> bool {
        match job.decoder.decode::<S::Output>(record.value.as_deref().unwrap_or_default()) {
            Ok(output) => self.stage.restore(record.partition, output),
            // Nothing is taken any more.
            Err(_) if self.intake.context().stop.is_set() => return true,
            // A tombstone or foreign bytes are no saved state.
            Err(e) => tracing::warn!("{}/{}/{}: not restored: {e}", self.output, record.partition, record.offset),
        }
        false
    }

    fn saved_checkpoint(&mut self, job: &mut Restoration, record: &RawRecord, place: Resume) -> bool {
        let Some(key) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { return false };
        let saved = match record.value.as_deref().map(|value| job.decoder.decode::<Checkpoint>(value)) {
            None => Saved::Gone,
            Some(Ok(checkpoint)) => Saved::Checkpoint(checkpoint),
            Some(Err(_)) if self.intake.context().stop.is_set() => return true,
            Some(Err(e)) => Saved::Foreign(e.to_string()),
        };
        let past = (place.resume, place.past());
        if let Err(why) = self.stage.restore_checkpoint(record.partition, past, key, saved) {
            tracing::warn!("{}/{}/{}: no checkpoint: {why}", record.topic, record.partition, record.offset);
        }
        false
    }

    /// Rebuilds state from a slice of the input, or follows it; `true` where a stop ended it.
    pub(super) fn input_slice(
        &mut self,
        job: &mut Restoration,
        tail: &mut Tail,
        step: Step,
        until: Instant,
    ) -> Result<bool, BrokerError> {
        let topic = self.settings.topic(self.stage.input()).into();
        let mut batch: Vec<Received<S::Input>> = Vec::new();
        let mut stopped = false;
        // What is followed is in no hurry: no batch of it keeps the others waiting.
        let most = if step == Step::Follow { self.max_batch.min(FOLLOWED) } else { self.max_batch };
        while !tail.caught_up() && !stopped && Instant::now() < until {
            while !tail.caught_up() && batch.len() < most {
                let stage = &self.stage;
                let check = |r: &S::Input, k: Option<&[u8]>, t: Option<i64>| stage.check(r, k, t);
                let partitions = &job.partitions;
                let decoder = &mut job.decoder;
                let taken = tail.take(WAIT, |message| {
                    let of = partitions.iter().find(|p| p.partition == message.partition());
                    of.filter(|p| message.offset() < p.resume).map(|_| intake::decode(decoder, &topic, message, &check))
                })?;
                match taken {
                    Some(Some(Some(Item::Record(received)))) => batch.push(received),
                    // It was set aside, and led to nothing.
                    Some(Some(Some(Item::Dead(_)))) => {}
                    Some(Some(None)) => {
                        stopped = true;
                        break;
                    }
                    // Of a partition that is read to its end, or ours no more.
                    Some(None) => continue,
                    None => {
                        tail.pass_over_what_is_gone()?;
                        break;
                    }
                }
                job.read += 1;
            }
            if batch.is_empty() {
                break;
            }
            match step {
                Step::Follow => drop(self.stage.process(&batch)),
                _ => self.stage.rebuild(&batch),
            }
            batch.clear();
        }
        Ok(stopped)
    }
}
