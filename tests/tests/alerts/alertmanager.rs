//! `run alertmanager` with a real Alertmanager: what fires is there under the same fingerprint, grouped and silenced there, resolved, and
//! there again after either was away.

use serde_json::Value;
use tidegate_alerts::{Labels, fingerprint};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Alert, AlertStatus};
use tidegate_tests::alertmanager::Alertmanager;
use tidegate_tests::binary::Running;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;
use tidegate_tests::pipeline::{PATIENCE, Pipeline, encoded};
use tidegate_tests::process::wait_until;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn alert(node: &str, status: AlertStatus) -> Alert {
    let labels: Labels = [("alertname", "NodeCpuHigh"), ("node", node), ("pool", "web"), ("severity", "warning")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    Alert {
        fingerprint: fingerprint(&labels),
        rule: "NodeCpuHigh".into(),
        status,
        node_id: node.into(),
        labels,
        annotations: [("summary".to_owned(), format!("{node} is hot")), ("quota".to_owned(), "1200".to_owned())].into(),
        value: 0.95,
        starts_at: 1_767_600_000_000,
        fired_at: 1_767_600_300_000,
        ends_at: (status == AlertStatus::Resolved).then_some(1_767_600_600_000),
        ..Alert::default()
    }
}

fn send(pipeline: &Pipeline, alert: &Alert) {
    let raw = encoded(Topic::Alerts, &alert.fingerprint, alert);
    let trace = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = vec![("traceparent".to_owned(), Some(trace.into_bytes()))];
    pipeline.send(Topic::Alerts, &[Raw { headers, ..raw }]);
}

/// The alerts that it shows, by node.
fn shown(alertmanager: &Alertmanager) -> Vec<(String, Value)> {
    let alerts = alertmanager.get("alerts");
    let named = |alert: &Value| (alert["labels"]["node"].as_str().unwrap_or_default().to_owned(), alert.clone());
    let mut shown: Vec<_> = alerts.as_array().unwrap().iter().map(named).collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    shown
}

fn wait_for(alertmanager: &Alertmanager, nodes: &[&str], sink: &Running) {
    let is_so = || shown(alertmanager).iter().map(|(node, _)| node.as_str()).eq(nodes.iter().copied());
    wait_until(PATIENCE, is_so).unwrap_or_else(|e| {
        panic!("{e}: {nodes:?}, but {:?}\n{}", shown(alertmanager), sink.stderr());
    });
}

#[test]
fn a_real_alertmanager_shows_what_fires_and_for_as_long() {
    let Some(alertmanager) = Alertmanager::start() else { return };
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "alertmanager");
    let url = alertmanager.url();
    let run = ["run", "alertmanager", "--alertmanager", &url, "--page-url", "http://page:8080"];
    send(&pipeline, &alert("a", AlertStatus::Firing));
    send(&pipeline, &alert("gone", AlertStatus::Firing));
    send(&pipeline, &alert("gone", AlertStatus::Resolved));
    let sink = pipeline.start(&run);
    wait_for(&alertmanager, &["a"], &sink);
    let (_, seen) = shown(&alertmanager).remove(0);
    assert_eq!(seen["fingerprint"], alert("a", AlertStatus::Firing).fingerprint, "both name it alike");
    assert_eq!(seen["startsAt"], "2026-01-05T08:05:00.000Z");
    assert_eq!(seen["generatorURL"], "http://page:8080/#node=a");
    assert_eq!((&seen["annotations"]["trace_id"], &seen["annotations"]["quota"]), (&TRACE.into(), &"1200".into()));

    send(&pipeline, &alert("b", AlertStatus::Firing));
    wait_for(&alertmanager, &["a", "b"], &sink);
    let groups = alertmanager.get("alerts/groups");
    assert_eq!((groups.as_array().unwrap().len(), &groups[0]["labels"]["pool"]), (1, &"web".into()), "{groups}");
    alertmanager.silence("node", "b");
    let silenced = || shown(&alertmanager).iter().any(|(node, a)| node == "b" && a["status"]["state"] == "suppressed");
    wait_until(PATIENCE, silenced).unwrap();

    send(&pipeline, &alert("a", AlertStatus::Resolved));
    wait_for(&alertmanager, &["b"], &sink);

    // It is away while another fires, and comes back without having kept anything.
    let port = alertmanager.port();
    drop(alertmanager);
    send(&pipeline, &alert("c", AlertStatus::Firing));
    let told = || sink.stderr().contains("does not take alerts");
    wait_until(PATIENCE, told).unwrap_or_else(|e| panic!("{e}\n{}", sink.stderr()));
    let alertmanager = Alertmanager::start_at(port).unwrap();
    wait_until(PATIENCE, || shown(&alertmanager).iter().any(|(node, _)| node == "c")).unwrap();
    assert_eq!(sink.terminate().unwrap().code, Some(0));

    // We were away: the topic says what fires.
    drop(alertmanager);
    let alertmanager = Alertmanager::start_at(port).unwrap();
    let sink = pipeline.start(&run);
    wait_for(&alertmanager, &["b", "c"], &sink);
    assert_eq!(sink.terminate().unwrap().code, Some(0));
}
