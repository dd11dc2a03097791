//! Alerts as Alertmanager's API v2 takes them.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use tidegate_schemas::records::AlertStatus;

use super::AGAIN;
use super::known::Entry;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: BTreeMap<&'a str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

/// The body of a request. An alert that fires ends, unless it is sent again, after four times the time between two sendings: should we fall
/// silent, so does it. Event time may run ahead of the wall clock; no time told does.
pub(super) fn of(alerts: &[&Entry], page: Option<&str>, wall_ms: i64) -> Vec<u8> {
    let posted: Vec<Posted<'_>> = alerts.iter().map(|entry| posted(entry, page, wall_ms)).collect();
    serde_json::to_vec(&posted).unwrap_or_default()
}

fn posted<'a>(entry: &'a Entry, page: Option<&str>, wall_ms: i64) -> Posted<'a> {
    let alert = &entry.alert;
    let mut annotations: BTreeMap<&str, String> =
        alert.annotations.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    if let Some(trace_id) = &entry.trace_id {
        annotations.entry("trace_id").or_insert_with(|| trace_id.clone());
    }
    let began = if alert.fired_at > 0 { alert.fired_at } else { alert.starts_at };
    let ends_at = match (alert.status, alert.ends_at) {
        (AlertStatus::Resolved, Some(ended)) => ended.min(wall_ms),
        (AlertStatus::Resolved, None) => wall_ms,
        (AlertStatus::Firing, _) => wall_ms + 4 * AGAIN.as_millis() as i64,
    };
    Posted {
        labels: &alert.labels,
        annotations,
        starts_at: time(began.min(wall_ms).min(ends_at)),
        ends_at: time(ends_at),
        generator_url: page.map(|page| link(page, &alert.node_id)),
    }
}

/// The page, at the node where the alert is about one.
fn link(page: &str, node_id: &str) -> String {
    let page = page.trim_end_matches('/');
    let mut link = format!("{page}/");
    if !node_id.is_empty() {
        link.push_str("#node=");
    }
    for byte in node_id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(char::from(byte));
        } else {
            link.push_str(&format!("%{byte:02X}"));
        }
    }
    link
}

fn time(ms: i64) -> String {
    // humantime writes years up to 9999.
    let ms = u64::try_from(ms).unwrap_or_default().min(253_402_300_799_999);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}

#[cfg(test)]
mod tests {
    use tidegate_schemas::records::Alert;

    use super::super::known::Known;
    use super::*;

    fn sent(alert: Alert) -> serde_json::Value {
        let mut known = Known::new(1);
        known.take(alert, Some("4bf9".into()), 0);
        let body = of(&[known.get("f").unwrap()], Some("http://page/"), 1_000_000);
        serde_json::from_slice(&body).unwrap()
    }

    fn alert() -> Alert {
        let labels = [("alertname".to_owned(), "A".to_owned())].into();
        Alert { fingerprint: "f".into(), labels, starts_at: 1, fired_at: 60_000, ..Alert::default() }
    }

    #[test]
    fn what_fires_ends_when_nobody_sends_it_again() {
        let body = sent(alert());
        assert_eq!(body[0]["startsAt"], "1970-01-01T00:01:00.000Z");
        assert_eq!(body[0]["endsAt"], "1970-01-01T00:20:40.000Z");
        assert_eq!(body[0]["annotations"]["trace_id"], "4bf9");
        assert_eq!((&body[0]["labels"]["alertname"], &body[0]["generatorURL"]), (&"A".into(), &"http://page/".into()));
    }

    #[test]
    fn the_link_leads_to_the_node() {
        assert_eq!(link("http://p:8080/", "edge 1/ä"), "http://p:8080/#node=edge%201%2F%C3%A4");
        assert_eq!(link("http://p:8080", ""), "http://p:8080/");
    }

    #[test]
    fn what_is_resolved_ends_when_it_did_and_never_ahead_of_the_clock() {
        let resolved = |ends_at| Alert { status: AlertStatus::Resolved, ends_at: Some(ends_at), ..alert() };
        assert_eq!(sent(resolved(90_000))[0]["endsAt"], "1970-01-01T00:01:30.000Z");
        assert_eq!(sent(resolved(9_000_000))[0]["endsAt"], "1970-01-01T00:16:40.000Z");
    }
}
