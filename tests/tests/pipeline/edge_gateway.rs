//! Edges that have no Kafka, over the built gateway: reports in, commands out, a gateway killed and brought back, one drained.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_tests::binary::{self, Running, STOP_TIMEOUT};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::process::{signal, wait_until};

use crate::fixture::{PATIENCE, Pipeline, encoded, on_both_brokers, quota_command};

const NODE: &str = "edge-1";

on_both_brokers!(
    reports_go_in_and_commands_come_out_over_a_gateway,
    a_drained_gateway_sends_its_edges_to_the_other,
    what_is_spooled_survives_a_kill_and_is_sent_when_a_gateway_is_back,
);

/// A gateway, and where it is.
struct Gateway {
    running: Running,
    address: String,
}

impl Gateway {
    fn start(pipeline: &Pipeline, listen: &str) -> Self {
        let mut running = pipeline.start(&["gateway", "--listen", listen]);
        running.wait_for("gateway at http://", PATIENCE).unwrap();
        Self { address: after(&running.stderr(), "gateway at http://"), running }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn kill(self) -> String {
        signal(self.running.pid(), "KILL").unwrap();
        self.running.wait(PATIENCE).unwrap();
        self.address
    }
}

/// An agent with its quota file.
struct Agent {
    running: Running,
    folder: tempfile::TempDir,
}

impl Agent {
    fn start(gateways: &[&Gateway]) -> Self {
        let urls = gateways.iter().map(|gateway| gateway.url()).collect::<Vec<_>>().join(",");
        Self::begin(&urls, tempfile::tempdir().unwrap(), false)
    }

    fn begin(urls: &str, folder: tempfile::TempDir, has_spool: bool) -> Self {
        let spool = folder.path().join("spool");
        let file = folder.path().join("quota.json");
        let arguments = [
            &["edge", "--node-id", NODE, "--base-quota", "1000", "--interval", "1s", "--gateway", urls][..],
            &["--quota-file", file.to_str().unwrap(), "--metrics-listen", "127.0.0.1:0"],
            if has_spool { &["--spool", spool.to_str().unwrap()][..] } else { &[] },
        ];
        let mut running = binary::spawn(&arguments.concat());
        running.wait_for("reporting every", PATIENCE).unwrap();
        Self { running, folder }
    }

    fn wait_for_quota(&self, quota: f64) {
        let file = || -> Value {
            let read = std::fs::read(self.folder.path().join("quota.json")).ok();
            read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
        };
        let there = || file()["quota"] == quota && file()["source"] == "centre";
        wait_until(PATIENCE, there).unwrap_or_else(|e| panic!("{e}: {:?}\n{}", file(), self.running.stderr()));
    }

    fn wait_for(&mut self, text: &str) {
        self.running.wait_for(text, PATIENCE).unwrap();
    }

    /// One value of its metrics.
    fn metric(&self, name: &str) -> u64 {
        let url = format!("http://{}", after(&self.running.stderr(), "metrics at http://"));
        let text = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }
}

/// What a log says behind some words, up to the next space.
fn after(log: &str, words: &str) -> String {
    let (_, rest) = log.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in\n{log}"));
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

/// A command that is fresh, with a quota by which it is known.
fn send(pipeline: &Pipeline, quota: f64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let command: QuotaCommand = quota_command(NODE, i64::try_from(now).unwrap(), quota);
    let other: QuotaCommand = QuotaCommand { quota: 1.0, node_id: "edge-2".into(), ..command.clone() };
    pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, NODE, &command), encoded(Topic::Quotas, "edge-2", &other)]);
}

fn sequences(pipeline: &Pipeline) -> BTreeSet<i64> {
    pipeline.decoded::<LoadReport>(Topic::Load).iter().map(|report| report.sequence).collect()
}

fn reports_go_in_and_commands_come_out_over_a_gateway(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "gateway");
    send(&pipeline, 1100.0);
    let gateway = Gateway::start(&pipeline, "127.0.0.1:0");
    let mut agent = Agent::start(&[&gateway]);
    agent.wait_for_quota(1100.0);
    send(&pipeline, 1200.0);
    agent.wait_for_quota(1200.0);
    pipeline.wait_for(Topic::Load, 2, &agent.running);
    let raw = pipeline.read(Topic::Load);
    assert!(raw.iter().all(|r| r.key.as_deref() == Some(NODE.as_bytes()) && r.header("traceparent").is_some()));

    let address = gateway.kill();
    agent.wait_for("the way to the centre: closed -> open");
    agent.wait_for("the way to the centre: open -> half-open");
    agent.wait_for("the way to the centre: half-open -> open");
    let gateway = Gateway::start(&pipeline, &address);
    agent.wait_for("the way to the centre: half-open -> closed");
    send(&pipeline, 1300.0);
    agent.wait_for_quota(1300.0);
    assert_eq!(agent.metric("tidegate_edge_breaker_state{state=\"closed\"}"), 1);

    // Every report that was made while there was no gateway is there, after the return.
    let made = usize::try_from(agent.metric("tidegate_edge_reports_total")).unwrap();
    let all = || sequences(&pipeline).len() >= made;
    wait_until(PATIENCE, all).unwrap_or_else(|e| panic!("{e}\n{}", agent.running.stderr()));
    let said = agent.running.stderr();
    assert_eq!(said.matches("closed -> open").count(), 1, "each transition once:\n{said}");
    assert_eq!(agent.running.terminate().unwrap().code, Some(0));
    assert_eq!(gateway.running.terminate().unwrap().code, Some(0));
    assert!(pipeline.read(Topic::DeadLetters).is_empty());
}

fn a_drained_gateway_sends_its_edges_to_the_other(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "two-gateways");
    let (one, other) = (Gateway::start(&pipeline, "127.0.0.1:0"), Gateway::start(&pipeline, "127.0.0.1:0"));
    let mut agent = Agent::start(&[&one, &other]);
    send(&pipeline, 1100.0);
    agent.wait_for_quota(1100.0);
    agent.wait_for(&format!("connected to {}", one.url()));
    let began = Instant::now();
    let ended = one.running.terminate().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(began.elapsed() < STOP_TIMEOUT);
    agent.wait_for("is stopping: on to another gateway");
    agent.wait_for(&format!("connected to {}", other.url()));
    send(&pipeline, 1200.0);
    agent.wait_for_quota(1200.0);
    let made = usize::try_from(agent.metric("tidegate_edge_reports_total")).unwrap();
    let all = || sequences(&pipeline).len() >= made;
    wait_until(PATIENCE, all).unwrap_or_else(|e| panic!("{e}\n{}", agent.running.stderr()));
    let ended = agent.running.terminate().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("the way to the centre"), "a drain is no failure:\n{}", ended.stderr);
    assert_eq!(other.running.terminate().unwrap().code, Some(0));
}

fn what_is_spooled_survives_a_kill_and_is_sent_when_a_gateway_is_back(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "spool");
    let gateway = Gateway::start(&pipeline, "127.0.0.1:0");
    let mut agent = Agent::begin(&gateway.url(), tempfile::tempdir().unwrap(), true);
    pipeline.wait_for(Topic::Load, 2, &agent.running);
    let address = gateway.kill();
    let url = format!("http://{address}");
    agent.wait_for("the way to the centre: closed -> open");
    let spooled = |agent: &Agent| agent.metric("tidegate_edge_spool_reports");
    wait_until(PATIENCE, || spooled(&agent) >= 3).unwrap();
    let made = usize::try_from(agent.metric("tidegate_edge_reports_total")).unwrap();
    let on_topic = sequences(&pipeline).len();
    wait_until(PATIENCE, || on_topic + usize::try_from(spooled(&agent)).unwrap() >= made).unwrap();

    signal(agent.running.pid(), "KILL").unwrap();
    agent.running.wait(PATIENCE).unwrap();
    let mut agent = Agent::begin(&url, agent.folder, true);
    assert!(spooled(&agent) >= 3, "{}", agent.running.stderr());
    agent.wait_for("the way to the centre: closed -> open");
    let gateway = Gateway::start(&pipeline, &address);
    let all = || sequences(&pipeline).len() >= made && spooled(&agent) == 0;
    wait_until(PATIENCE, all).unwrap_or_else(|e| panic!("{e}\n{}", agent.running.stderr()));
    let raw: Vec<i64> = pipeline.decoded::<LoadReport>(Topic::Load).iter().map(|report| report.sequence).collect();
    assert!(raw.is_sorted(), "in the order in which they were made: {raw:?}");
    assert_eq!(agent.running.terminate().unwrap().code, Some(0));
    assert_eq!(gateway.running.terminate().unwrap().code, Some(0));
}
