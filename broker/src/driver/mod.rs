//! The driver: carries a [`Stage`] from topic to topic.
//!
//! ```text
//!            Assigned ─> read the side input to its end ─> stage.side
//!                     ─> restore, in slices between batches (restoring/)
//! side records that have come ─> stage.side, before each batch
//! batch ─> stage.process ─> encode ─> publish ──────────────────────────────────────────────────────┐
//!   ▲                                                                                               │
//!   └──────── commit the lowest contiguous acknowledged offset, with where state comes back from <──┘
//! ```
//!
//! Under exactly-once outputs and offsets are one transaction instead (`exactly_once.rs`, `transaction/`).
//!
//! Everything here runs on one thread; delivery reports arrive on the client's.

mod exactly_once;
mod hops;
mod positions;
mod publish;
mod restoring;
mod side;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tidegate_schemas::Topic;
use tidegate_schemas::codec::{Encoder, SchemaIds};
use tidegate_schemas::records::Record;

use crate::checkpoints::CheckpointTopic;
use crate::dead_letters::DeadLetterBox;
use crate::error::BrokerError;
use crate::group::{DRAIN, GroupEvent, SharedLedger};
use crate::guarantee::Processing;
use crate::intake::{Intake, Item};
use crate::job::{Job, Member};
use crate::limits;
use crate::logging::QuietLog;
use crate::metrics::Metrics;
use crate::publisher::Publisher;
use crate::settings::{ASK, KafkaSettings};
use crate::stage::Stage;
use crate::status::WorkStatus;

pub(crate) use positions::report_lag;
use restoring::{Restoration, Standby};
use side::SideInput;

/// Time between two commits.
pub(crate) const COMMIT_EVERY: Duration = Duration::from_millis(500);
/// Pause before something is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs a stage until `stop` is set or something fails that waiting does not mend. Under exactly-once, a producer that is of
/// no use any more is not such a thing: all is made anew, with state as on an assignment. Nor is a topic that takes smaller
/// records than it did, nor a wall clock that was set back.
///
/// # Errors
/// An unreachable broker or a missing topic at the start; a refusal by the broker later; [`BrokerError::Embedded`] where
/// exactly-once is wanted of the embedded broker.
pub fn run_stage<S: Stage>(mut stage: S, job: &Job<'_>) -> Result<(), BrokerError> {
    if job.processing.is_exactly_once() {
        job.settings.check_transactions()?;
    }
    let limit_of_now = |stage: &S| {
        let kept = stage.keeps_checkpoints().then_some(Topic::Checkpoints);
        let topics: Vec<Topic> = [stage.output(), Topic::DeadLetters].into_iter().chain(kept).collect();
        limits::of_topics(job.settings, &topics)
    };
    let (mut limit, mut made_anew) = (limit_of_now(&stage), false);
    loop {
        let outcome = run_once(&mut stage, job, limit);
        let Err(e) = &outcome else { return outcome };
        let again = match e {
            // Nothing is mended where the limit is as it was.
            BrokerError::TooLarge { .. } => std::mem::replace(&mut limit, limit_of_now(&stage)) != limit,
            BrokerError::ClockSetBack(_) => true,
            e => job.processing.is_exactly_once() && (e.wants_another_producer() || (made_anew && e.is_retryable())),
        };
        if again && job.stop.is_set() {
            tracing::warn!("{}: stopping with work that is done again after the next start: {e}", stage.name());
            return Ok(());
        }
        if !again {
            return outcome;
        }
        tracing::warn!("{}: beginning again with other clients: {e}", stage.name());
        made_anew = true;
        std::thread::sleep(PAUSE);
    }
}

/// As long as its producer is good.
fn run_once<S: Stage>(stage: &mut S, job: &Job<'_>, limit: Option<usize>) -> Result<(), BrokerError> {
    let mut driver = match Driver::new(stage, job, limit) {
        // Stopped while it waited for the schema registry or for its coordinator: nothing was begun.
        Err(e) if e.is_retryable() && job.stop.is_set() => return Ok(()),
        made => made?,
    };
    let outcome = driver.work(job);
    let followed = driver.standby.as_ref().map(Standby::partitions).unwrap_or_default();
    driver.forget(&driver.resume.keys().copied().chain(followed).collect::<Vec<_>>());
    outcome
}

struct Driver<'a, S: Stage> {
    stage: &'a mut S,
    processing: Processing,
    intake: Intake<S::Input>,
    publisher: Arc<Publisher>,
    ledger: Arc<SharedLedger>,
    dead_letters: DeadLetterBox,
    side: Option<SideInput>,
    output: String,
    input_partitions: i32,
    output_partitions: i32,
    encoder: Encoder,
    settings: &'a KafkaSettings,
    ids: Arc<dyn SchemaIds>,
    /// Partitions held, with the first offset to process.
    resume: HashMap<i32, i64>,
    /// Next offset to process.
    position: HashMap<i32, i64>,
    bytes: Vec<u8>,
    /// What is restored, one after the other.
    restoring: VecDeque<Restoration>,
    /// What is followed of others, where that is asked for.
    standby: Option<Standby>,
    /// How checkpoints are written, where the stage keeps any.
    checkpoints: Option<CheckpointTopic>,
    max_batch: usize,
    log: QuietLog,
    told_dropped: u64,
    metrics: &'a Metrics,
    status: &'a WorkStatus,
}

impl<'a, S: Stage> Driver<'a, S> {
    fn new(stage: &'a mut S, job: &'a Job<'a>, limit: Option<usize>) -> Result<Self, BrokerError> {
        let settings = job.settings;
        let input = settings.topic(stage.input());
        let output = settings.topic(stage.output());
        let input_partitions = settings.partition_count(&input, ASK)?;
        let output_partitions = settings.partition_count(&output, ASK)?;
        if stage.restores_from_output() && input_partitions != output_partitions {
            let (a_count, b_count) = (input_partitions, output_partitions);
            return Err(BrokerError::PartitionMismatch { a: input, a_count, b: output, b_count });
        }
        // Where state is both outputs and past, neither alone tells where it stands.
        let can_stand_by = stage.restores_from_output() != stage.depends_on_past();
        let standby = (job.processing.standby && can_stand_by).then(Standby::default);
        let side = stage.side_input().map(|topic| SideInput::new(topic, settings, &job.ids)).transpose()?;
        let ids = &*job.ids;
        let checkpoints = stage.keeps_checkpoints().then(|| CheckpointTopic::new(&input, settings, ids)).transpose()?;
        let encoder = Encoder::new(stage.output(), S::Output::KIND, ids)?;
        let Member { intake, publisher, ledger, dead_letters } =
            job.join(stage.name(), stage.input(), stage.depends_on_past(), job.processing, limit)?;
        Ok(Self {
            stage,
            processing: job.processing,
            intake,
            publisher,
            ledger,
            dead_letters,
            side,
            output,
            input_partitions,
            output_partitions,
            encoder,
            settings,
            ids: Arc::clone(&job.ids),
            resume: HashMap::new(),
            position: HashMap::new(),
            bytes: Vec::new(),
            restoring: VecDeque::new(),
            standby,
            checkpoints,
            max_batch: job.max_batch.max(1),
            log: QuietLog::default(),
            told_dropped: 0,
            metrics: job.metrics,
            status: job.status,
        })
    }

    /// Until `stop` is set.
    fn work(&mut self, job: &Job<'_>) -> Result<(), BrokerError> {
        let mut batch = Vec::new();
        let mut last_commit = Instant::now();
        while !job.stop.is_set() {
            let wait = self.until_due(self.patience());
            let Driver { intake, stage, .. } = self;
            intake.poll(&mut batch, job.max_batch.max(1), wait, &|r, k, t| stage.check(r, k, t))?;
            self.serve_events(&mut batch)?;
            self.go_back_if_aborted(&mut batch)?;
            self.take_side()?;
            self.process(&mut batch)?;
            self.serve_transaction(&mut batch)?;
            self.restore_a_slice()?;
            self.stand_by()?;
            if let Some(e) = self.ledger.take_failure() {
                return Err(e);
            }
            if last_commit.elapsed() >= COMMIT_EVERY {
                self.intake.check_clock()?;
                self.commit(Intake::commit);
                last_commit = Instant::now();
            }
        }
        if self.processing.is_exactly_once() {
            self.end_transaction(DRAIN);
        } else if let Err(e) = self.publisher.flush(DRAIN) {
            tracing::warn!("{}: stopping with outputs in flight, they will be made again: {e}", self.stage.name());
        }
        self.commit(Intake::commit_at_last);
        Ok(())
    }

    /// Drops the state of partitions.
    fn forget(&mut self, partitions: &[i32]) {
        partitions.iter().for_each(|partition| self.stage.revoked(*partition));
        self.let_go(partitions);
    }

    /// Partitions go to somebody else; their state may stay, to be followed.
    fn hand_over(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if !self.keeps_standing(*partition) {
                self.stage.revoked(*partition);
            }
        }
        self.let_go(partitions);
    }

    /// These partitions are not held any more.
    fn let_go(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.resume.remove(partition);
            self.position.remove(partition);
        }
        self.metrics.forget(partitions);
        self.stop_restoring(partitions);
    }

    /// Takes changes of the assignment in. All of `batch` was polled before them.
    fn serve_events(&mut self, batch: &mut Vec<Item<S::Input>>) -> Result<(), BrokerError> {
        while let Some(event) = self.intake.next_event() {
            match event {
                GroupEvent::Revoked(revoked) => {
                    // It was not taken, so its new owner, maybe we ourselves, reads it again.
                    batch.retain(|item| !revoked.contains(&item.source().partition));
                    self.hand_over(&revoked);
                    self.status.joined.store(!self.resume.is_empty(), Ordering::Relaxed);
                }
                GroupEvent::Assigned(resumes) => {
                    if !resumes.is_empty() {
                        // A restore takes its time: no transaction stays open meanwhile.
                        self.end_transaction(DRAIN);
                    }
                    for r in &resumes {
                        self.ledger.lock().assign(r.partition, r.past);
                        self.resume.insert(r.partition, r.resume);
                        let (partition, offset) = (r.partition, r.resume);
                        tracing::info!(partition, offset, "{}: partition taken", self.stage.name());
                    }
                    if !resumes.is_empty() {
                        self.in_spite_of_outages("reading the side input", Self::read_side)?;
                    }
                    self.begin_restoring(resumes);
                    self.status.joined.store(true, Ordering::Relaxed);
                }
            }
            self.note_assignment();
        }
        Ok(())
    }
}
