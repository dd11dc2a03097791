//! Restore: a process of both stages is killed with a fleet in its state, and another one takes over.
//!
//! ```text
//! load of some hours ─> run forecast quota ─> all decided ─> SIGKILL ─> another process, one more report of every node
//!                                                              │                 ▼
//!                                                              └── seconds until the first and the last decision
//! ```
//!
//! The dead process stays in its group until its session ends, so that time is part of it. Event time ends some minutes after
//! the begin of a context window: the state is the dearer to restore, the more of them.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use tidegate_schemas::Topic;

use super::fleet::{self, Fleet};
use crate::binary::{self, Running};
use crate::brokers::apply_topics;
use crate::client::Counter;
use crate::kafka::{Kafka, KafkaOptions};
use crate::process::signal;

const RESTORED: &str = "tidegate_restored_records_total";
const PREFIX: &str = "restore.";
const WINDOW_MS: u64 = 3_600_000;
/// A pipeline that does not move for so long has failed.
const STALL: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct RestoreOptions {
    /// Nodes in the state.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub nodes: u64,
    /// Minutes of reports before the kill.
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: u64,
    /// Seconds between two reports of a node.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
    /// Minutes between the begin of the last context window and the kill, in event time.
    #[arg(long, default_value_t = 59, value_parser = clap::value_parser!(u64).range(..60))]
    pub into_window: u64,
    /// Partitions of every topic.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,
    /// Both processes run from the begin, and each follows the state of the other's partitions.
    #[arg(long)]
    pub standby: bool,
    /// Settings file of both processes.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Prints one object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct RestoreReport {
    pub nodes: u64,
    pub reports: u64,
    pub partitions: i32,
    pub cores: usize,
    /// Bytes of values that the forecast stage published.
    pub forecast_bytes: u64,
    pub checkpoint_bytes: u64,
    pub first_decision_s: f64,
    pub last_decision_s: f64,
    /// What the second process read to restore.
    pub restored_records: u64,
    /// Its log lines about it.
    pub log: Vec<String>,
}

/// Runs it on a Kafka of its own; `say` is told what is going on.
///
/// # Errors
/// Where a part is missing or a process ends early.
pub fn run(options: &RestoreOptions, say: &dyn Fn(&str)) -> anyhow::Result<RestoreReport> {
    let kafka = Kafka::start(&KafkaOptions::default()).context("starting Kafka")?;
    let rounds = options.minutes * 60 / options.interval;
    let reports = rounds * options.nodes;
    let site = Site { options, brokers: kafka.bootstrap() };
    site.provision()?;
    let mut fleet = Fleet::up_to(end(options), options.nodes, rounds, options.interval * 1000);
    say(&format!("{reports} reports of {} nodes, and their decisions", options.nodes));
    let first = site.start();
    let beside = options.standby.then(|| site.start());
    let load = Topic::Load.name(PREFIX);
    fleet::fill(kafka.bootstrap(), &load, &mut fleet, reports)?;
    let quotas = Counter::new(kafka.bootstrap(), &Topic::Quotas.name(PREFIX))?;
    wait(&first, || Ok(quotas.count()? >= reports), || quotas.count())?;
    // Its commits are made twice a second.
    std::thread::sleep(Duration::from_secs(2));
    if let Some(beside) = &beside {
        say("all is followed");
        stands_by(beside, &first)?;
    }
    let both = |name| {
        let of = |running: &Running| counted(running, name, "forecast");
        Ok::<u64, anyhow::Error>(of(&first)? + beside.as_ref().map_or(Ok(0), of)?)
    };
    let forecast_bytes = both("tidegate_output_bytes_total")?;
    let checkpoint_bytes = both("tidegate_checkpoint_bytes_total")?;
    let followed = beside.as_ref().map_or(Ok(0), |beside| counted(beside, RESTORED, "forecast"))?;

    say("SIGKILL");
    let killed = Instant::now();
    signal(first.pid(), "KILL")?;
    let second = beside.unwrap_or_else(|| site.start());
    fleet::fill(kafka.bootstrap(), &load, &mut fleet, options.nodes)?;
    wait(&second, || Ok(quotas.count()? > reports), || quotas.count())?;
    let first_decision_s = killed.elapsed().as_secs_f64();
    wait(&second, || Ok(quotas.count()? >= reports + options.nodes), || quotas.count())?;
    let last_decision_s = killed.elapsed().as_secs_f64();
    let said = second.stderr();
    let is_about = |line: &&str| line.contains("rest") || line.contains("rebuilding") || line.contains("reading");
    Ok(RestoreReport {
        nodes: options.nodes,
        reports,
        partitions: options.partitions,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        forecast_bytes,
        checkpoint_bytes,
        first_decision_s,
        last_decision_s,
        restored_records: counted(&second, RESTORED, "forecast")? - followed,
        log: said.lines().filter(is_about).map(ToOwned::to_owned).collect(),
    })
}

/// Waits until the state of every partition of the one is followed by the other.
fn stands_by(beside: &Running, other: &Running) -> anyhow::Result<()> {
    let began = Instant::now();
    for stage in ["forecast", "quota"] {
        let held = counted(other, "tidegate_assigned_partitions", stage)?;
        ensure!(held > 0, "{stage} has no partition that could be lost");
        let is_there = || {
            let behind = counted(beside, "tidegate_standby_left_records", stage)?;
            Ok::<bool, anyhow::Error>(counted(beside, "tidegate_standby_partitions", stage)? == held && behind == 0)
        };
        while !is_there()? {
            ensure!(began.elapsed() < STALL, "it does not follow:\n{}", beside.stderr());
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    // What it has looked at last may be some seconds old.
    std::thread::sleep(Duration::from_secs(8));
    Ok(())
}

/// The last event time, so many minutes into a window that is over.
fn end(options: &RestoreOptions) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    let into = options.into_window * 60_000;
    now.saturating_sub(into) / WINDOW_MS * WINDOW_MS + into
}

struct Site<'a> {
    options: &'a RestoreOptions,
    brokers: &'a str,
}

impl Site<'_> {
    fn provision(&self) -> anyhow::Result<()> {
        apply_topics(self.brokers, PREFIX, self.options.partitions, 1)
    }

    fn start(&self) -> Running {
        let config = self.options.config.as_ref().map(|path| path.display().to_string());
        let place = ["--brokers", self.brokers, "--prefix", PREFIX, "--metrics-listen", "127.0.0.1:0"];
        let config = config.iter().flat_map(|path| ["--config", path]);
        let standby = self.options.standby.then_some("--standby");
        binary::spawn(
            &["run", "forecast", "quota"].into_iter().chain(place).chain(config).chain(standby).collect::<Vec<_>>(),
        )
    }
}

/// Waits as long as something moves.
fn wait(
    running: &Running,
    is_done: impl Fn() -> anyhow::Result<bool>,
    moves: impl Fn() -> anyhow::Result<u64>,
) -> anyhow::Result<()> {
    let mut last = (moves()?, Instant::now());
    while !is_done()? {
        let now = moves()?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        if last.1.elapsed() > STALL || !crate::process::is_running(running.pid()) {
            bail!("it stands at {now}:\n{}", running.stderr());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// A counter of a stage, as `/metrics` shows it.
fn counted(running: &Running, name: &str, stage: &str) -> anyhow::Result<u64> {
    let said = running.stderr();
    let at = said.split_whitespace().find(|word| word.ends_with("/metrics")).context("it tells no address")?;
    let text = ureq::get(at).call()?.body_mut().read_to_string()?;
    let wanted = format!("{name}{{work=\"{stage}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&wanted));
    Ok(line.with_context(|| format!("{wanted}is not shown"))?.parse()?)
}

impl RestoreReport {
    /// Bytes of checkpoints for each byte of forecasts.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.checkpoint_bytes as f64 / self.forecast_bytes.max(1) as f64
    }
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, reports, partitions, cores, .. } = self;
        writeln!(f, "{nodes} nodes, {reports} reports, {partitions} partitions, {cores} cores shared with the broker")?;
        let (kept, made) = (self.checkpoint_bytes as f64 / 1e6, self.forecast_bytes as f64 / 1e6);
        writeln!(f, "checkpoints {kept:.1} MB beside forecasts of {made:.1} MB: {:.1} %", self.share() * 100.0)?;
        let (first, last) = (self.first_decision_s, self.last_decision_s);
        writeln!(f, "after SIGKILL, the session included: first decision {first:.1} s, every node's {last:.1} s")?;
        writeln!(f, "records read by the forecast stage to restore: {}", self.restored_records)?;
        self.log.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
