//! Restoring: the state of partitions that have come is read back, in slices between the batches of the others.
//!
//! ```text
//! Assigned ─> closed (nothing is taken) ─┬─> saved outputs ─> stage.restore
//!                                        ├─> checkpoints   ─> stage.restore_checkpoint ─> from where on
//!                                        └─> the input up to the committed offset ─> stage.rebuild
//!          <─ open again <─ stage.restored <──┘
//! ```
//!
//! An outage meanwhile is waited for: the readers go on where they were. Of partitions that others hold, state is followed the
//! same way (`standby.rs`).

mod restoration;
mod slices;
mod standby;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Driver, PAUSE};
use crate::error::BrokerError;
use crate::group::Resume;
use crate::settings::ASK;
use crate::stable::{LOOK_EVERY, Settling};
use crate::stage::Stage;
use crate::tail::{From, Tail};
pub(super) use restoration::Restoration;
use restoration::Step;
pub(super) use standby::Standby;

/// How long a slice takes while other partitions have work, and while none has.
const BESIDE: Duration = Duration::from_millis(20);
const ALONE: Duration = Duration::from_millis(500);
/// Time between two log lines about the progress.
const TELL_EVERY: Duration = Duration::from_secs(10);

impl<S: Stage> Driver<'_, S> {
    /// Begins to restore partitions that have come; they are closed until their state is back.
    pub(super) fn begin_restoring(&mut self, partitions: Vec<Resume>) {
        let rest = self.take_over(partitions);
        let job = self.restoration_of(rest);
        if job.steps.is_empty() || job.partitions.is_empty() {
            return;
        }
        self.intake.close(&job.numbers());
        tracing::info!("{}: restoring {:?}", self.stage.name(), job.numbers());
        self.restoring.push_back(job);
    }

    /// The whole way back of partitions.
    fn restoration_of(&self, partitions: Vec<Resume>) -> Restoration {
        let mut steps = VecDeque::new();
        if self.stage.restores_from_output() {
            steps.push_back(Step::Outputs);
        }
        let has_past = self.stage.depends_on_past() && partitions.iter().any(|p| p.resume > 0);
        if has_past && self.checkpoints.is_some() {
            steps.push_back(Step::Checkpoints);
        }
        if has_past {
            steps.push_back(Step::Input);
        }
        Restoration::new(partitions, steps, self.ids.clone())
    }

    /// These partitions went to somebody else while they were restored.
    pub(super) fn stop_restoring(&mut self, partitions: &[i32]) {
        for job in &mut self.restoring {
            job.partitions.retain(|p| !partitions.contains(&p.partition));
        }
        self.restoring.retain(|job| !job.partitions.is_empty());
        self.intake.lost(partitions);
    }

    /// Reads a slice of what is to be restored.
    pub(super) fn restore_a_slice(&mut self) -> Result<(), BrokerError> {
        let Some(mut job) = self.restoring.pop_front() else { return Ok(()) };
        let done = if job.is_due() { self.go_on(&mut job) } else { Ok(false) };
        match done {
            Ok(true) => self.finish(&job),
            Ok(false) => self.restoring.push_front(job),
            Err(e) if e.is_retryable() => {
                self.tell_waiting(&e.to_string());
                job.not_before = Instant::now() + PAUSE;
                self.restoring.push_front(job);
            }
            Err(e) => return Err(e),
        }
        self.note_restoring();
        Ok(())
    }

    fn tell_waiting(&mut self, why: &str) {
        if self.log.is_new("restoring") {
            tracing::warn!("{}: restoring waits: {why}", self.stage.name());
        }
    }

    /// `true` once everything was read.
    fn go_on(&mut self, job: &mut Restoration) -> Result<bool, BrokerError> {
        let Some(step) = job.steps.front().copied() else { return Ok(true) };
        let mut tail = match job.reading.take() {
            Some(tail) => tail,
            None if !self.is_settled(job, step)? => {
                job.not_before = Instant::now() + LOOK_EVERY;
                return Ok(false);
            }
            None => {
                let tail = self.open(job, step)?;
                job.settling = None;
                if !job.is_going_on {
                    tracing::info!("{}: reading {}, {} records", self.stage.name(), step.name(), tail.remaining());
                }
                (job.told, job.heard) = (Instant::now(), Instant::now());
                tail
            }
        };
        let held = job.partitions.iter().filter(|p| self.resume.contains_key(&p.partition)).count();
        let others_wait =
            self.resume.len() > self.restoring.iter().map(|job| job.partitions.len()).sum::<usize>() + held;
        let until = Instant::now() + if others_wait { BESIDE } else { ALONE };
        let before = job.read;
        let stopped = match step {
            Step::Input | Step::Follow => self.input_slice(job, &mut tail, step, until)?,
            Step::Outputs | Step::Checkpoints => self.saved_slice(job, &mut tail, step, until)?,
        };
        if job.read > before {
            job.heard = Instant::now();
            self.count_restored(job.read - before);
        } else if job.heard.elapsed() > ASK {
            self.tell_waiting(&format!("{} gave nothing for {} s", step.name(), ASK.as_secs()));
        }
        if tail.caught_up() && !stopped {
            job.steps.pop_front();
            return Ok(job.steps.is_empty());
        }
        if job.told.elapsed() >= TELL_EVERY {
            job.told = Instant::now();
            let (left, partitions) = (tail.remaining(), job.partitions.len());
            tracing::info!(
                left,
                partitions,
                "{}: restoring, {}: {} records read",
                self.stage.name(),
                step.name(),
                job.read
            );
        }
        job.reading = Some(tail);
        Ok(false)
    }

    /// The topic that saved records are read from; `None`: it is the input.
    fn saved_on(&self, step: Step) -> Option<String> {
        match step {
            Step::Outputs => Some(self.output.clone()),
            Step::Checkpoints => Some(self.settings.topic(tidegate_schemas::Topic::Checkpoints)),
            Step::Input | Step::Follow => None,
        }
    }

    fn is_settled(&self, job: &mut Restoration, step: Step) -> Result<bool, BrokerError> {
        // The embedded broker has no transactions.
        let Some(topic) = self.saved_on(step).filter(|_| !self.settings.embedded) else { return Ok(true) };
        let numbers = job.numbers();
        if job.settling.is_none() {
            job.settling = Some(Settling::begin(self.settings, &topic, &numbers)?);
        }
        job.settling.as_mut().map_or(Ok(true), |settling| settling.is_over(self.settings))
    }

    fn open(&mut self, job: &mut Restoration, step: Step) -> Result<Tail, BrokerError> {
        let (settings, numbers) = (self.settings.unhurried(), job.numbers());
        match (self.saved_on(step), &job.input) {
            (Some(topic), Some(stretches)) if job.is_going_on => Tail::stretches(&settings, &topic, stretches),
            (Some(topic), _) => Tail::partitions(&settings, &topic, &numbers, From::Beginning),
            (None, _) => {
                // The stage tells once: it is asked to open again after an outage.
                let partitions = &job.partitions;
                let known = job.input.get_or_insert_with(|| partitions.iter().map(|p| self.stretch(*p)).collect());
                Tail::stretches(&settings, &settings.topic(self.stage.input()), known)
            }
        }
    }

    /// The input that state is rebuilt from.
    fn stretch(&mut self, p: Resume) -> (i32, Range<i64>) {
        let past = p.past();
        let from = if self.checkpoints.is_some() { self.stage.rebuild_from(p.partition, past) } else { past.rewind };
        tracing::info!(partition = p.partition, from, offset = p.resume, "{}: rebuilding", self.stage.name());
        (p.partition, from..p.resume)
    }

    fn finish(&mut self, job: &Restoration) {
        let numbers = job.numbers();
        numbers.iter().for_each(|partition| self.stage.restored(*partition));
        self.intake.open(&numbers);
        let seconds = job.begun.elapsed().as_secs_f64();
        tracing::info!("{}: {numbers:?} restored in {seconds:.1} s, {} records read", self.stage.name(), job.read);
    }

    fn count_restored(&self, read: u64) {
        self.metrics.restored.inc_by(read);
        self.status.restored.fetch_add(read, Ordering::Relaxed);
    }

    /// Shows how much is left.
    pub(super) fn note_restoring(&self) {
        let partitions = self.restoring.iter().map(|job| job.partitions.len() as i64).sum();
        let left = self.restoring.iter().map(Restoration::left).sum::<u64>();
        self.metrics.restoring.set(partitions);
        self.metrics.restore_left.set(i64::try_from(left).unwrap_or(i64::MAX));
        self.status.restoring.store(partitions, Ordering::Relaxed);
        self.status.restore_left.store(left, Ordering::Relaxed);
    }
}
