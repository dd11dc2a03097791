//! Forecasts and quota commands as any stock consumer sees them: the schema by its id from the registry, the rest by
//! apache-avro. None of the product's own code.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use crate::client::Raw;

use super::sender::Name;

/// A forecast or a quota command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Partition and offset.
    pub place: (i32, i64),
    /// Key.
    pub key: Vec<u8>,
    /// The bytes.
    pub value: Vec<u8>,
    /// Node and sequence.
    pub name: Name,
    /// Topic, partition and offset of the report.
    pub cause: (Arc<str>, i32, i64),
}

/// Schemas of a registry, each asked for once.
pub struct Schemas {
    url: String,
    readers: HashMap<u32, GenericDatumReader<'static>>,
    names: HashMap<String, Arc<str>>,
}

impl std::fmt::Debug for Schemas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schemas").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Schemas {
    /// Of the registry at `url`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), readers: HashMap::new(), names: HashMap::new() }
    }

    /// Decodes all records of a topic.
    ///
    /// # Errors
    /// Names the first that does not decode.
    pub fn answers(&mut self, records: Vec<Raw>) -> anyhow::Result<Vec<Answer>> {
        let decode = |raw: Raw| {
            let place = (raw.partition, raw.offset);
            self.answer(raw).with_context(|| format!("decoding the record at {place:?}"))
        };
        records.into_iter().map(decode).collect()
    }

    fn answer(&mut self, raw: Raw) -> anyhow::Result<Answer> {
        let value = raw.value.context("a tombstone")?;
        ensure!(value.len() > 5 && value[0] == 0, "it is not in the wire format");
        let id = u32::from_be_bytes(value[1..5].try_into()?);
        let Value::Record(fields) = self.reader(id)?.read_value(&mut &value[5..])? else { bail!("it is no record") };
        let mut name = (None, None);
        let mut cause = None;
        for (field, content) in fields {
            match (field.as_str(), content) {
                ("node_id", Value::String(node)) => name.0 = Some(self.shared(node)),
                ("sequence", content) => name.1 = Some(number(&content)?),
                ("cause", Value::Record(fields)) => cause = Some(self.cause(fields)?),
                _ => {}
            }
        }
        let (Some(node), Some(sequence)) = name else { bail!("it has no node and sequence") };
        let key = raw.key.context("it has no key")?;
        let cause = cause.context("it has no cause")?;
        Ok(Answer { place: (raw.partition, raw.offset), key, value, name: (node, sequence), cause })
    }

    fn cause(&mut self, fields: Vec<(String, Value)>) -> anyhow::Result<(Arc<str>, i32, i64)> {
        let [(_, Value::String(topic)), (_, partition), (_, offset)] = &fields[..] else { bail!("an unknown cause") };
        Ok((self.shared(topic.clone()), i32::try_from(number(partition)?)?, number(offset)?))
    }

    /// One copy of each name.
    fn shared(&mut self, name: String) -> Arc<str> {
        if let Some(known) = self.names.get(&name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = name.as_str().into();
        self.names.insert(name, Arc::clone(&shared));
        shared
    }

    fn reader(&mut self, id: u32) -> anyhow::Result<&GenericDatumReader<'static>> {
        if !self.readers.contains_key(&id) {
            let url = format!("{}/schemas/ids/{id}", self.url);
            let text = ureq::get(&url).call().with_context(|| url.clone())?.body_mut().read_to_string()?;
            let found: serde_json::Value = serde_json::from_str(&text)?;
            let schema = Schema::parse_str(found["schema"].as_str().with_context(|| format!("{url}: {text}"))?)?;
            // There are few, and the readers want them for as long as they live.
            let schema: &'static Schema = Box::leak(Box::new(schema));
            self.readers.insert(id, GenericDatumReader::builder(schema).build()?);
        }
        self.readers.get(&id).context("the reader that was just made")
    }
}

fn number(value: &Value) -> anyhow::Result<i64> {
    match value {
        Value::Int(number) => Ok(i64::from(*number)),
        Value::Long(number) | Value::TimestampMillis(number) => Ok(*number),
        other => bail!("{other:?} is no number"),
    }
}
