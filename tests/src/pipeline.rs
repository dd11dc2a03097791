//! A pipeline under a prefix of its own, load reports for it, and its decoded topics.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_schemas::records::{Cause, LoadReport, QuotaCommand, QuotaMode, Record};
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, Topic};

use crate::binary::{self, Finished, Running};
use crate::brokers::TestBroker;
use crate::client::{self, Raw};
use crate::groups;
pub use crate::process::PATIENCE;

/// Time between two reports of a node.
pub const INTERVAL_MS: i64 = 10_000;

/// One test's topics on a broker.
#[derive(Debug)]
pub struct Pipeline {
    bootstrap: String,
    prefix: String,
}

impl Pipeline {
    /// Topics under `name.`, which are created.
    ///
    /// # Panics
    /// Where that fails.
    #[must_use]
    pub fn new(broker: &TestBroker, name: &str) -> Self {
        let site = Self::at(broker.bootstrap(), name);
        broker.provision(&site.prefix);
        site
    }

    /// Topics under `name.` that somebody else creates.
    #[must_use]
    pub fn at(bootstrap: &str, name: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), prefix: format!("{name}.") }
    }

    /// `HOST:PORT` of the broker.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What its topics' and groups' names begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Full name of a topic.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> String {
        topic.name(&self.prefix)
    }

    /// Group of a stage.
    #[must_use]
    pub fn group(&self, stage: &str) -> String {
        format!("{}{stage}", self.prefix)
    }

    /// Partitions of each member of a stage's group; none while nobody can say.
    #[must_use]
    pub fn shares(&self, stage: &str) -> Vec<usize> {
        groups::shares(&self.bootstrap, &self.group(stage)).unwrap_or_default()
    }

    /// Arguments with those that lead to this pipeline.
    pub fn arguments<'b>(&'b self, command: &[&'b str]) -> Vec<&'b str> {
        [command, &["--brokers", self.bootstrap(), "--prefix", &self.prefix]].concat()
    }

    /// Starts a command that goes on until it is stopped.
    pub fn start(&self, command: &[&str]) -> Running {
        binary::spawn(&self.arguments(command))
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &[&str]) -> Finished {
        binary::run(&self.arguments(command), PATIENCE)
    }

    /// Puts records on the load topic.
    pub fn send_load(&self, records: &[Raw]) {
        self.send(Topic::Load, records);
    }

    /// Puts records on a topic.
    pub fn send(&self, topic: Topic, records: &[Raw]) {
        client::produce(self.bootstrap(), &self.topic(topic), records).unwrap();
    }

    /// Waits until a topic holds so many records; what the process said, where it does not.
    pub fn wait_for(&self, topic: Topic, wanted: usize, running: &Running) {
        let waited = client::wait_for_count(self.bootstrap(), &self.topic(topic), wanted as u64, PATIENCE);
        waited.unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
    }

    /// All records of a topic.
    ///
    /// # Panics
    /// Where it can not be read.
    #[must_use]
    pub fn read(&self, topic: Topic) -> Vec<Raw> {
        client::read_all(self.bootstrap(), &self.topic(topic)).unwrap()
    }

    /// All records of a topic, decoded.
    ///
    /// # Panics
    /// Where one does not decode.
    #[must_use]
    pub fn decoded<T: Record>(&self, topic: Topic) -> Vec<T> {
        let mut decoder = Decoder::new(Arc::new(CatalogueIds));
        self.read(topic).iter().map(|r| decoder.decode(r.value.as_deref().unwrap()).unwrap()).collect()
    }

    /// Node and sequence of every quota command, sorted.
    pub fn answered(&self) -> Vec<(String, i64)> {
        let commands = self.decoded::<QuotaCommand>(Topic::Quotas);
        let mut names: Vec<_> = commands.into_iter().map(|c| (c.node_id, c.sequence)).collect();
        names.sort();
        names
    }
}

/// Reports of `nodes` nodes over `rounds` rounds of 10 s that end a minute ago. The nodes are idle, busy and hot in turn,
/// so that every case of the formula comes up.
pub fn reports(nodes: usize, rounds: i64) -> Vec<LoadReport> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let begin = now / INTERVAL_MS * INTERVAL_MS - (rounds + 6) * INTERVAL_MS;
    let report = |round: i64, node: usize| {
        let mut report = LoadReport::new(format!("node-{node}"), begin + round * INTERVAL_MS, INTERVAL_MS, 500.0);
        report.pool = format!("pool-{}", node % 2);
        report.cpu = Some([0.1, 0.55, 0.92][node % 3]);
        report.memory = Some(0.2);
        report
    };
    (0..rounds).flat_map(|round| (0..nodes).map(move |node| report(round, node))).collect()
}

/// The same reports from nodes of so many pools that each of three partitions has some.
pub fn on_all_partitions(mut reports: Vec<LoadReport>) -> Vec<LoadReport> {
    for report in &mut reports {
        report.pool = format!("pool-{}", report.node_id);
    }
    reports
}

/// A command to a node whose base quota is 1000, made at the time that is its sequence, for five minutes.
pub fn quota_command(node_id: &str, sequence: i64, quota: f64) -> QuotaCommand {
    QuotaCommand {
        node_id: node_id.into(),
        pool: String::new(),
        timestamp: sequence,
        sequence,
        base_quota: 1000.0,
        quota,
        scale_factor: quota / 1000.0,
        reason: "because".into(),
        limits_hit: Vec::new(),
        predicted_load: 0.8,
        forecast_p90: 0.9,
        current_load: 0.5,
        margin: 0.0,
        hold_until: None,
        model: String::new(),
        policy: "threshold".into(),
        mode: QuotaMode::Enforce,
        steering: Vec::new(),
        valid_until: sequence + 300_000,
        cause: Cause::default(),
    }
}

/// Node and sequence of every report, sorted.
pub fn names(reports: &[LoadReport]) -> Vec<(String, i64)> {
    let mut names: Vec<_> = reports.iter().map(|r| (r.node_id.clone(), r.sequence)).collect();
    names.sort();
    names
}

/// A report as a record.
pub fn record(report: &LoadReport) -> Raw {
    encoded(Topic::Load, &report.node_id, report)
}

/// Any of our records as one of its topic.
pub fn encoded<T: Record>(topic: Topic, key: &str, content: &T) -> Raw {
    let encoder = Encoder::new(topic, T::KIND, &CatalogueIds).unwrap();
    let mut value = Vec::new();
    encoder.encode(content, &mut value).unwrap();
    Raw::new(key, value)
}

/// Reports as records.
#[must_use]
pub fn records(reports: &[LoadReport]) -> Vec<Raw> {
    reports.iter().map(record).collect()
}
