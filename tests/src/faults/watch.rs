//! What the groups have committed, looked at again and again during the run, and when all had been decided after a fault.
//!
//! ```text
//! committed offsets of a group ─> then the ends of its output topics ─> sample     (for the checker, in this order)
//! a fault is over ─> end of the load by then ─> forecast has committed that ─> quota has committed what stood on
//!                    forecasts by then ─> recovered
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tidegate_schemas::Topic;

use crate::client;

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(200);
const ASK: Duration = Duration::from_secs(5);

/// A stage of which the commits are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Load to forecasts.
    Forecast,
    /// Forecasts to quotas.
    Quota,
}

impl Stage {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Forecast, Self::Quota];

    /// Its name, which is that of its group without the prefix.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Forecast => "forecast",
            Self::Quota => "quota",
        }
    }

    /// Topic that it reads.
    #[must_use]
    pub fn input(self) -> Topic {
        match self {
            Self::Forecast => Topic::Load,
            Self::Quota => Topic::Forecasts,
        }
    }

    /// Topic that it writes.
    #[must_use]
    pub fn output(self) -> Topic {
        match self {
            Self::Forecast => Topic::Forecasts,
            Self::Quota => Topic::Quotas,
        }
    }
}

/// End offsets, or committed ones, by partition; 0 where there is none.
pub type Offsets = Vec<i64>;

/// What stood where at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Whose commits.
    pub stage: Stage,
    /// Committed by partition of its input.
    pub committed: Offsets,
    /// Ends of its output, asked after the commits.
    pub output: Offsets,
    /// Ends of the dead letters, asked after the commits.
    pub dead_letters: Offsets,
}

/// A fault that is over, and what must be committed for all to be decided again.
#[derive(Debug)]
struct Pending {
    fault: usize,
    since: Instant,
    goal: Option<(Stage, Offsets)>,
}

/// The watch over one run.
#[derive(Debug)]
pub struct Watch {
    bootstrap: String,
    prefix: String,
    partitions: i32,
    samples: Mutex<Vec<Sample>>,
    pending: Mutex<Vec<Pending>>,
    recovered: Mutex<BTreeMap<usize, Duration>>,
}

impl Watch {
    /// Over the groups under a prefix.
    #[must_use]
    pub fn new(bootstrap: &str, prefix: &str, partitions: i32) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            prefix: prefix.to_owned(),
            partitions,
            samples: Mutex::default(),
            pending: Mutex::default(),
            recovered: Mutex::default(),
        }
    }

    /// A fault is over.
    pub fn is_over(&self, fault: usize) {
        self.pending().push(Pending { fault, since: Instant::now(), goal: None });
    }

    /// Whether everything has been decided since the last fault.
    #[must_use]
    pub fn all_recovered(&self) -> bool {
        self.pending().is_empty()
    }

    /// How long it took after each fault.
    #[must_use]
    pub fn recovered(&self) -> BTreeMap<usize, Duration> {
        self.recovered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was seen.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks until `stop` says so.
    ///
    /// # Errors
    /// Where no client could be made.
    pub fn run(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let client = |stage: Stage| -> anyhow::Result<BaseConsumer> {
            let mut config = client::config(&self.bootstrap);
            // Outputs of a transaction are on the broker before it is committed, and its marker may come to them after that.
            config.set("isolation.level", "read_uncommitted");
            config.set("group.id", format!("{}{}", self.prefix, stage.name())).set("enable.auto.commit", "false");
            Ok(config.create()?)
        };
        let clients = [client(Stage::Forecast)?, client(Stage::Quota)?];
        while !stop.load(Ordering::SeqCst) {
            for (stage, client) in Stage::ALL.into_iter().zip(&clients) {
                // With a broker away there is nothing to see; the next look may be luckier.
                drop(self.look(stage, client));
            }
            std::thread::sleep(EVERY);
        }
        Ok(())
    }

    fn look(&self, stage: Stage, client: &BaseConsumer) -> anyhow::Result<()> {
        let committed = self.committed(stage, client)?;
        self.judge(stage, client, &committed)?;
        let output = self.ends(stage.output(), client)?;
        let dead_letters = self.ends(Topic::DeadLetters, client)?;
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let last = samples.iter().rev().find(|sample| sample.stage == stage);
        if last.is_none_or(|last| last.committed != committed) {
            samples.push(Sample { stage, committed, output, dead_letters });
        }
        Ok(())
    }

    fn committed(&self, stage: Stage, client: &BaseConsumer) -> anyhow::Result<Offsets> {
        let mut asked = TopicPartitionList::new();
        let input = stage.input().name(&self.prefix);
        for partition in 0..self.partitions {
            asked.add_partition(&input, partition);
        }
        let answer = client.committed_offsets(asked, ASK)?;
        let mut committed = vec![0; usize::try_from(self.partitions)?];
        for element in answer.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                *committed.get_mut(usize::try_from(element.partition())?).context("an unknown partition")? = offset;
            }
        }
        Ok(committed)
    }

    fn ends(&self, topic: Topic, client: &BaseConsumer) -> anyhow::Result<Offsets> {
        let topic = topic.name(&self.prefix);
        let end = |partition| client.fetch_watermarks(&topic, partition, ASK).map(|(_, high)| high).map_err(Into::into);
        (0..self.partitions).map(end).collect()
    }

    /// Brings what is pending forward.
    fn judge(&self, stage: Stage, client: &BaseConsumer, committed: &Offsets) -> anyhow::Result<()> {
        let reached = |goal: &Offsets| goal.iter().zip(committed).all(|(goal, at)| at >= goal);
        let mut pending = self.pending();
        let waits = pending.iter().any(|p| p.goal.as_ref().is_none_or(|(of, goal)| *of == stage && reached(goal)));
        if !waits {
            return Ok(());
        }
        let ends = match stage {
            // What was begun is judged from the load.
            Stage::Forecast => [self.ends(Topic::Load, client)?, self.ends(Topic::Forecasts, client)?],
            Stage::Quota => [Vec::new(), Vec::new()],
        };
        let [load, forecasts] = ends;
        pending.retain_mut(|p| match (&p.goal, stage) {
            (None, Stage::Forecast) => {
                p.goal = Some((Stage::Forecast, load.clone()));
                true
            }
            (Some((Stage::Forecast, goal)), Stage::Forecast) if reached(goal) => {
                p.goal = Some((Stage::Quota, forecasts.clone()));
                true
            }
            (Some((Stage::Quota, goal)), Stage::Quota) if reached(goal) => {
                self.recovered.lock().unwrap_or_else(PoisonError::into_inner).insert(p.fault, p.since.elapsed());
                false
            }
            _ => true,
        });
        Ok(())
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Vec<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
