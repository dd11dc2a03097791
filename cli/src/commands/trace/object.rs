//! A trace as JSON; the names are documented in docs/json.md.

use serde::Serialize;
use serde_json::{Map, Value};
use tidegate_schemas::records::{AttributeValue, Span, StatusCode};
use tidegate_schemas::trace_tree::service;

use crate::event_time;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace<'a> {
    trace_id: &'a str,
    spans: Vec<OneSpan<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneSpan<'a> {
    span_id: &'a str,
    parent_span_id: &'a str,
    service: &'a str,
    operation: &'a str,
    start_time: String,
    duration_ms: f64,
    tags: Map<String, Value>,
}

/// Spans in the order of their starts.
pub(super) fn of<'a>(trace_id: &'a str, spans: &'a [Span]) -> Trace<'a> {
    let one = |span: &'a Span| OneSpan {
        span_id: &span.span_id,
        parent_span_id: &span.parent_span_id,
        service: service(span),
        operation: &span.name,
        start_time: event_time::with_micros(span.start_time_unix_nano),
        duration_ms: (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e6,
        tags: tags(span),
    };
    Trace { trace_id, spans: spans.iter().map(one).collect() }
}

/// The JSON of an OTLP value as JSON people write: arrays as arrays, maps as objects.
fn plain(value: Value) -> Value {
    let Value::Object(mut of) = value else { return value };
    let mut values = |name: &str| match of.remove(name).and_then(|mut inner| inner.get_mut("values").map(Value::take)) {
        Some(Value::Array(values)) => Some(values),
        _ => None,
    };
    if let Some(values) = values("arrayValue") {
        return values.into_iter().map(plain).collect();
    }
    if let Some(pairs) = values("kvlistValue") {
        let pair = |mut pair: Value| Some((pair["key"].as_str()?.to_owned(), plain(pair["value"].take())));
        return Value::Object(pairs.into_iter().filter_map(pair).collect());
    }
    match of.into_iter().next() {
        // 64-bit numbers are text there.
        Some((kind, Value::String(text))) if kind == "intValue" => text.parse::<i64>().map_or(Value::Null, Value::from),
        Some((_, value)) => value,
        None => Value::Null,
    }
}

/// Attributes, and how it ended where that was said.
fn tags(span: &Span) -> Map<String, Value> {
    let mut tags = Map::new();
    for attribute in &span.attributes {
        let value = match &attribute.value {
            AttributeValue::Text(text) if attribute.json => plain(serde_json::from_str(text).unwrap_or_default()),
            AttributeValue::Text(text) => text.as_str().into(),
            AttributeValue::Bool(truth) => (*truth).into(),
            AttributeValue::Int(number) => (*number).into(),
            AttributeValue::Double(number) => (*number).into(),
        };
        tags.insert(attribute.key.clone(), value);
    }
    if span.status.code != StatusCode::Unset {
        let said = if span.status.code == StatusCode::Error { "ERROR" } else { "OK" };
        tags.insert("otel.status_code".into(), said.into());
        if !span.status.message.is_empty() {
            tags.insert("otel.status_description".into(), span.status.message.as_str().into());
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_parts_are_shown_as_people_write_them() {
        let of = |text: &str| plain(serde_json::from_str(text).unwrap()).to_string();
        let list = r#"{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"b"},{"boolValue":true}]}}"#;
        assert_eq!(of(list), r#"[1,"b",true]"#);
        let map = r#"{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[]}}},{"key":"b"}]}}"#;
        assert_eq!(of(map), r#"{"a":[],"b":null}"#);
        assert_eq!(of("null"), "null");
    }
}
