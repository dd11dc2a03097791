//! Alerts beside a decision, and the decision that an alert leads to.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::sync::Arc;

use tidegate_broker::{Keyed, RawRecord};
use tidegate_explain::{AlertState, Case, Evidence, ExplainError, Explanation, Search, Stages, Wanted};
use tidegate_forecast::Model;
use tidegate_quota::Settings;
use tidegate_schemas::records::{Alert, AlertStatus, LoadReport};
use tidegate_schemas::trace::{TRACEPARENT, TraceContext};
use tidegate_schemas::{CatalogueIds, Encoder, Topic};

const MINUTE_MS: i64 = 60_000;
const BEGUN_MS: i64 = 1_700_000_100_000;
const NAMED: &str = "00000000000000aa";

fn raw<T: Keyed>(topic: Topic, offset: i64, record: &T) -> RawRecord {
    let mut value = Vec::new();
    Encoder::new(topic, T::KIND, &CatalogueIds).unwrap().encode(record, &mut value).unwrap();
    let trace = TraceContext::root(1, record.key(), offset).traceparent().into_bytes();
    RawRecord {
        topic: format!("tidegate.{topic}"),
        offset,
        timestamp: Some(BEGUN_MS),
        key: Some(record.key().as_bytes().to_vec()),
        value: Some(value),
        headers: vec![(TRACEPARENT.into(), Some(trace))],
        ..RawRecord::default()
    }
}

/// Two hours of one report a minute.
fn load() -> Vec<RawRecord> {
    let report = |at: i64| {
        let report = LoadReport::new("n", BEGUN_MS + at * MINUTE_MS, MINUTE_MS, 1000.0);
        let raw = raw(Topic::Load, at, &LoadReport { cpu: Some(0.95), ..report.clone() });
        RawRecord { timestamp: Some(report.timestamp), ..raw }
    };
    (0..120).map(report).collect()
}

/// An alert by the minutes at which it began to hold, fired and ended.
fn alert(fingerprint: &str, node: &str, (starts, fired): (i64, i64), ended: Option<i64>) -> Alert {
    Alert {
        fingerprint: fingerprint.into(),
        rule: "Hot".into(),
        status: if ended.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
        node_id: node.into(),
        starts_at: BEGUN_MS + starts * MINUTE_MS,
        fired_at: BEGUN_MS + fired * MINUTE_MS,
        ends_at: ended.map(|ended| BEGUN_MS + ended * MINUTE_MS),
        annotations: [("summary".to_owned(), format!("{node} is hot"))].into(),
        labels: [("pool".to_owned(), "web".to_owned())].into(),
        ..Alert::default()
    }
}

fn records(alerts: &[Alert]) -> Vec<RawRecord> {
    (0..).zip(alerts).map(|(offset, alert)| raw(Topic::Alerts, offset, alert)).collect()
}

fn explain(mut evidence: Evidence, alerts: &[RawRecord], wanted: Wanted) -> Explanation {
    load().into_iter().chain(alerts.iter().cloned()).for_each(|record| evidence.take(record).unwrap());
    let stages = Stages::new(Model::shipped().unwrap(), Settings::default());
    stages.explain(&Case::of(evidence, wanted).unwrap()).unwrap()
}

fn search(alerts: &[RawRecord], fingerprint: &str) -> Search {
    let mut search = Search::of(fingerprint, Arc::new(CatalogueIds));
    load().iter().chain(alerts).for_each(|record| search.take(record).unwrap());
    search
}

#[test]
fn the_nodes_alerts_of_the_hour_stand_beside_the_decision_as_they_stood_then() {
    let alerts = records(&[
        alert("long over", "n", (1, 2), Some(9)),
        alert("over", "n", (1, 6), None),
        alert("over", "n", (1, 6), Some(60)),
        alert("another's", "m", (1, 6), None),
        alert("fires", "n", (55, 60), None),
        alert("pending", "n", (69, 74), None),
        alert("later", "n", (100, 105), None),
    ]);
    // The order in which topics and recordings come does not matter.
    for alerts in [alerts.clone(), alerts.into_iter().rev().collect()] {
        let evidence = Evidence::of("n", Arc::new(CatalogueIds));
        let explanation = explain(evidence, &alerts, Wanted::At(BEGUN_MS + 70 * MINUTE_MS));
        let stood: Vec<_> = explanation.alerts.iter().map(|alert| (alert.fingerprint.as_str(), alert.state)).collect();
        let (over, fires) = (("over", AlertState::Resolved), ("fires", AlertState::Firing));
        assert_eq!(stood, [over, fires, ("pending", AlertState::Pending), ("later", AlertState::Later)]);
        assert_eq!(explanation.alerts[1].summary, "n is hot");
        assert_eq!(explanation.alerts[1].trace_id, Some(TraceContext::root(1, "fires", 4).trace_id()));
        assert_eq!(explanation.alert, None);
    }
}

#[test]
fn a_fingerprint_leads_to_the_last_decision_before_its_alert_fired_last() {
    let again = alert(NAMED, "n", (70, 75), None);
    let alerts = records(&[alert("ff", "n", (1, 2), None), alert(NAMED, "n", (10, 15), Some(20)), again]);
    let alarm = search(&alerts, &NAMED.to_uppercase()).end().unwrap();
    assert_eq!((alarm.node_id(), alarm.fired_at()), ("n", BEGUN_MS + 75 * MINUTE_MS));
    let wanted = Wanted::At(alarm.fired_at());
    let explanation = explain(Evidence::of_alert(alarm, Arc::new(CatalogueIds)), &alerts, wanted);
    assert_eq!(explanation.timestamp, BEGUN_MS + 75 * MINUTE_MS);
    let asked = explanation.alert.unwrap();
    assert_eq!((asked.fingerprint.as_str(), asked.state, asked.ends_at), (NAMED, AlertState::Firing, None));
    assert!(explanation.alerts.contains(&asked));
}

#[test]
fn an_alert_that_leads_nowhere_is_told_in_a_sentence() {
    let alerts = records(&[alert("ff", "n", (1, 2), None), alert(NAMED, "", (1, 2), None)]);
    let unknown = search(&alerts, "0123456789abcdef").end().unwrap_err();
    assert_eq!(unknown, ExplainError::UnknownAlert { fingerprint: "0123456789abcdef".into(), others: 2 });
    let of_pool = search(&alerts, NAMED).end().unwrap_err().to_string();
    assert!(of_pool.starts_with("the alert Hot (pool=web) is about no single node"), "{of_pool}");
}
