//! Standing by: the state of partitions that others hold is followed, so that taking one over wants only its last seconds.
//!
//! ```text
//! every few seconds ─> committed offsets of the partitions that others hold
//!      a new one        ─> restored as on an assignment, but kept closed   ─┐
//!      one that moved   ─> its input up to there through stage.process,     ├─> stands at an offset
//!                          what comes out is dropped: it was published      │
//!      state of outputs ─> the new outputs ─> stage.restore                ─┘
//! Assigned ─> from where it stands ─> open
//! ```
//!
//! A stage is a function of the log, so what stands here is what its owner has, byte for byte. Nothing is read that is not
//! committed: what follows on that, its new owner makes again. All of it happens in slices while nothing of our own waits for
//! its state.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Restoration, Step};
use crate::driver::{Driver, PAUSE};
use crate::error::BrokerError;
use crate::group::Resume;
use crate::stage::Stage;

/// Between two looks at what others have committed.
const EVERY: Duration = Duration::from_secs(3);
/// How long the group's coordinator is waited for; it is asked again.
const ASK: Duration = Duration::from_secs(1);

/// What is followed.
#[derive(Default)]
pub(crate) struct Standby {
    /// By partition: the first offset that its state has not seen, of the topic that the state comes from.
    stands: HashMap<i32, i64>,
    job: Option<Restoration>,
    looked: Option<Instant>,
}

impl Standby {
    /// What a partition's state was given by now goes on from here.
    pub(super) fn stand(&mut self, partition: i32, at: i64) {
        self.stands.insert(partition, at);
    }

    /// Partitions followed.
    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.stands.keys().copied().collect()
    }

    /// Whether there is something to read now.
    pub(in crate::driver) fn is_reading(&self) -> bool {
        self.job.as_ref().is_some_and(Restoration::is_due)
    }

    fn is_due(&self) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() >= EVERY)
    }

    /// What there is to read of partitions that stand somewhere, up to `end` of each.
    fn stretches(&self, ends: &[(i32, i64)]) -> Vec<(i32, Range<i64>)> {
        let stretch = |(partition, end): &(i32, i64)| Some((*partition, *self.stands.get(partition)?..*end));
        ends.iter().filter_map(stretch).filter(|(_, offsets)| !offsets.is_empty()).collect()
    }
}

impl<S: Stage> Driver<'_, S> {
    /// Follows others for the time of a slice, where that is asked for and nothing of our own waits for its state.
    pub(in crate::driver) fn stand_by(&mut self) -> Result<(), BrokerError> {
        let Some(mut standby) = self.standby.take() else { return Ok(()) };
        let outcome = self.follow(&mut standby);
        self.metrics.standby.set(standby.stands.len() as i64);
        self.standby = Some(standby);
        outcome
    }

    fn follow(&mut self, standby: &mut Standby) -> Result<(), BrokerError> {
        // Before the group has spoken, all partitions seem to be of others.
        if !self.restoring.is_empty() || !self.status.joined.load(Ordering::Relaxed) {
            return Ok(());
        }
        if standby.job.is_none() && standby.is_due() {
            standby.looked = Some(Instant::now());
            standby.job = match self.next_to_follow(standby) {
                Err(e) if e.is_retryable() => {
                    tracing::debug!("{}: following others waits: {e}", self.stage.name());
                    None
                }
                next => next?,
            };
        }
        let Some(mut job) = standby.job.take_if(|job| job.is_due()) else { return Ok(()) };
        match self.go_on(&mut job) {
            Ok(true) => self.followed(standby, &job),
            Ok(false) => standby.job = Some(job),
            Err(e) if e.is_retryable() => {
                self.tell_waiting(&e.to_string());
                job.not_before = Instant::now() + PAUSE;
                standby.job = Some(job);
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Partitions that are new to us, or else those that moved on.
    fn next_to_follow(&self, standby: &Standby) -> Result<Option<Restoration>, BrokerError> {
        let others: Vec<i32> = (0..self.input_partitions).filter(|p| !self.resume.contains_key(p)).collect();
        if others.is_empty() {
            return Ok(None);
        }
        // First of all: nothing else is asked of a broker that is away, for the answers would be waited for.
        let committed = self.intake.committed(&others, ASK)?;
        if self.stage.restores_from_output() {
            return self.outputs_to_follow(standby, &others);
        }
        let ends: Vec<_> = committed.iter().map(|r| (r.partition, r.resume)).collect();
        let behind = standby.stretches(&ends);
        self.note_behind(&behind);
        let (known, new): (Vec<Resume>, Vec<Resume>) =
            committed.into_iter().partition(|r| standby.stands.contains_key(&r.partition));
        if !new.is_empty() {
            return Ok(Some(self.restoration_of(new)));
        }
        let moved = known.into_iter().filter(|r| behind.iter().any(|(partition, _)| *partition == r.partition));
        let moved: Vec<Resume> = moved.collect();
        Ok((!moved.is_empty()).then(|| self.continuation(moved, Step::Follow, behind)))
    }

    /// The outputs that came since.
    fn outputs_to_follow(&self, standby: &Standby, others: &[i32]) -> Result<Option<Restoration>, BrokerError> {
        let ends = crate::tail::ends(self.settings, &self.output, others)?;
        let from = |partition| standby.stands.get(partition).copied().unwrap_or(0);
        let stretches: Vec<_> = ends.iter().map(|(partition, end)| (*partition, from(partition)..*end)).collect();
        self.note_behind(&stretches);
        let places = ends.iter().map(|(partition, end)| Resume { partition: *partition, resume: *end, past: None });
        let is_news =
            |(partition, offsets): &(i32, Range<i64>)| !offsets.is_empty() || !standby.stands.contains_key(partition);
        let news = stretches.iter().any(is_news);
        Ok(news.then(|| self.continuation(places.collect(), Step::Outputs, stretches)))
    }

    fn note_behind(&self, stretches: &[(i32, Range<i64>)]) {
        self.metrics.standby_left.set(stretches.iter().map(|(_, offsets)| offsets.end - offsets.start).sum());
    }

    /// What goes on from where the state stands.
    fn continuation(&self, partitions: Vec<Resume>, step: Step, stretches: Vec<(i32, Range<i64>)>) -> Restoration {
        Restoration {
            input: Some(stretches),
            is_going_on: true,
            ..Restoration::new(partitions, VecDeque::from([step]), self.ids.clone())
        }
    }

    /// All of it was read.
    fn followed(&mut self, standby: &mut Standby, job: &Restoration) {
        for place in &job.partitions {
            standby.stand(place.partition, place.resume);
            if !job.is_going_on {
                self.stage.restored(place.partition);
            }
        }
        self.metrics.standby_left.set(0);
        if !job.is_going_on {
            let numbers = job.numbers();
            tracing::info!("{}: standing by for {numbers:?}, {} records read", self.stage.name(), job.read);
        }
        // What came meanwhile may be much.
        standby.looked = standby.looked.filter(|_| job.is_going_on);
    }

    /// Ends the following of partitions that are ours now; gives those of which the state has to be read as a whole.
    pub(in crate::driver) fn take_over(&mut self, resumes: Vec<Resume>) -> Vec<Resume> {
        let Some(mut standby) = self.standby.take_if(|_| !resumes.is_empty()) else { return resumes };
        self.interrupt(&mut standby);
        let mut behind: BTreeMap<i32, Range<i64>> = BTreeMap::new();
        let (ready, rest): (Vec<Resume>, Vec<Resume>) = resumes.into_iter().partition(|r| {
            let Some(at) = standby.stands.remove(&r.partition) else { return false };
            // Outputs are read to their end of now; input up to where it is processed from.
            let end = if self.stage.restores_from_output() { i64::MAX } else { r.resume };
            let stands = at <= end;
            if stands {
                behind.insert(r.partition, at..end);
            } else {
                self.stage.revoked(r.partition);
            }
            stands
        });
        self.standby = Some(standby);
        if !ready.is_empty() {
            let step = if self.stage.restores_from_output() { Step::Outputs } else { Step::Follow };
            let job = self.continuation(ready, step, behind.into_iter().collect());
            self.intake.close(&job.numbers());
            tracing::info!("{}: taking {:?} over from where its state stands", self.stage.name(), job.numbers());
            self.restoring.push_back(job);
        }
        rest
    }

    /// Ends the reading of now where it is; what was not whole before is forgotten.
    fn interrupt(&mut self, standby: &mut Standby) {
        let Some(job) = standby.job.take() else { return };
        for place in &job.partitions {
            let partition = place.partition;
            let Some(from) = standby.stands.get(&partition).copied().filter(|_| job.is_going_on) else {
                standby.stands.remove(&partition);
                self.stage.revoked(partition);
                continue;
            };
            let read = job.reading.as_ref().and_then(|tail| tail.position(partition)).unwrap_or(from);
            standby.stand(partition, read.clamp(from, place.resume.max(from)));
        }
    }

    /// A partition goes to somebody else: whether its state stays, to be followed from where it stands.
    pub(in crate::driver) fn keeps_standing(&mut self, partition: i32) -> bool {
        let is_whole = !self.restoring.iter().any(|job| job.place(partition).is_some());
        // State that is the last outputs may be ahead of what the topic holds.
        if !is_whole || self.stage.restores_from_output() {
            return false;
        }
        let Some(at) = self.position.get(&partition).or(self.resume.get(&partition)).copied() else { return false };
        self.standby.as_mut().is_some_and(|standby| {
            standby.stand(partition, at);
            true
        })
    }
}
