//! Gateways and agents of the built binary, and what goes between them and the topics.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_tests::binary::{self, Running};
use tidegate_tests::process::{signal, wait_until};

use crate::fixture::{PATIENCE, Pipeline, encoded, quota_command};

pub(crate) const NODE: &str = "edge-1";

/// A gateway, and where it is.
pub(crate) struct Gateway {
    pub(crate) running: Running,
    pub(crate) address: String,
}

impl Gateway {
    pub(crate) fn start(pipeline: &Pipeline, listen: &str) -> Self {
        Self::with(pipeline, listen, &[])
    }

    /// With more flags.
    pub(crate) fn with(pipeline: &Pipeline, listen: &str, flags: &[&str]) -> Self {
        let command = ["gateway", "--listen", listen, "--metrics-listen", "127.0.0.1:0"];
        let mut running = pipeline.start(&[&command[..], flags].concat());
        running.wait_for("gateway at http", PATIENCE).unwrap();
        let said = running.stderr();
        let (_, address) =
            after(&said, "gateway at ").split_once("//").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        Self { address, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// What it shows at `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        metrics_of(&self.running)
    }

    pub(crate) fn kill(self) -> String {
        signal(self.running.pid(), "KILL").unwrap();
        self.running.wait(PATIENCE).unwrap();
        self.address
    }
}

/// An agent with its quota file.
pub(crate) struct Agent {
    pub(crate) running: Running,
    pub(crate) folder: tempfile::TempDir,
}

impl Agent {
    pub(crate) fn start(gateways: &[&Gateway]) -> Self {
        let urls = gateways.iter().map(|gateway| gateway.url()).collect::<Vec<_>>().join(",");
        Self::with(&urls, tempfile::tempdir().unwrap(), &[])
    }

    pub(crate) fn spooling(urls: &str, folder: tempfile::TempDir) -> Self {
        let spool = folder.path().join("spool");
        Self::with(urls, folder, &["--spool", spool.to_str().unwrap()])
    }

    /// With more flags.
    pub(crate) fn with(urls: &str, folder: tempfile::TempDir, flags: &[&str]) -> Self {
        Self::by(Command::new(binary::path()), urls, folder, flags)
    }

    /// By a command of its own, which runs the binary.
    pub(crate) fn by(command: Command, urls: &str, folder: tempfile::TempDir, flags: &[&str]) -> Self {
        Self::run(command, (NODE, "1000"), urls, folder, flags)
    }

    /// Of another node, with a base quota of its own.
    pub(crate) fn of(node: (&str, &str), urls: &str, folder: tempfile::TempDir, flags: &[&str]) -> Self {
        Self::run(Command::new(binary::path()), node, urls, folder, flags)
    }

    fn run(
        mut command: Command,
        (node, base): (&str, &str),
        urls: &str,
        folder: tempfile::TempDir,
        flags: &[&str],
    ) -> Self {
        command.args(["edge", "--node-id", node, "--base-quota", base, "--interval", "1s", "--gateway", urls]);
        command.arg("--quota-file").arg(folder.path().join("quota.json"));
        command.args(["--metrics-listen", "127.0.0.1:0"]).args(flags);
        let mut running = binary::start(command).unwrap();
        running.wait_for("reporting every", PATIENCE).unwrap();
        Self { running, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> Value {
        let read = std::fs::read(self.path("quota.json")).ok();
        read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Waits until the centre's quota is this.
    pub(crate) fn wait_for_quota(&self, quota: f64) {
        self.wait_for_source("centre", quota);
    }

    pub(crate) fn wait_for_source(&self, source: &str, quota: f64) {
        let there = || self.file()["quota"] == quota && self.file()["source"] == source;
        wait_until(PATIENCE, there).unwrap_or_else(|e| panic!("{e}: {:?}\n{}", self.file(), self.running.stderr()));
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        self.running.wait_for(text, PATIENCE).unwrap();
    }

    /// What it shows at `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        metrics_of(&self.running)
    }

    /// One value of its metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    /// Waits until every report that it has made so far is on the topic.
    pub(crate) fn wait_for_reports(&self, pipeline: &Pipeline) {
        let made = usize::try_from(self.metric("tidegate_edge_reports_total")).unwrap();
        let all = || sequences(pipeline).len() >= made;
        wait_until(PATIENCE, all).unwrap_or_else(|e| panic!("{e}: {made}\n{}", self.running.stderr()));
    }
}

fn metrics_of(running: &Running) -> String {
    let url = format!("http://{}", after(&running.stderr(), "metrics at http://"));
    ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap()
}

/// What a log says behind some words, up to the next space.
pub(crate) fn after(log: &str, words: &str) -> String {
    let (_, rest) = log.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in\n{log}"));
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

/// A command that is fresh, with a quota by which it is known.
pub(crate) fn send(pipeline: &Pipeline, quota: f64) {
    send_leased(pipeline, quota, 300_000);
}

/// With a lease of its own.
pub(crate) fn send_leased(pipeline: &Pipeline, quota: f64, lease_ms: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let command: QuotaCommand = quota_command(NODE, i64::try_from(now).unwrap(), quota);
    let command = QuotaCommand { valid_until: command.timestamp + lease_ms, ..command };
    let other: QuotaCommand = QuotaCommand { quota: 1.0, node_id: "edge-2".into(), ..command.clone() };
    pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, NODE, &command), encoded(Topic::Quotas, "edge-2", &other)]);
}

pub(crate) fn sequences(pipeline: &Pipeline) -> BTreeSet<i64> {
    pipeline.decoded::<LoadReport>(Topic::Load).iter().map(|report| report.sequence).collect()
}
