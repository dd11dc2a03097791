//! The schema registry's REST API for our catalogue, as pure requests and answers.
//!
//! Stock deserialisers ask `GET /schemas/ids/{id}`; serialisers and tools ask the rest. The catalogue is read-only:
//! registering a schema that it already holds gives its id, any other is refused.
//! Source: Confluent Schema Registry API reference. The socket that serves it is in `tidegate-sinks`.

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::{Value, json};

use crate::catalogue::{SchemaVersion, Topic, VERSIONS};

/// A request: method, decoded path segments, body.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path without its query, split at the slashes and percent-decoded.
    pub path: &'a [&'a str],
    /// Body as it came.
    pub body: &'a [u8],
}

/// Status and JSON body.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Value,
}

fn ok(body: Value) -> Answer {
    Answer { status: 200, body }
}

fn error(status: u16, code: u32, message: impl Into<String>) -> Answer {
    Answer { status, body: json!({ "error_code": code, "message": message.into() }) }
}

/// Answers one request about the topics with `prefix`.
#[must_use]
pub fn answer(prefix: &str, request: Request<'_>) -> Answer {
    match (request.method, request.path) {
        ("GET", [] | [""]) => ok(json!({})),
        ("GET", ["subjects"]) => ok(subjects(prefix).map(|(name, _)| name).collect()),
        ("GET", ["schemas", "types"]) => ok(json!(["AVRO"])),
        ("GET", ["schemas", "ids", id, rest @ ..]) => by_id(prefix, id, rest),
        ("GET", ["config"] | ["config", _]) => ok(json!({ "compatibilityLevel": "BACKWARD" })),
        ("GET", ["mode"] | ["mode", _]) => ok(json!({ "mode": "READONLY" })),
        (method, ["subjects", subject, rest @ ..]) => {
            on_subject(prefix, subject, |versions| about_subject(method, subject, versions, rest, request.body))
        }
        ("POST", ["compatibility", "subjects", subject, "versions", rest @ ..]) => {
            on_subject(prefix, subject, |versions| compatibility(versions, rest.first().copied(), request.body))
        }
        _ => error(404, 404, "HTTP 404 Not Found"),
    }
}

/// Subjects in the order of the topics, each with the versions of its record.
fn subjects(prefix: &str) -> impl Iterator<Item = (String, Vec<SchemaVersion>)> {
    Topic::ALL.into_iter().filter_map(move |topic| {
        let kind = topic.record()?;
        Some((topic.subject(prefix), VERSIONS.into_iter().filter(|v| v.kind == kind).collect()))
    })
}

fn on_subject(prefix: &str, subject: &str, then: impl FnOnce(&[SchemaVersion]) -> Answer) -> Answer {
    subjects(prefix)
        .find(|(name, _)| name == subject)
        .map_or_else(|| error(404, 40401, format!("Subject '{subject}' not found.")), |(_, versions)| then(&versions))
}

fn by_id(prefix: &str, id: &str, rest: &[&str]) -> Answer {
    let known = id.parse::<u32>().ok().and_then(|id| VERSIONS.into_iter().find(|v| v.id == id));
    let Some(version) = known else {
        return error(404, 40403, format!("Schema {id} not found"));
    };
    let names = || {
        subjects(prefix).filter(move |(_, versions)| versions.iter().any(|v| v.id == version.id)).map(|(name, _)| name)
    };
    match rest {
        [] => ok(json!({ "schema": version.text, "schemaType": "AVRO" })),
        ["schema"] => ok(serde_json::from_str(version.text).unwrap_or(Value::Null)),
        ["subjects"] => ok(names().collect()),
        ["versions"] => ok(names().map(|subject| json!({ "subject": subject, "version": version.version })).collect()),
        _ => error(404, 404, "HTTP 404 Not Found"),
    }
}

fn about_subject(method: &str, subject: &str, versions: &[SchemaVersion], rest: &[&str], body: &[u8]) -> Answer {
    let whole = |v: SchemaVersion| json!({ "subject": subject, "id": v.id, "version": v.version, "schema": v.text, "schemaType": "AVRO" });
    match (method, rest) {
        ("GET", ["versions"]) => ok(versions.iter().map(|v| json!(v.version)).collect()),
        ("GET", ["versions", number]) => with_version(versions, number, |v| ok(whole(v))),
        ("GET", ["versions", number, "schema"]) => {
            with_version(versions, number, |v| ok(serde_json::from_str(v.text).unwrap_or(Value::Null)))
        }
        ("POST", []) => match (given(body), find_same(versions, body)) {
            (Err(refusal), _) => refusal,
            (Ok(_), Some(v)) => ok(whole(v)),
            (Ok(_), None) => error(404, 40403, "Schema not found"),
        },
        ("POST", ["versions"]) => match (given(body), find_same(versions, body)) {
            (Err(refusal), _) => refusal,
            (Ok(_), Some(v)) => ok(json!({ "id": v.id })),
            (Ok(_), None) => error(422, 42205, format!("Subject {subject} is in read-only mode")),
        },
        _ => error(404, 404, "HTTP 404 Not Found"),
    }
}

fn with_version(versions: &[SchemaVersion], number: &str, then: impl FnOnce(SchemaVersion) -> Answer) -> Answer {
    if number == "latest" || number == "-1" {
        return versions.last().map_or_else(|| error(404, 40402, "Version latest not found."), |v| then(*v));
    }
    let Ok(wanted) = number.parse::<u32>() else {
        return error(422, 42202, format!("The specified version '{number}' is not a valid version id."));
    };
    let found = versions.iter().find(|v| v.version == wanted);
    found.map_or_else(|| error(404, 40402, format!("Version {wanted} not found.")), |v| then(*v))
}

/// The schema in a request's body.
fn given(body: &[u8]) -> Result<Schema, Answer> {
    let body: Value = serde_json::from_slice(body).map_err(|e| error(422, 42201, format!("Invalid request: {e}")))?;
    if body.get("schemaType").and_then(Value::as_str).is_some_and(|t| t != "AVRO") {
        return Err(error(422, 42201, "Invalid schema: only AVRO is served here"));
    }
    let text = body.get("schema").and_then(Value::as_str).unwrap_or_default();
    Schema::parse_str(text).map_err(|e| error(422, 42201, format!("Invalid schema: {e}")))
}

fn find_same(versions: &[SchemaVersion], body: &[u8]) -> Option<SchemaVersion> {
    let form = crate::codec::canonical_form(&given(body).ok()?)?;
    versions.iter().copied().find(|v| Schema::parse_str(v.text).is_ok_and(|s| s.canonical_form() == form))
}

/// BACKWARD compatibility: whether the given schema can read what the version's writers wrote.
fn compatibility(versions: &[SchemaVersion], number: Option<&str>, body: &[u8]) -> Answer {
    let reader = match given(body) {
        Ok(schema) => schema,
        Err(refusal) => return refusal,
    };
    let check = |v: SchemaVersion| {
        let verdict = Schema::parse_str(v.text)
            .map_err(|e| e.to_string())
            .and_then(|writer| SchemaCompatibility::can_read(&writer, &reader).map_err(|e| e.to_string()));
        let messages: Vec<String> = verdict.err().into_iter().collect();
        ok(json!({ "is_compatible": messages.is_empty(), "messages": messages }))
    };
    with_version(versions, number.unwrap_or("latest"), check)
}
