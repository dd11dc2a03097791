//! The ways of running the stages over one load topic, and what each must show beside the same bytes.

use std::collections::BTreeSet;
use std::time::Instant;

use tidegate_schemas::Topic;
use tidegate_schemas::records::ForecastState;
use tidegate_tests::binary;
use tidegate_tests::client::Raw;
use tidegate_tests::process::wait_until;

use crate::answers::{self, Load, Outcome, Standing};
use crate::processes::{Manner, Process};
use crate::site::{PATIENCE, Site};
use crate::way_back::WayBack;

const RECORDS: &str = "tidegate_records_total";
const RESTORED: &str = "tidegate_restored_records_total";
/// Batch of a process that is to be caught in the middle.
const CAUGHT_BATCH: usize = 50;
/// Processes that may get through before one is held.
const TRIES: usize = 5;
/// A group notices soon that a process was killed.
const SHORT_SESSION_S: u32 = 6;
/// A process that is held while the topics are read, on a busy machine, stays in its group.
const LONG_SESSION_S: u32 = 40;
const CHECKPOINTS: &str = "checkpoints";
const REWIND: &str = "rewind";
/// Reports of a node since its checkpoint: one is made every 12 windows of reports a minute apart, before the first of the next.
const SINCE_CHECKPOINT: u64 = 12 * 60 + 1;
const SINGLY: &str = "cooperative-sticky";
const ALL_AT_ONCE: &str = "range";
const WHOLE: Manner =
    Manner { max_batch: 5000, pace: None, session_s: SHORT_SESSION_S, restore: CHECKPOINTS, assignor: SINGLY };
/// The state depends on 4,757 minutes; marks into the log stand every half hour, and reports are a minute apart.
const REWIND_MS: i64 = (4_757 + 30 + 1) * 60_000;

/// What is special about a load.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Command that publishes it.
    pub(crate) publish: &'a [&'a str],
    /// Share of the forecasts after which a process may be caught in the middle.
    pub(crate) middle: f64,
    /// Outputs a second of a process that is to be caught.
    pub(crate) pace: u32,
    /// Share of the nodes that are READY when it is caught, at least.
    pub(crate) ready: f64,
    /// Whether the load is longer than the past on which the state depends.
    pub(crate) outlasts_the_reach: bool,
}

/// A plan at work.
struct Trial<'a> {
    site: &'a Site<'a>,
    plan: &'a Plan<'a>,
    load: Load,
}

type Variant = (&'static str, fn(&Trial<'_>));

const VARIANTS: [Variant; 11] = [
    ("batches of 1", |trial| trial.in_batches_of(1)),
    ("batches of 7", |trial| trial.in_batches_of(7)),
    ("batches of 5000", |trial| trial.in_batches_of(5000)),
    ("a rewind that is bounded", |trial| trial.rewinds_as_far_as_the_reach()),
    ("others join in the middle", |trial| trial.joined_in_the_middle(SINGLY)),
    ("others join, and all partitions move", |trial| trial.joined_in_the_middle(ALL_AT_ONCE)),
    ("frozen for longer than a session", |trial| trial.frozen_for_longer_than_a_session()),
    ("SIGTERM in the middle", |trial| trial.stopped_in_the_middle()),
    ("SIGKILL in the middle", |trial| trial.killed_in_the_middle(CHECKPOINTS)),
    ("SIGKILL in the middle, and by rewinding", |trial| trial.killed_in_the_middle(REWIND)),
    ("SIGKILL after the first commit", |trial| trial.killed_after_the_first_commit()),
];

/// Publishes the load while three processes answer it, then answers it again in every other way.
pub(crate) fn agree(site: &Site<'_>, plan: &Plan<'_>) {
    let first = "three processes";
    let started = Instant::now();
    let trial = Trial::published_to_three(site, plan);
    let reference = trial.outcome();
    println!("{}{first}: {} reports, {:.1} s", site.prefix(), trial.load.len(), started.elapsed().as_secs_f64());
    for (name, run) in VARIANTS {
        let started = Instant::now();
        site.reset();
        run(&trial);
        let outcome = trial.outcome();
        reference.assert_same(first, &outcome, name);
        let repeated = (outcome.forecasts.repeated, outcome.quotas.repeated);
        println!("{}{name}: repeated {repeated:?}, {:.1} s", site.prefix(), started.elapsed().as_secs_f64());
    }
}

impl<'a> Trial<'a> {
    fn published_to_three(site: &'a Site<'a>, plan: &'a Plan<'a>) -> Self {
        let processes = [(); 3].map(|()| Process::start(site, WHOLE));
        site.wait_until_shared(3);
        let place = ["--brokers", site.bootstrap(), "--prefix", site.prefix()];
        // Small batches on the topic, so that a reader can take a little of each partition.
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("publish.toml");
        std::fs::write(&settings, "[kafka]\n\"batch.num.messages\" = 50\n").unwrap();
        let place = [&place[..], &["--config", settings.to_str().unwrap()]].concat();
        let _published = binary::run(&[plan.publish, &place].concat(), PATIENCE).expect_success();
        let trial = Self { site, plan, load: answers::reports(&site.read(Topic::Load)) };
        trial.finish(Vec::from(processes), 2);
        trial
    }

    /// What stands on the topics, each report answered exactly once.
    fn outcome(&self) -> Outcome {
        let outcome = Outcome::read(self.site, &self.load);
        let mut names: Vec<_> = self.load.values().map(|r| (r.node_id.clone(), r.sequence)).collect();
        names.sort();
        assert_eq!(outcome.forecasts.names(), names, "one forecast for each report");
        assert_eq!(outcome.quotas.names(), names, "one quota command for each report");
        outcome
    }

    /// Waits until all is answered and stops the processes; at least `workers` of them did some of the work.
    fn finish(&self, processes: Vec<Process>, workers: usize) {
        let done = wait_until(PATIENCE, || self.site.is_done());
        let logs = || processes.iter().map(Process::log).collect::<Vec<_>>().join("\n");
        done.unwrap_or_else(|e| panic!("{e}: {}\n{}", self.progress(), logs()));
        for stage in ["forecast", "quota"] {
            let shares: Vec<u64> = processes.iter().map(|p| p.counter(RECORDS, stage)).collect();
            let worked = shares.iter().filter(|share| **share > 0).count();
            assert!(worked >= workers, "{stage} was the work of {worked} processes: {shares:?}\n{}", logs());
        }
        for process in processes {
            drop(process.terminate());
        }
        assert!(self.site.is_done(), "stopping took a commit back");
    }

    /// Where both groups stand.
    fn progress(&self) -> String {
        let of = |stage| format!("{stage}: shares {:?}, {:?}", self.site.shares(stage), self.site.positions(stage));
        ["forecast", "quota"].map(of).join("\n")
    }

    fn in_batches_of(&self, max_batch: usize) {
        let process = Process::start(self.site, Manner { max_batch, ..WHOLE });
        self.finish(vec![process], 1);
    }

    /// A new process would not read the whole past again.
    fn rewinds_as_far_as_the_reach(&self) {
        self.in_batches_of(5000);
        for position in self.site.positions("forecast") {
            let words = position.metadata.strip_prefix("rewind=").unwrap_or_default();
            let rewind: i64 = words.split(' ').next().unwrap_or_default().parse().unwrap();
            let of_partition = || self.load.range((position.partition, 0)..(position.partition + 1, 0));
            let last = of_partition().map(|(_, report)| report.timestamp).max().unwrap();
            let depth = last - self.load[&(position.partition, rewind)].timestamp;
            assert!(depth <= REWIND_MS, "{position:?} rewinds {} minutes", depth / 60_000);
            assert!(!self.plan.outlasts_the_reach || rewind > position.end / 2, "{position:?}");
        }
    }

    /// A process at a pace, held still when it has forecast a share of the reports and many nodes are READY. One that got
    /// through before it could be held is given another try.
    fn caught_in_the_middle(&self, manner: Manner) -> Process {
        for _ in 0..TRIES {
            let process = Process::start(self.site, manner);
            if self.catch(&process) {
                return process;
            }
            process.kill();
            self.site.reset();
        }
        panic!("{TRIES} processes got through before they could be held");
    }

    /// Holds the process still in the middle; `false` where it is too far by then.
    fn catch(&self, process: &Process) -> bool {
        let forecasts = self.site.counter(Topic::Forecasts);
        let wanted = (self.load.len() as f64 * self.plan.middle) as u64;
        // What it may still send once it is told to stop: its queue and the batch at hand.
        let in_flight = self.plan.pace as usize / 10 + CAUGHT_BATCH;
        loop {
            let reached = wait_until(PATIENCE, || forecasts.count().unwrap() >= wanted);
            reached.unwrap_or_else(|e| panic!("{e}\n{}", process.log()));
            process.pause();
            let so_far = self.site.read(Topic::Forecasts);
            if so_far.len() + in_flight >= self.load.len() {
                return false;
            }
            if Standing::of(&so_far).ready_share() >= self.plan.ready && !self.site.read(Topic::Quotas).is_empty() {
                return true;
            }
            process.resume();
        }
    }

    fn caught_manner(&self, session_s: u32) -> Manner {
        let pace = Some(self.plan.pace);
        Manner { max_batch: CAUGHT_BATCH, pace, session_s, restore: CHECKPOINTS, assignor: SINGLY }
    }

    /// What had been forecast when a process was gone: not all, or it was not caught in the middle.
    fn forecasts_so_far(&self) -> Vec<Raw> {
        let (forecasts, quotas) = (self.site.read(Topic::Forecasts), self.site.read(Topic::Quotas));
        let all = self.load.len();
        let (some, more) = (forecasts.len(), quotas.len());
        assert!(more > 0 && some < all && more < all, "it had answered all or nothing: {some} and {more} of {all}");
        forecasts
    }

    /// The others have begun to join by the time the first goes on.
    fn joined_in_the_middle(&self, assignor: &'static str) {
        let manner = Manner { assignor, ..self.caught_manner(LONG_SESSION_S) };
        let first = self.caught_in_the_middle(manner);
        let others = [(); 2].map(|()| Process::start(self.site, manner));
        first.resume();
        self.finish(std::iter::once(first).chain(others).collect(), 2);
    }

    /// Its partitions are lost: what it answers late is the same, and it takes back no commit of its heir.
    fn frozen_for_longer_than_a_session(&self) {
        let frozen = self.caught_in_the_middle(self.caught_manner(SHORT_SESSION_S));
        let heir = Process::start(self.site, WHOLE);
        let done = || wait_until(PATIENCE, || self.site.is_done());
        done().unwrap_or_else(|e| panic!("{e}: {}\n{}", self.progress(), heir.log()));
        frozen.resume();
        let back = || ["forecast", "quota"].iter().all(|stage| self.site.shares(stage).len() == 2);
        let is_back = wait_until(PATIENCE, back);
        is_back.unwrap_or_else(|e| panic!("it did not come back: {e}: {}\n{}", self.progress(), frozen.log()));
        done().unwrap_or_else(|e| panic!("a commit was taken back: {e}: {}\n{}", self.progress(), frozen.log()));
        self.finish(vec![frozen, heir], 1);
    }

    /// It finds the signal when it goes on.
    fn stopped_in_the_middle(&self) {
        drop(self.caught_in_the_middle(self.caught_manner(LONG_SESSION_S)).stop_held());
        self.goes_on_as_it_was(CHECKPOINTS);
        assert_eq!(self.outcome().forecasts.repeated, 0, "a stop in good order leaves nothing to repeat");
    }

    fn killed_in_the_middle(&self, restore: &'static str) {
        self.caught_in_the_middle(Manner { restore, ..self.caught_manner(SHORT_SESSION_S) }).kill();
        self.goes_on_as_it_was(restore);
    }

    /// Another process takes over: it rebuilds the state, and nodes that were READY do not warm up again.
    fn goes_on_as_it_was(&self, restore: &'static str) {
        let before = self.forecasts_so_far();
        let kept = self.site.read(Topic::Checkpoints).len() as u64;
        // The recorded load may be too short for one.
        assert!(restore == CHECKPOINTS || kept == 0, "{kept} checkpoints beside a setting that wants none");
        assert!(restore == REWIND || kept > 0 || !self.plan.outlasts_the_reach, "no checkpoints");
        let back: Vec<WayBack> = self.site.positions("forecast").iter().filter_map(WayBack::of).collect();
        let next = Process::start(self.site, Manner { restore, ..WHOLE });
        wait_until(PATIENCE, || self.site.is_done()).unwrap_or_else(|e| panic!("{e}\n{}", next.log()));
        let (forecast, quota) = (next.counter(RESTORED, "forecast"), next.counter(RESTORED, "quota"));
        assert!(quota > 0, "no decision was restored\n{}", next.log());
        for way in &back {
            assert_eq!(way.is_by_checkpoints(), restore == CHECKPOINTS, "{way:?}");
            assert!(way.was_gone_by(&next.log()), "it did not go back by {way:?}\n{}", next.log());
        }
        let wanted = back.iter().map(WayBack::records).sum::<u64>();
        assert!(wanted > 0 && forecast >= wanted + kept, "{forecast} were read of {wanted} and {kept} checkpoints");
        if self.plan.outlasts_the_reach {
            let nodes = before.iter().map(|raw| &raw.key).collect::<BTreeSet<_>>().len() as u64;
            let since = back.iter().map(WayBack::since_checkpoints).sum::<u64>();
            assert!(since <= nodes * SINCE_CHECKPOINT, "{since} reports of {nodes} nodes beyond checkpoints: {back:?}");
            let rewound = wanted > 2 * nodes * SINCE_CHECKPOINT;
            assert_eq!(rewound, restore == REWIND, "{wanted} reports were read again: {back:?}");
            assert!(wanted < before.len() as u64 * 4 / 5, "{wanted} of {} were read again", before.len());
        }
        self.finish(vec![next], 1);
        self.stays_ready(&before);
    }

    /// A node that was READY in its last forecast before does not warm up in the next new one.
    fn stays_ready(&self, before: &[Raw]) {
        let standing = Standing::of(before);
        let share = standing.ready_share();
        // Some may have gone on while the process was caught.
        assert!(share >= self.plan.ready / 2.0, "{share} of the nodes were READY");
        let next = standing.next_of_ready(&self.site.read(Topic::Forecasts));
        assert!(!next.is_empty(), "no READY node has a forecast after the restart");
        for (node, state) in next {
            assert_ne!(state, ForecastState::Warming, "{node} was READY before the restart");
        }
    }

    /// The first commit already says from where the state must be rebuilt.
    fn killed_after_the_first_commit(&self) {
        let process = Process::start(self.site, self.caught_manner(SHORT_SESSION_S));
        let committed = || self.site.positions("forecast").iter().any(|p| p.committed.is_some_and(|at| at > 0));
        // On a busy machine the first commit may come before the first command.
        let begun = || committed() && !self.site.read(Topic::Quotas).is_empty();
        wait_until(PATIENCE, begun).unwrap_or_else(|e| panic!("{e}\n{}", process.log()));
        process.kill();
        let _so_far = self.forecasts_so_far();
        self.finish(vec![Process::start(self.site, WHOLE)], 1);
    }
}
