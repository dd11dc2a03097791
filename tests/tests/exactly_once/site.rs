//! A Kafka of its own, a load that is answered undisturbed first, and processes that promise exactly-once.

use std::fmt::Write;
use std::time::Duration;

use tempfile::TempDir;
use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_tests::binary::Running;
use tidegate_tests::kafka::{self, Kafka, KafkaOptions};
use tidegate_tests::pipeline::{Pipeline, records, reports};
pub(crate) use tidegate_tests::process::PATIENCE;
use tidegate_tests::process::{signal, wait_until};
use tidegate_tests::{brokers, client};

use crate::answers::Answers;

const NODES: usize = 30;
const ROUNDS: i64 = 200;
/// Share of the load that is sent before a process is caught.
const BEFORE: f64 = 0.7;
/// Processes that may get through before one is caught with a transaction open.
const TRIES: usize = 200;
/// Equally long, so that values can be compared byte by byte.
const PREFIXES: [&str; 2] = ["least", "exact"];

/// How long a process may be silent before it is thrown out of its group, and its transaction may stay open; ms.
#[derive(Debug, Clone, Copy)]
struct Timeouts {
    session: u32,
    transaction: u32,
}

const SHORT: Timeouts = Timeouts { session: 6_000, transaction: 4_000 };
const LONG: Timeouts = Timeouts { session: 40_000, transaction: 60_000 };

/// One trial.
pub(crate) struct Trial {
    kafka: Kafka,
    pipeline: Pipeline,
    load: Vec<LoadReport>,
    expected: Answers,
    settings: TempDir,
    timeouts: Timeouts,
}

impl Trial {
    /// Runs a trial, and compares what stands on the topics at its end with an undisturbed run.
    pub(crate) fn with_kafka(trial: impl FnOnce(&mut Self)) {
        // A transaction that nobody ends is ended soon.
        let soon = ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500");
        let options = KafkaOptions { properties: vec![(soon.0.into(), soon.1.into())], ..KafkaOptions::default() };
        let Some(kafka) = kafka::own_with(&options) else { return };
        let load = reports(NODES, ROUNDS);
        let [undisturbed, pipeline] = PREFIXES.map(|name| {
            let pipeline = Pipeline::at(kafka.bootstrap(), name);
            brokers::provision(kafka.bootstrap(), pipeline.prefix());
            pipeline
        });
        let running = undisturbed.start(&["run", "forecast", "quota"]);
        undisturbed.send_load(&records(&load));
        undisturbed.wait_for(Topic::Quotas, load.len(), &running);
        drop(running.terminate().unwrap().expect_success());
        let expected = Answers::each_once(&undisturbed, &load);
        let mut this =
            Self { kafka, pipeline, load, expected, settings: tempfile::tempdir().unwrap(), timeouts: SHORT };
        trial(&mut this);
        assert_eq!(Answers::each_once(&this.pipeline, &this.load), this.expected);
    }

    /// From now on a process that is held still loses neither its membership nor its transaction.
    pub(crate) fn be_patient(&mut self) {
        self.timeouts = LONG;
    }

    pub(crate) fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    pub(crate) fn kafka_mut(&mut self) -> &mut Kafka {
        &mut self.kafka
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Reports on the load topic.
    pub(crate) fn sent(&self) -> usize {
        self.pipeline.read(Topic::Load).len()
    }

    /// Commands that are committed.
    pub(crate) fn answered(&self) -> usize {
        self.pipeline.read(Topic::Quotas).len()
    }

    pub(crate) fn is_in_the_middle(&self) -> bool {
        let answered = self.answered();
        answered > 0 && answered < self.sent()
    }

    /// A process of both stages whose pace leaves time to catch it.
    pub(crate) fn start(&self, strategy: &str) -> Running {
        let file = self.settings.path().join(format!("{strategy}.toml"));
        // Written once: a process that starts may be reading it.
        if !file.exists() {
            std::fs::write(&file, settings_text(strategy, self.timeouts)).unwrap();
        }
        let command = ["run", "forecast", "quota", "--guarantee", "exactly_once", "--max-batch", "50"];
        self.pipeline.start(&[&command[..], &["--config", file.to_str().unwrap()]].concat())
    }

    /// Sends a part of the load and holds a process still while it has a transaction open.
    pub(crate) fn caught_in_a_transaction(&self) -> Running {
        self.caught_by("cooperative-sticky")
    }

    pub(crate) fn caught_by(&self, strategy: &str) -> Running {
        let running = self.start(strategy);
        let cut = (self.load.len() as f64 * BEFORE) as usize;
        self.pipeline.send_load(&records(&self.load[..cut]));
        let begun = wait_until(PATIENCE, || self.answered() > 0);
        begun.unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
        for _ in 0..TRIES {
            signal(running.pid(), "STOP").unwrap();
            let forecasts = self.pipeline.topic(Topic::Forecasts);
            let is_open = || client::behind_open_transactions(self.kafka.bootstrap(), &forecasts).unwrap() > 0;
            // What was on its way to the broker when the process was stopped is there by the second look.
            if is_open() && is_open() {
                assert!(self.is_in_the_middle(), "it had answered all");
                return running;
            }
            signal(running.pid(), "CONT").unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no transaction was open in {TRIES} moments\n{}", running.stderr());
    }

    /// Sends what [`Trial::caught_by`] left.
    pub(crate) fn send_the_rest(&self) {
        let cut = (self.load.len() as f64 * BEFORE) as usize;
        self.pipeline.send_load(&records(&self.load[cut..]));
    }

    /// Waits until all is answered and stops the processes.
    pub(crate) fn finish(&self, processes: Vec<Running>) {
        let done = wait_until(PATIENCE, || self.answered() >= self.load.len());
        let logs = || processes.iter().map(Running::stderr).collect::<Vec<_>>().join("\n");
        done.unwrap_or_else(|e| panic!("{e}: {} of {}\n{}", self.answered(), self.load.len(), logs()));
        for process in processes {
            drop(process.terminate().unwrap().expect_success());
        }
    }

    /// Whether some records were sent and not committed.
    pub(crate) fn was_taken_back(&self) -> bool {
        [Topic::Forecasts, Topic::Quotas].map(|topic| self.pipeline.topic(topic)).iter().any(|topic| {
            let all = client::read_uncommitted(self.kafka.bootstrap(), topic).unwrap().len();
            all > client::read_all(self.kafka.bootstrap(), topic).unwrap().len()
        })
    }

    /// Waits until each of these members has some of the three partitions, in both groups.
    pub(crate) fn wait_until_shared(&self, members: &[&Running]) {
        let shares = |stage| self.pipeline.shares(stage);
        let shared = |stage| {
            let shares = shares(stage);
            shares.len() == members.len() && shares.iter().sum::<usize>() == 3 && !shares.contains(&0)
        };
        let done = wait_until(PATIENCE, || shared("forecast") && shared("quota"));
        let logs = || members.iter().map(|m| m.stderr()).collect::<Vec<_>>().join("\n");
        done.unwrap_or_else(|e| panic!("{e}: {:?}, {:?}\n{}", shares("forecast"), shares("quota"), logs()));
    }
}

/// A pace is kept by a producer that may hold only so many records, and sends them ten times a second.
fn settings_text(strategy: &str, Timeouts { session, transaction }: Timeouts) -> String {
    let mut text = format!("[kafka]\n\"session.timeout.ms\" = {session}\n\"heartbeat.interval.ms\" = 300\n");
    writeln!(text, "\"partition.assignment.strategy\" = \"{strategy}\"").unwrap();
    writeln!(text, "\"transaction.timeout.ms\" = {transaction}").unwrap();
    text + "\"linger.ms\" = 50\n\"queue.buffering.max.messages\" = 50\n\"fetch.message.max.bytes\" = 8192\n"
}
