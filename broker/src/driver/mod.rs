//! The driver: carries a [`Stage`] from topic to topic.
//!
//! ```text
//!            Assigned ─> read the side input to its end ─> stage.side
//!                     ─> restore, in slices between batches (restoring.rs)
//! side records that have come ─> stage.side, before each batch
//! batch ─> stage.process ─> encode ─> publish ──────────────────────────────────────────────────────┐
//!   ▲                                                                                               │
//!   └──────── commit the lowest contiguous acknowledged offset, with where state comes back from <──┘
//! ```
//!
//! Everything here runs on one thread; delivery reports arrive on the client's.

mod backpressure;
mod positions;
mod publish;
mod restoring;
mod side;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::CommitMode;
use tidegate_schemas::codec::{Encoder, SchemaIds};
use tidegate_schemas::records::Record;

use crate::checkpoints::CheckpointTopic;
use crate::dead_letters::DeadLetterBox;
use crate::error::BrokerError;
use crate::group::{DRAIN, GroupEvent, SharedLedger};
use crate::intake::{Intake, Item};
use crate::job::{Job, Member};
use crate::logging::QuietLog;
use crate::publisher::Publisher;
use crate::settings::{ASK, KafkaSettings};
use crate::stage::Stage;
use crate::status::{Metrics, WorkStatus};

pub(crate) use positions::report_lag;
use restoring::Restoration;
use side::SideInput;

/// Time between two commits.
pub(crate) const COMMIT_EVERY: Duration = Duration::from_millis(500);

/// Runs a stage until `stop` is set or something fails that waiting does not mend.
///
/// # Errors
/// An unreachable broker or a missing topic at the start; a refusal by the broker later.
pub fn run_stage<S: Stage>(stage: S, job: &Job<'_>) -> Result<(), BrokerError> {
    let mut driver = match Driver::new(stage, job) {
        // Stopped while it waited for the schema registry: nothing was begun.
        Err(BrokerError::Schema(e)) if e.is_retryable() && job.stop.is_set() => return Ok(()),
        made => made?,
    };
    let mut batch = Vec::new();
    let mut last_commit = Instant::now();
    while !job.stop.is_set() {
        let wait = driver.patience();
        let Driver { intake, stage, .. } = &mut driver;
        intake.poll(&mut batch, job.max_batch.max(1), wait, &|r, k, t| stage.check(r, k, t))?;
        driver.serve_events(&mut batch)?;
        driver.take_side()?;
        driver.process(&mut batch)?;
        driver.restore_a_slice()?;
        if let Some(message) = driver.ledger.failure() {
            return Err(BrokerError::Refused { what: "delivering an output".into(), message });
        }
        if last_commit.elapsed() >= COMMIT_EVERY {
            driver.commit(CommitMode::Async);
            last_commit = Instant::now();
        }
    }
    if let Err(e) = driver.publisher.flush(DRAIN) {
        tracing::warn!("{}: stopping with outputs in flight, they will be made again: {e}", driver.stage.name());
    }
    driver.commit(CommitMode::Sync);
    Ok(())
}

struct Driver<'a, S: Stage> {
    stage: S,
    intake: Intake<S::Input>,
    publisher: Arc<Publisher>,
    ledger: Arc<SharedLedger>,
    dead_letters: DeadLetterBox,
    side: Option<SideInput>,
    output: String,
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
    /// How checkpoints are written, where the stage keeps any.
    checkpoints: Option<CheckpointTopic>,
    max_batch: usize,
    log: QuietLog,
    told_dropped: u64,
    metrics: &'a Metrics,
    status: &'a WorkStatus,
}

impl<'a, S: Stage> Driver<'a, S> {
    fn new(stage: S, job: &'a Job<'a>) -> Result<Self, BrokerError> {
        let settings = job.settings;
        let input = settings.topic(stage.input());
        let output = settings.topic(stage.output());
        let output_partitions = settings.partition_count(&output, ASK)?;
        if stage.restores_from_output() {
            let (a_count, b_count) = (settings.partition_count(&input, ASK)?, output_partitions);
            if a_count != b_count {
                return Err(BrokerError::PartitionMismatch { a: input, a_count, b: output, b_count });
            }
        }
        let side = stage.side_input().map(|topic| SideInput::new(topic, settings, &job.ids)).transpose()?;
        let ids = &*job.ids;
        let checkpoints = stage.keeps_checkpoints().then(|| CheckpointTopic::new(&input, settings, ids)).transpose()?;
        let encoder = Encoder::new(stage.output(), S::Output::KIND, ids)?;
        let Member { intake, publisher, ledger, dead_letters } =
            job.join(stage.name(), stage.input(), stage.depends_on_past())?;
        Ok(Self {
            stage,
            intake,
            publisher,
            ledger,
            dead_letters,
            side,
            output,
            output_partitions,
            encoder,
            settings,
            ids: Arc::clone(&job.ids),
            resume: HashMap::new(),
            position: HashMap::new(),
            bytes: Vec::new(),
            restoring: VecDeque::new(),
            checkpoints,
            max_batch: job.max_batch.max(1),
            log: QuietLog::default(),
            told_dropped: 0,
            metrics: job.metrics,
            status: job.status,
        })
    }

    /// Takes changes of the assignment in. All of `batch` was polled before them.
    fn serve_events(&mut self, batch: &mut Vec<Item<S::Input>>) -> Result<(), BrokerError> {
        while let Some(event) = self.intake.next_event() {
            match event {
                GroupEvent::Revoked(revoked) => {
                    // It was not taken, so its new owner, maybe we ourselves, reads it again.
                    batch.retain(|item| !revoked.contains(&item.source().partition));
                    for partition in revoked.iter().copied() {
                        self.stage.revoked(partition);
                        self.resume.remove(&partition);
                        self.position.remove(&partition);
                    }
                    self.stop_restoring(&revoked);
                    self.status.joined.store(!self.resume.is_empty(), Ordering::Relaxed);
                }
                GroupEvent::Assigned(resumes) => {
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
