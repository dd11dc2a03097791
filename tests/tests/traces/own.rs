//! Spans of our own: one report from the agent over a gateway and the stages back to the agent is one trace, hop below hop, under
//! the id that its command carries; and which reports are recorded.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{QuotaCommand, Span};
use tidegate_tests::binary::{self, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::ports::free_port;
use tidegate_tests::process::wait_until;

use crate::site::{gateway, python};

const NODE: &str = "whole-way";

/// An agent over a gateway to both stages, of whose reports `share` are recorded.
struct Way {
    site: Pipeline,
    running: Vec<Running>,
}

impl Way {
    fn new(broker: &TestBroker, name: &str, share: &str) -> Self {
        let site = Pipeline::new(broker, name);
        let stages = site.start(&["run", "forecast", "quota"]);
        let (gateway, at) = gateway(&site);
        let agent = ["edge", "--node-id", NODE, "--interval", "1s", "--gateway", &at, "--trace-sample", share];
        let agent = site.start(&agent);
        Self { site, running: vec![agent, gateway, stages] }
    }

    fn spans(&self) -> BTreeMap<String, Vec<Span>> {
        let mut traces: BTreeMap<String, Vec<Span>> = BTreeMap::new();
        for span in self.site.decoded::<Span>(Topic::Spans) {
            traces.entry(span.trace_id.clone()).or_default().push(span);
        }
        traces
    }

    /// The first trace that has all five hops of a report.
    fn whole(&self) -> Vec<Span> {
        let mut found = None;
        let hops = |spans: &Vec<Span>| spans.len() == 5 && spans.iter().any(|span| span.name.starts_with("create "));
        let waited = wait_until(PATIENCE, || {
            found = self.spans().into_values().find(hops);
            found.is_some()
        });
        assert!(waited.is_ok(), "{:?}\n{}", self.spans(), self.running[0].stderr());
        found.unwrap()
    }

    fn finish(self) {
        for running in self.running {
            let ended = running.terminate().unwrap();
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        }
    }
}

fn service(span: &Span) -> String {
    let name = span.resource_attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    serde_json::to_value(&name.value).unwrap().as_str().unwrap().to_owned()
}

fn a_report_is_one_trace(broker: &TestBroker, name: &str) {
    let way = Way::new(broker, name, "100%");
    let mut spans = way.whole();
    let trace = spans[0].trace_id.clone();

    // From the root down, each span is the parent of the next.
    let mut chain = Vec::new();
    let mut parent = String::new();
    while let Some(at) = spans.iter().position(|span| span.parent_span_id == parent) {
        let span = spans.remove(at);
        parent.clone_from(&span.span_id);
        chain.push(format!("{} {}", service(&span), span.name));
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    let full = |topic: Topic| way.site.topic(topic);
    assert_eq!(
        chain,
        [
            "tidegate-edge create load".to_owned(),
            format!("tidegate-gateway send {}", full(Topic::Load)),
            format!("tidegate-forecast process {}", full(Topic::Load)),
            format!("tidegate-quota process {}", full(Topic::Forecasts)),
            "tidegate-edge process quotas".to_owned(),
        ]
    );

    // The command carries it, and people find it by that.
    let of_trace = |record: &tidegate_tests::client::Raw| {
        record.header("traceparent").is_some_and(|header| header.contains(&trace))
    };
    assert_eq!(way.site.read(Topic::Quotas).iter().filter(|record| of_trace(record)).count(), 1);
    let shown = way.site.run(&["trace", &trace]).expect_success().stdout;
    assert!(shown.starts_with(&format!("trace {trace}  5 spans, 4 services, ")), "{shown}");
    let object: Value =
        serde_json::from_str(&way.site.run(&["trace", &trace, "--json"]).expect_success().stdout).unwrap();
    let tags = |at: usize| &object["spans"][at]["tags"];
    assert_eq!(tags(0)["messaging.kafka.message.key"], NODE);
    assert_eq!(tags(2)["messaging.system"], "kafka");
    assert!(tags(3)["messaging.kafka.offset"].is_i64(), "{object}");

    // Each stage's batch is linked with the reports in it.
    let batches = way.spans().into_values().flatten().filter(|span| span.name.starts_with("receive "));
    let links: Vec<_> = batches.flat_map(|batch| batch.links).filter(|link| link.trace_id == trace).collect();
    assert_eq!(links.len(), 2, "forecast's and quota's: {links:?}");
    way.finish();
}

#[test]
fn a_report_is_one_trace_from_the_agent_and_back() {
    let Some(broker) = TestBroker::kafka() else { return };
    a_report_is_one_trace(&broker, "own-spans");
}

#[test]
fn a_report_is_one_trace_over_the_embedded_broker_too() {
    a_report_is_one_trace(&TestBroker::embedded(), "own-spans-embedded");
}

/// What `explain` prints of a running demo is found in a real receiver.
#[test]
fn the_trace_that_explain_names_is_at_the_backend() {
    let Some(python) = python() else { return };
    let port = free_port().unwrap();
    let mut command = Command::new(&python);
    command.args(["-u", "-m", "oteltap", "--port", &port.to_string()]);
    let tap = binary::start(command).unwrap();
    let otlp = format!("http://127.0.0.1:{port}");
    let flags = ["demo", "--nodes", "4", "--history", "10m", "--speed", "20", "--listen", "127.0.0.1:0"];
    // The receiver knows no gzip.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tidegate.toml");
    std::fs::write(&config, "export.compression = 'none'\n").unwrap();
    let demo = binary::spawn(&[&flags[..], &["--otlp", &otlp, "--config", config.to_str().unwrap()]].concat());
    let broker = || {
        let said = demo.stdout();
        let line = said.lines().find_map(|line| line.strip_prefix("embedded broker  "))?.to_owned();
        Some(line.split_whitespace().next()?.to_owned())
    };
    wait_until(PATIENCE, || broker().is_some()).unwrap();
    let at = broker().unwrap();
    let explained = || -> Option<String> {
        let told = binary::run(&["explain", "node-0001", "--brokers", &at, "--json"], PATIENCE);
        let told: Value = serde_json::from_str(&told.stdout).ok()?;
        Some(told["trace_id"].as_str()?.to_owned())
    };
    // A command of the history has a trace that is not recorded: one of the live ones is asked for.
    let mut named = Vec::new();
    let found = wait_until(PATIENCE, || {
        named.extend(explained());
        let spans = tap.stdout();
        named.iter().any(|trace| spans.matches(trace.as_str()).count() >= 4)
    });
    assert!(found.is_ok(), "{named:?}\n{}\n{}", demo.stderr(), tap.stderr());
    assert_eq!(demo.terminate().unwrap().code, Some(0));
    drop(tap.terminate());
}

#[test]
fn of_a_node_that_is_traced_by_a_control_every_report_is_recorded_and_of_others_none() {
    let broker = TestBroker::embedded();
    let way = Way::new(&broker, "own-spans-whole", "0");
    way.site.wait_for(Topic::Quotas, 3, &way.running[2]);
    assert!(way.spans().is_empty(), "{:?}", way.spans());
    let said = ["--by", "bob", "--why", "where does its time go?"];
    drop(way.site.run(&[&["control", "set", NODE, "--trace"][..], &said].concat()).expect_success());
    // The first command under the control asks the agent; from then on reports are recorded from their beginning.
    way.whole();
    let commands = way.site.decoded::<QuotaCommand>(Topic::Quotas);
    assert!(commands.iter().all(|command| !command.reason.contains("bob")), "it is no word on the quota");

    drop(way.site.run(&[&["control", "clear", NODE][..], &said].concat()).expect_success());
    // What was begun before the agent heard of it still comes; then no more.
    let mut last = usize::MAX;
    let ended = wait_until(PATIENCE, || {
        let now = way.spans().values().map(Vec::len).sum();
        std::thread::sleep(Duration::from_secs(3));
        std::mem::replace(&mut last, now) == now
    });
    assert!(ended.is_ok(), "spans go on");
    way.finish();
}
