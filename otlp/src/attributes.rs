//! Attributes: OTLP's `KeyValue` and the record's.
//!
//! Texts, numbers and truths stand as themselves; what has parts (arrays, maps), bytes and nothing at all stand as the JSON text
//! of their `AnyValue`, marked, so that they leave as they came.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tidegate_schemas::records::{Attribute, AttributeValue};

/// The record's attributes.
pub(crate) fn taken(attributes: Vec<KeyValue>) -> Vec<Attribute> {
    attributes.into_iter().map(taken_one).collect()
}

fn taken_one(KeyValue { key, value, .. }: KeyValue) -> Attribute {
    let plain = |value| (value, false);
    let (value, json) = match value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => plain(AttributeValue::Text(text)),
        Some(AnyValue { value: Some(Value::BoolValue(truth)) }) => plain(AttributeValue::Bool(truth)),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => plain(AttributeValue::Int(number)),
        Some(AnyValue { value: Some(Value::DoubleValue(number)) }) => plain(AttributeValue::Double(number)),
        // A value of parts is made of the same; `serde_json` writes it, or it is nothing.
        other => (AttributeValue::Text(serde_json::to_string(&other).unwrap_or_default()), true),
    };
    Attribute { key, value, json }
}

/// OTLP's attributes.
pub(crate) fn given(attributes: Vec<Attribute>) -> Vec<KeyValue> {
    attributes.into_iter().map(given_one).collect()
}

fn given_one(Attribute { key, value, json }: Attribute) -> KeyValue {
    let value = match value {
        AttributeValue::Text(text) if json => serde_json::from_str(&text).unwrap_or_default(),
        AttributeValue::Text(text) => any(Value::StringValue(text)),
        AttributeValue::Bool(truth) => any(Value::BoolValue(truth)),
        AttributeValue::Int(number) => any(Value::IntValue(number)),
        AttributeValue::Double(number) => any(Value::DoubleValue(number)),
    };
    KeyValue { key, value, ..KeyValue::default() }
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}
