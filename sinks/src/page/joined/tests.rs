//! From an alert to its decision and its trace, and back.

use serde_json::{Value, json};
use tidegate_schemas::records::Alert;

use super::super::tests::{T, command, report};
use super::super::traces::tests::span;
use super::super::{Beside, Limits, PageState};

const RAISED: u128 = 0xa;
const FIRED: u128 = 0xb;

fn id(trace: u128) -> String {
    format!("{trace:032x}")
}

/// A node whose quota was raised twice; an alert fired between, by a report of its own.
fn page() -> PageState {
    let mut page = PageState::new(Limits::default());
    page.apply_report(&report("a", T, 0.95));
    let beside = |trace| Beside { latency_ms: None, trace: Some(id(trace)) };
    page.apply_command(&command("a", T, 1.3, 0.9, 0.95), beside(RAISED));
    page.apply_command(&command("a", T + 60_000, 1.6, 0.9, 0.95), beside(0xc));
    let annotations = [("summary".to_owned(), "a is hot".to_owned())].into();
    let alert = Alert {
        fingerprint: "f".into(),
        rule: "Hot".into(),
        node_id: "a".into(),
        annotations,
        starts_at: T - 300_000,
        fired_at: T + 59_999,
        ..Alert::default()
    };
    page.apply_alert(&alert, Some(id(FIRED)));
    page.apply_alert(&Alert { node_id: "nobody".into(), ..alert.clone() }, None);
    page.apply_alert(&Alert { node_id: String::new(), ..alert }, None);
    for trace in [RAISED, FIRED] {
        page.apply_span(&span(trace, "1", "", (0, 9)));
    }
    page
}

fn as_json(view: impl serde::Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(&view).unwrap()).unwrap()
}

#[test]
fn an_alert_leads_to_the_decision_in_force_when_it_fired_and_to_its_trace() {
    let page = page();
    let node = as_json(page.node("a"));
    let alert = &node["alerts"][0];
    assert_eq!((&alert["rule"], &alert["decision"], &alert["spans"]), (&json!("Hot"), &json!(T), &json!(1)));
    assert_eq!((&alert["trace"], &alert["ends_at"]), (&json!(id(FIRED)), &Value::Null));
    assert_eq!(node["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(as_json(page.fleet())["counts"]["alerting"], 1);
}

#[test]
fn a_decision_names_the_alerts_under_it_and_its_trace() {
    let page = page();
    let decisions = as_json(page.decisions(9))["decisions"].clone();
    let joined = |at: usize| (&decisions[at]["alerts"], &decisions[at]["spans"], &decisions[at]["trace"]);
    assert_eq!(joined(0), (&json!([]), &json!(0), &json!(id(0xc))), "its trace was not sampled");
    assert_eq!(joined(1), (&json!(["Hot"]), &json!(1), &json!(id(RAISED))));
    assert_eq!(as_json(page.node("a"))["decisions"], decisions);
}

#[test]
fn a_trace_leads_back_to_its_decision_and_its_alerts() {
    let page = page();
    let raised = as_json(page.trace(&id(RAISED)));
    assert_eq!((&raised["decision"]["node"], &raised["decision"]["t"]), (&json!("a"), &json!(T)));
    assert_eq!(raised["alerts"], json!([]));
    let fired = as_json(page.trace(&id(FIRED)));
    assert_eq!(fired["alerts"], json!([{ "node": "a", "name": "Hot", "t": T + 59_999 }]));
    assert_eq!(fired["decision"], Value::Null);
    assert!(page.trace(&id(0xc)).is_none());
}

#[test]
fn a_trace_still_leads_to_its_node_when_its_decision_has_left_the_list() {
    let mut page = page();
    for at in 2..40 {
        let scale = if at % 2 == 0 { 1.3 } else { 1.6 };
        page.apply_command(&command("a", T + at * 60_000, scale, 0.9, 0.95), Beside::default());
    }
    let raised = as_json(page.trace(&id(RAISED)));
    assert_eq!((&raised["decision"]["node"], &raised["decision"]["t"]), (&json!("a"), &json!(T)));
    let decisions = as_json(page.node("a"))["decisions"].clone();
    assert!(decisions.as_array().unwrap().iter().all(|decision| decision["t"] != json!(T)), "it has left");
}
