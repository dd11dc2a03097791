//! The topics as an AsyncAPI 3 document, for those who read or write them without tidegate's own crates.
//!
//! ```text
//! catalogue (topics, keys, cleanup) ─┬─> channels ── operations: what tidegate receives and sends
//! VERSIONS (Avro) ───────────────────┴─> components: messages, schemas
//! ```
//!
//! Specification: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>, Kafka bindings 0.5.0.

use serde_json::{Map, Value, json};

use crate::catalogue::{PartitionBy, RecordKind, Topic};
use crate::dead_letters;
use crate::trace::{TRACEPARENT, TRACESTATE};

/// Media type of an Avro schema that stands in the document.
const AVRO: &str = "application/vnd.apache.avro+json;version=1.9.0";
const KAFKA_BINDING: &str = "0.5.0";

/// The document, for topics under `prefix`.
#[must_use]
pub fn document(prefix: &str, version: &str) -> Value {
    let channels = Topic::ALL.into_iter().map(|topic| (topic.short_name().to_owned(), channel(topic, prefix)));
    let operations = Topic::ALL.into_iter().map(operation);
    let messages = Topic::ALL.into_iter().map(|topic| (message_name(topic).to_owned(), message(topic)));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "tidegate",
            "version": version,
            "description": "Load reports of edge nodes in; forecasts, quota commands and alerts out. Values are Avro in the Confluent \
                wire format: 0x00, the schema id as 4 bytes big-endian, the datum. Without a schema registry the ids are the \
                catalogue's own, named at each message.",
            "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
        },
        "defaultContentType": "application/vnd.apache.avro",
        "servers": {
            "kafka": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "Your brokers: `--brokers` of every command.",
            },
        },
        "channels": channels.collect::<Map<_, _>>(),
        "operations": operations.collect::<Map<_, _>>(),
        "components": { "messages": messages.collect::<Map<_, _>>() },
    })
}

fn message_name(topic: Topic) -> &'static str {
    topic.record().map_or("DeadLetter", RecordKind::name)
}

fn channel(topic: Topic, prefix: &str) -> Value {
    let name = message_name(topic);
    json!({
        "address": topic.name(prefix),
        "description": about(topic),
        "messages": { name: { "$ref": format!("#/components/messages/{name}") } },
        "bindings": { "kafka": {
            "topic": topic.name(prefix),
            "topicConfiguration": { "cleanup.policy": topic.cleanup().policy().split(',').collect::<Vec<_>>() },
            "bindingVersion": KAFKA_BINDING,
        } },
    })
}

/// Seen from tidegate: what edges and operators write it receives, all else it sends.
fn operation(topic: Topic) -> (String, Value) {
    let is_input = matches!(topic, Topic::Load | Topic::Spans | Topic::Controls);
    let action = if is_input { "receive" } else { "send" };
    let channel = format!("#/channels/{}", topic.short_name());
    let name = message_name(topic);
    let operation = json!({
        "action": action,
        "channel": { "$ref": channel },
        "summary": about(topic),
        "messages": [{ "$ref": format!("{channel}/messages/{name}") }],
    });
    (format!("{action}{name}"), operation)
}

fn about(topic: Topic) -> String {
    let what = match topic {
        Topic::Load => "Load reports of the nodes.",
        Topic::Spans => "Trace spans, as OTLP's.",
        Topic::Forecasts => "One forecast for each report.",
        Topic::Quotas => "One quota command for each forecast; the last one of each node stays.",
        Topic::Checkpoints => "State of the forecast stage. Not meant for others: it may change with any version.",
        Topic::Controls => "Operators' words.",
        Topic::Alerts => "Alerts that began to fire or were resolved.",
        Topic::DeadLetters => "Records that could not be processed, as they came; headers say why.",
    };
    let partition = match topic.partition_by() {
        PartitionBy::Key => "the key (murmur2)",
        PartitionBy::PoolOrNode => "the pool, or the node where the pool is empty (murmur2)",
        PartitionBy::Single => "a single one",
        PartitionBy::Source => "the number of the source's",
    };
    format!("{what} Key: {}. Partition: {partition}.", topic.key())
}

fn message(topic: Topic) -> Value {
    let name = message_name(topic);
    let mut message = json!({
        "name": name,
        "title": name,
        "headers": headers(topic),
        "bindings": { "kafka": {
            "key": { "type": "string", "description": topic.key() },
            "bindingVersion": KAFKA_BINDING,
        } },
    });
    let Some(kind) = topic.record() else {
        message["contentType"] = "application/octet-stream".into();
        message["summary"] = "The bytes of the record that was set aside.".into();
        return message;
    };
    let current = kind.current();
    message["summary"] = format!("Schema id {}, version {} of its subject.", current.id, current.version).into();
    let schema = serde_json::from_str::<Value>(current.text).unwrap_or_default();
    message["payload"] = json!({ "schemaFormat": AVRO, "schema": schema });
    let kafka = &mut message["bindings"]["kafka"];
    kafka["schemaIdLocation"] = "payload".into();
    kafka["schemaIdPayloadEncoding"] = "confluent".into();
    kafka["schemaLookupStrategy"] = "TopicNameStrategy".into();
    message
}

fn headers(topic: Topic) -> Value {
    let mut properties = Map::new();
    let mut add = |name: &str, what: &str| {
        properties.insert(name.to_owned(), json!({ "type": "string", "description": what }));
    };
    add(TRACEPARENT, "W3C trace context of the report that led to this.");
    add(TRACESTATE, "W3C trace state, where the report has one.");
    if topic == Topic::DeadLetters {
        for (name, what) in dead_letters::HEADERS {
            add(name, what);
        }
    }
    json!({ "type": "object", "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_channel_an_operation_and_a_message_with_its_newest_schema() {
        let document = document("p.", "1.2.3");
        assert_eq!(document["operations"].as_object().unwrap().len(), Topic::ALL.len());
        for topic in Topic::ALL {
            let channel = &document["channels"][topic.short_name()];
            assert_eq!(channel["address"], topic.name("p."));
            let message = &document["components"]["messages"][message_name(topic)];
            let fields = message["payload"]["schema"]["fields"].as_array();
            assert_eq!(fields.is_some(), topic.record().is_some(), "{topic}");
        }
        let letter = &document["components"]["messages"]["DeadLetter"]["headers"]["properties"];
        assert!(letter["error.class"].is_object() && letter["source.offset"].is_object());
    }
}
