//! Client of an outside schema registry (`schema.registry.url`): ids come from it and are remembered.
//!
//! ```text
//! id_for(topic) ─> POST /subjects/{subject}/versions ─> id      (once a topic)
//! writer_schema(id) ─> GET /schemas/ids/{id} ─> schema          (once an id)
//! ```
//!
//! An outage is waited out, here, for every command; once told to stop, it is a retryable error.
//! Source: Confluent Schema Registry API reference.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use apache_avro::Schema;
use serde::Deserialize;
use tidegate_schemas::catalogue::{RecordKind, Topic};
use tidegate_schemas::codec::{SchemaIds, WriterSchema, recognise};
use tidegate_schemas::error::SchemaError;

use crate::https::{self, Authorities};
use crate::stop::Stop;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts during an outage.
const PAUSE: Duration = Duration::from_millis(500);

/// The client, with its cache.
#[derive(Debug)]
pub struct RegistryClient {
    url: String,
    prefix: String,
    stop: Stop,
    agent: ureq::Agent,
    ids: Mutex<HashMap<Topic, u32>>,
    schemas: Mutex<HashMap<u32, WriterSchema>>,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Found {
    schema: String,
}

impl RegistryClient {
    /// A client of the registry at `url`, for topics with `prefix`, that waits for it until `stop` is set. It asks nothing
    /// yet.
    #[must_use]
    pub fn new(url: &str, prefix: &str, authorities: &Authorities, stop: &Stop) -> Self {
        let agent = authorities.client(TIMEOUT).http_status_as_error(false).build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            prefix: prefix.to_owned(),
            stop: stop.clone(),
            agent: agent.into(),
            ids: Mutex::default(),
            schemas: Mutex::default(),
        }
    }

    /// Asks until there is an answer or the process is to stop; says so in one line.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, SchemaError>) -> Result<T, SchemaError> {
        let mut away: Option<Instant> = None;
        loop {
            match ask() {
                Err(e) if e.is_retryable() && !self.stop.is_set() => {
                    if away.is_none() {
                        tracing::warn!("{e}; waiting for it");
                        away = Some(Instant::now());
                    }
                    std::thread::sleep(PAUSE);
                }
                other => {
                    if let Some(since) = away.filter(|_| other.is_ok()) {
                        tracing::info!("the schema registry answered after {:.1} s", since.elapsed().as_secs_f64());
                    }
                    return other;
                }
            }
        }
    }

    /// Which of our subjects the registry has, and how many there are; asked once, nothing is waited out.
    ///
    /// # Errors
    /// [`SchemaError::RegistryUnavailable`], [`SchemaError::RegistryRefused`].
    pub fn subjects_known(&self) -> Result<(usize, usize), SchemaError> {
        let url = format!("{}/subjects", self.url);
        let found: Option<Vec<String>> = self.answer("subjects", self.agent.get(&url).call())?;
        let found = found.ok_or_else(|| SchemaError::RegistryRefused(format!("{url}: not found")))?;
        let of_records = Topic::ALL.iter().filter(|topic| topic.record().is_some());
        let ours: Vec<String> = of_records.map(|topic| topic.subject(&self.prefix)).collect();
        Ok((ours.iter().filter(|subject| found.contains(subject)).count(), ours.len()))
    }

    fn answer<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Option<T>, SchemaError> {
        let away = |message: String| SchemaError::RegistryUnavailable(format!("{} ({what}): {message}", self.url));
        let mut response = response.map_err(|e| away(https::told(e.to_string())))?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().map_err(|e| away(e.to_string()))?;
        match status {
            200 => serde_json::from_str(&text).map(Some).map_err(|e| away(format!("not a registry's answer: {e}"))),
            404 => Ok(None),
            408 | 429 | 500.. => Err(away(format!("status {status}"))),
            _ => Err(SchemaError::RegistryRefused(format!("{} ({what}): status {status}: {text}", self.url))),
        }
    }

    fn ask_id(&self, topic: Topic, kind: RecordKind) -> Result<u32, SchemaError> {
        if let Some(id) = self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(&topic) {
            return Ok(*id);
        }
        let subject = topic.subject(&self.prefix);
        let url = format!("{}/subjects/{subject}/versions", self.url);
        let body = serde_json::json!({ "schema": kind.current().text }).to_string();
        let what = format!("registering {subject}");
        let request = self.agent.post(&url).content_type("application/vnd.schemaregistry.v1+json");
        let found: Option<Registered> = self.answer(&what, request.send(body))?;
        let id = found.ok_or_else(|| SchemaError::RegistryRefused(format!("{url}: not found")))?.id;
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, id);
        Ok(id)
    }

    fn ask_schema(&self, id: u32) -> Result<WriterSchema, SchemaError> {
        if let Some(known) = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(known.clone());
        }
        let url = format!("{}/schemas/ids/{id}", self.url);
        let unknown = || SchemaError::UnknownSchemaId { id, source_name: self.url.clone() };
        let found: Option<Found> = self.answer(&format!("schema {id}"), self.agent.get(&url).call())?;
        let text = found.ok_or_else(unknown)?.schema;
        let schema = Schema::parse_str(&text).map_err(|e| SchemaError::Incompatible {
            expected: RecordKind::LoadReport,
            id,
            message: format!("the registry's schema does not parse: {e}"),
        })?;
        let schema = recognise(schema);
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(id, schema.clone());
        Ok(schema)
    }
}

impl SchemaIds for RegistryClient {
    fn id_for(&self, topic: Topic, kind: RecordKind) -> Result<u32, SchemaError> {
        self.patiently(|| self.ask_id(topic, kind))
    }

    fn writer_schema(&self, id: u32) -> Result<WriterSchema, SchemaError> {
        self.patiently(|| self.ask_schema(id))
    }
}
