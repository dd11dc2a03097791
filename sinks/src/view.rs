//! Records as people and scripts read them: one JSON object or one line a record, for any of our topics.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_broker::RawRecord;
use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::RecordKind;
use tidegate_schemas::codec::{Decoder, SchemaIds};
use tidegate_schemas::dead_letters::{self, SetAside};
use tidegate_schemas::error::SchemaError;
use tidegate_schemas::records::{Alert, Checkpoint, Control, Forecast, LoadReport, QuotaCommand, Span};

/// Decodes the records of one topic.
#[derive(Debug)]
pub struct Viewer {
    topic: Topic,
    decoder: Decoder,
}

impl Viewer {
    /// A viewer of `topic`.
    #[must_use]
    pub fn new(topic: Topic, ids: Arc<dyn SchemaIds>) -> Self {
        Self { topic, decoder: Decoder::new(ids) }
    }

    /// The value as JSON: decoded where the topic holds our records, else as text or hex.
    ///
    /// # Errors
    /// Where the value does not decode.
    pub fn value(&mut self, record: &RawRecord) -> Result<Value, SchemaError> {
        let Some(bytes) = record.value.as_deref() else { return Ok(Value::Null) };
        let decoder = &mut self.decoder;
        match self.topic.record() {
            Some(RecordKind::LoadReport) => decoder.decode::<LoadReport>(bytes).map(|r| json!(r)),
            Some(RecordKind::Forecast) => decoder.decode::<Forecast>(bytes).map(|r| json!(r)),
            Some(RecordKind::QuotaCommand) => decoder.decode::<QuotaCommand>(bytes).map(|r| json!(r)),
            Some(RecordKind::Alert) => decoder.decode::<Alert>(bytes).map(|r| json!(r)),
            Some(RecordKind::Span) => decoder.decode::<Span>(bytes).map(|r| json!(r)),
            Some(RecordKind::Checkpoint) => decoder.decode::<Checkpoint>(bytes).map(|r| json!(r)),
            Some(RecordKind::Control) => decoder.decode::<Control>(bytes).map(|r| json!(r)),
            None => Ok(Value::String(text_or_hex(bytes))),
        }
    }

    /// The whole record as one JSON object: position, Kafka timestamp, key, headers, value (or `error`).
    pub fn object(&mut self, record: &RawRecord) -> Value {
        let headers: serde_json::Map<String, Value> = record
            .headers
            .iter()
            .map(|(key, value)| (key.clone(), value.as_deref().map_or(Value::Null, |v| Value::String(text_or_hex(v)))))
            .collect();
        let mut object = json!({
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "key": record.key.as_deref().map(text_or_hex),
            "headers": headers,
        });
        match self.value(record) {
            Ok(value) => object["value"] = value,
            Err(e) => object["error"] = Value::String(e.to_string()),
        }
        object
    }

    /// The record in one line for people.
    pub fn line(&mut self, record: &RawRecord) -> String {
        let place = format!("{}/{}", record.partition, record.offset);
        let value = match self.value(record) {
            Ok(value) => value,
            Err(e) => return format!("{place}  not readable: {e}"),
        };
        let summary = match self.topic {
            Topic::Load => load(&value),
            Topic::Forecasts => forecast(&value),
            Topic::Quotas => quota(&value),
            Topic::Alerts => alert(&value),
            Topic::Controls => control(&value),
            Topic::DeadLetters => dead_letter(record),
            _ => value.to_string(),
        };
        format!("{place}  {summary}")
    }
}

/// Bytes as text where they are printable UTF-8, else as `hex:…`.
#[must_use]
pub fn text_or_hex(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') => text.to_owned(),
        _ => format!("hex:{}", const_hex::encode(bytes)),
    }
}

/// An event time in UTC.
fn time(value: &Value) -> String {
    instant(value["timestamp"].as_u64().unwrap_or_default())
}

fn instant(ms: u64) -> String {
    // humantime writes years up to 9999.
    let ms = ms.min(253_402_300_799_999);
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    humantime::format_rfc3339_millis(at).to_string()
}

fn name(value: &Value) -> &str {
    value["node_id"].as_str().unwrap_or_default()
}

fn fraction(value: &Value) -> String {
    value.as_f64().map_or_else(|| "   -".to_owned(), |x| format!("{x:.2}"))
}

fn load(v: &Value) -> String {
    let failed = v["requests_failed_total"].as_i64().map_or(String::new(), |n| format!("  failed {n}"));
    let quota = v["quota_in_force"].as_f64().map_or(String::new(), |q| format!("  quota {q:.0}"));
    format!(
        "{}  {:<16}  cpu {}  memory {}{quota}{failed}",
        time(v),
        name(v),
        fraction(&v["cpu"]),
        fraction(&v["memory"])
    )
}

fn forecast(v: &Value) -> String {
    let peak = |of: &str| format!("{}–{}", fraction(&v[of]["p50"]), fraction(&v[of]["p90"]));
    format!(
        "{}  {:<16}  {:<7}  cpu {} peak {}  memory {} peak {}",
        time(v),
        name(v),
        v["state"].as_str().unwrap_or_default(),
        fraction(&v["current"]["cpu"]),
        peak("peak_cpu"),
        fraction(&v["current"]["memory"]),
        peak("peak_memory"),
    )
}

fn quota(v: &Value) -> String {
    let (quota, scale) = (v["quota"].as_f64().unwrap_or_default(), v["scale_factor"].as_f64().unwrap_or_default());
    let reason = v["reason"].as_str().unwrap_or_default();
    let mode = if v["mode"] == "RECOMMEND" { ", not enforced" } else { "" };
    format!("{}  {:<16}  quota {quota:.0} ({scale:.2} × base{mode})  {reason}", time(v), name(v))
}

/// When, of whom, what, since when or from when to when, and in what words.
fn alert(v: &Value) -> String {
    let at = |field: &str| v[field].as_u64().map(instant);
    let status = v["status"].as_str().unwrap_or_default();
    let about = match name(v) {
        "" => v["labels"]["pool"].as_str().unwrap_or_default(),
        node => node,
    };
    let rule = v["rule"].as_str().unwrap_or_default();
    let summary = v["annotations"]["summary"].as_str().unwrap_or_default();
    let fired = at("fired_at").unwrap_or_default();
    let (when, since) = match at("ends_at") {
        Some(ended) => (ended, format!("  (since {fired})")),
        None => (fired, String::new()),
    };
    format!("{when}  {about:<16}  {status:<8}  {rule}{since}  {summary}")
}

/// From when on, of whom, what, until when, who and why.
fn control(v: &Value) -> String {
    let Ok(control) = Control::deserialize(v) else { return v.to_string() };
    let words = if control.is_clear() { "cleared".to_owned() } else { control.words().join(", ") };
    let until = v["until"].as_u64().map_or(String::new(), |until| format!(" until {}", instant(until)));
    format!("{}  {:<16}  {words}{until}  ({}: {})", time(v), control.target, control.by, control.why)
}

fn dead_letter(record: &RawRecord) -> String {
    if let Some((letter, to)) = dead_letters::marked(&record.headers) {
        return format!("letter {letter} was replayed to {to}");
    }
    match SetAside::read(&record.headers) {
        Some((SetAside { class, message, topic, partition, offset, .. }, _)) => {
            format!("{topic}/{partition}/{offset}  {class}: {message}")
        }
        None => "not a dead letter: its headers do not say why it was set aside".to_owned(),
    }
}
