//! The live page in a real browser: a demo on free ports, driven by `page/drive_page.py`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Alert, Span};

use crate::client::{self, Raw};
use crate::pipeline::encoded;
use crate::ports::free_port;
use crate::process::{PATIENCE, wait_until};
use crate::{binary, places};

/// Long enough for the script; it ends earlier.
const DEMO_FOR: &str = "10m";

/// A node that an operator has put under a control.
const CONTROLLED: &str = "node-0007";

/// The page's view of the controlled node, once it is as wanted.
fn node(url: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let mut view = Value::Null;
    wait_until(PATIENCE, || {
        let asked = agent.get(format!("{url}api/nodes/{CONTROLLED}")).call();
        view = asked.and_then(|mut answer| answer.body_mut().read_json()).unwrap_or_default();
        is_so(&view)
    })?;
    Ok(view)
}

/// Address of the demo's broker.
fn brokers(demo: &binary::Running) -> anyhow::Result<String> {
    let said = demo.stdout();
    let broker = said.lines().find_map(|line| line.strip_prefix("embedded broker")).context("no broker is named")?;
    Ok(broker.split_whitespace().next().context("the broker has no address")?.to_owned())
}

/// Puts a node under a control once the fleet lives, as an operator would: the control begins by the fleet's own time.
fn under_control(brokers: &str, url: &str) -> anyhow::Result<()> {
    node(url, |view| view["decision"].is_object())?;
    let words = ["--override", "1500", "--by", "alice", "--why", "a test in the browser", "--brokers", brokers];
    let set = binary::run(&[&["control", "set", CONTROLLED], &words[..]].concat(), PATIENCE);
    ensure!(set.code == Some(0), "the control was not set:\n{}", set.stderr);
    Ok(())
}

/// Puts three spans into the trace of the decision by that control, as services would, and an alert that fired under it.
fn with_alert_and_trace(brokers: &str, url: &str) -> anyhow::Result<()> {
    let is_override = |decision: &&Value| decision["quota"] == 1500.0 && decision["trace"].is_string();
    let found = |view: &Value| view["decisions"].as_array()?.iter().find(is_override).cloned();
    let decision = found(&node(url, |view| found(view).is_some())?).context("the decision is gone")?;
    let trace = decision["trace"].as_str().unwrap_or_default();
    let at = decision["t"].as_i64().unwrap_or_default();
    let spans = [("1", "", "GET /cart", 0, 9_000), ("2", "1", "price", 1_000, 4_000), ("3", "2", "read", 2_000, 3_000)];
    let spans = spans.map(|(id, parent, name, from, to)| {
        let begin = at * 1_000_000;
        let full = |id: &str| if id.is_empty() { String::new() } else { format!("{id:0>16}") };
        encoded(
            Topic::Spans,
            trace,
            &Span {
                trace_id: trace.to_owned(),
                span_id: full(id),
                parent_span_id: full(parent),
                name: name.to_owned(),
                start_time_unix_nano: begin + from * 1_000,
                end_time_unix_nano: begin + to * 1_000,
                ..Span::default()
            },
        )
    });
    client::produce(brokers, "tidegate.spans", &spans)?;
    let alert = Alert {
        fingerprint: "00000000000000aa".into(),
        rule: "NodeCpuHigh".into(),
        node_id: CONTROLLED.into(),
        labels: [("alertname".to_owned(), "NodeCpuHigh".to_owned())].into(),
        annotations: [("summary".to_owned(), format!("{CONTROLLED}: made up by a test"))].into(),
        starts_at: at,
        fired_at: at + 1,
        ..Alert::default()
    };
    let parent = format!("00-{trace}-00f067aa0ba902b7-01").into_bytes();
    let raw = encoded(Topic::Alerts, &alert.fingerprint, &alert);
    client::produce(brokers, "tidegate.alerts", &[Raw { headers: vec![("traceparent".into(), Some(parent))], ..raw }])
}

/// Starts `tidegate demo`, runs the script with `python` and gives what it said.
///
/// # Errors
/// Where the demo does not come up or the script finds a fault.
pub fn drive(python: &Path, screenshot: Option<&Path>) -> anyhow::Result<String> {
    let port = free_port()?;
    let listen = format!("127.0.0.1:{port}");
    let mut demo = binary::spawn(&["demo", "--nodes", "200", "--speed", "60", "--for", DEMO_FOR, "--listen", &listen]);
    let url = format!("http://{listen}/");
    demo.wait_for("Ctrl-C", PATIENCE)?;
    let brokers = brokers(&demo)?;
    under_control(&brokers, &url)?;
    with_alert_and_trace(&brokers, &url)?;
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/page/drive_page.py")).args([&url, "--controlled", CONTROLLED]);
    if let Some(file) = screenshot {
        command.arg("--screenshot").arg(file);
    }
    let output = command.stdin(Stdio::null()).output().context("starting python")?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "the page has a fault:\n{said}\nthe demo said:\n{}", demo.stderr());
    let ended = demo.terminate()?;
    ensure!(ended.code == Some(0), "the demo ended with {:?}:\n{}", ended.code, ended.stderr);
    Ok(said)
}
