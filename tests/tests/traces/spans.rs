//! Spans as they were received, in the words of their sender.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What a span that was received says, in the words of the sender. What a receiver leaves out is empty.
pub(crate) fn as_sent(span: &Value) -> Value {
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let status = ["UNSET", "OK", "ERROR"];
    let events = all(&span["events"]);
    let events = events.map(|e| json!([e["name"], number(&e["timeUnixNano"]), attributes(&e["attributes"])]));
    let links = all(&span["links"]).map(|link| link["traceId"].clone());
    json!({
        "trace_id": span["traceId"],
        "span_id": span["spanId"],
        "parent": text(&span["parentSpanId"]),
        "name": span["name"],
        "kind": kind[span["kind"].as_u64().unwrap() as usize],
        "start": number(&span["startTimeUnixNano"]),
        "end": number(&span["endTimeUnixNano"]),
        "attributes": attributes(&span["attributes"]),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "status": status[span["status"]["code"].as_u64().unwrap_or(0) as usize],
        "message": text(&span["status"]["message"]),
    })
}

fn all(of: &Value) -> impl Iterator<Item = &Value> {
    of.as_array().into_iter().flatten()
}

fn attributes(of: &Value) -> Value {
    let pair = |pair: &Value| (pair["key"].as_str().unwrap().to_owned(), plain(&pair["value"]));
    all(of).map(pair).collect::<serde_json::Map<_, _>>().into()
}

fn plain(value: &Value) -> Value {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => all(&value["values"]).map(plain).collect(),
        _ => value.clone(),
    }
}

/// By trace and span id, without what the receiver does not print.
pub(crate) fn by_name(spans: impl Iterator<Item = Value>) -> BTreeMap<(String, String), Value> {
    let name = |span: &Value, of: &str| span[of].as_str().unwrap().to_owned();
    let without = |mut span: Value| {
        let name = (name(&span, "trace_id"), name(&span, "span_id"));
        span.as_object_mut().unwrap().retain(|key, _| key != "service" && key != "scope");
        (name, span)
    };
    spans.map(without).collect()
}
