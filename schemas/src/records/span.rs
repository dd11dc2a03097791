//! [`Span`]: one span of a trace, with the fields of OTLP v1 (`opentelemetry.proto.trace.v1.Span`).

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Value of an attribute; arrays, maps and bytes of OTLP stand as JSON text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "documented in the schema")]
pub enum AttributeValue {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
}

/// By what the input says it is. Derived, it would try one variant after the other, and make an error in words of each that does
/// not fit.
impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a truth, a number or a text")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(AttributeValue::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(AttributeValue::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(AttributeValue::Double(number as f64), AttributeValue::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(AttributeValue::Double(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(AttributeValue::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(AttributeValue::Text(text))
    }
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Attribute {
    pub key: String,
    pub value: AttributeValue,
    pub json: bool,
}

/// Role of a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "documented in the schema")]
pub enum SpanKind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// Something that happened within a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct SpanEvent {
    pub time_unix_nano: i64,
    pub name: String,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes_count: i64,
}

/// Another span that a span relates to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct SpanLink {
    pub trace_id: String,
    pub span_id: String,
    pub trace_state: String,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes_count: i64,
    pub flags: i64,
}

/// Outcome of a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "documented in the schema")]
pub enum StatusCode {
    #[default]
    Unset,
    Ok,
    Error,
}

/// How the operation ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct SpanStatus {
    pub message: String,
    pub code: StatusCode,
}

/// One span; fields, units and defaults in `avro/span.avsc`. The spans of a request share their resource and scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub trace_state: String,
    pub parent_span_id: String,
    pub flags: i64,
    pub name: String,
    pub kind: SpanKind,
    pub start_time_unix_nano: i64,
    pub end_time_unix_nano: i64,
    pub attributes: Vec<Attribute>,
    pub dropped_attributes_count: i64,
    pub events: Vec<SpanEvent>,
    pub dropped_events_count: i64,
    pub links: Vec<SpanLink>,
    pub dropped_links_count: i64,
    pub status: SpanStatus,
    #[serde(with = "super::shared")]
    pub resource_attributes: Arc<Vec<Attribute>>,
    pub resource_schema_url: String,
    pub scope_name: String,
    pub scope_version: String,
    #[serde(with = "super::shared")]
    pub scope_attributes: Arc<Vec<Attribute>>,
    pub schema_url: String,
}

super::record!(Span);
