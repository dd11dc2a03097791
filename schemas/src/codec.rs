//! Typed records to framed bytes and back.
//!
//! ```text
//! record ──Encoder──> 0x00 | id | datum ──Decoder──> record
//!             │ id_for(kind)              │ writer_schema(id)
//!             └────────> SchemaIds <──────┘   (the catalogue, or a registry's client)
//! ```
//!
//! A value written with our own schema goes through apache-avro's typed reader; one written with an older or a newer
//! version is resolved to ours first (Avro 1.12, "Schema Resolution"), which is slower and rare.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::writer::datum::GenericDatumWriter;

use crate::catalogue::{RecordKind, Topic, VERSIONS, parsed};
use crate::error::SchemaError;
use crate::framing;
use crate::records::Record;
use crate::recursion::recursive;

/// Most bytes that one datum may make the reader allocate; a length field that claims more is refused.
pub const MAX_ALLOCATION: usize = 16 * 1024 * 1024;

/// The schema that a value was written with.
#[derive(Debug, Clone)]
pub enum WriterSchema {
    /// The newest of ours.
    Own(RecordKind),
    /// Any other.
    Other(Arc<Schema>),
}

/// Where schema ids come from.
pub trait SchemaIds: Send + Sync + fmt::Debug {
    /// Id to write values of `topic` with.
    ///
    /// # Errors
    /// A retryable error while the source of ids is away; otherwise why there is none.
    fn id_for(&self, topic: Topic, kind: RecordKind) -> Result<u32, SchemaError>;

    /// Schema behind an id found in a value.
    ///
    /// # Errors
    /// A retryable error while the source of ids is away; [`SchemaError::UnknownSchemaId`] where there is no such id.
    fn writer_schema(&self, id: u32) -> Result<WriterSchema, SchemaError>;
}

/// Ids of the catalogue itself: nothing to ask, nothing to wait for.
#[derive(Debug, Clone, Copy, Default)]
pub struct CatalogueIds;

impl SchemaIds for CatalogueIds {
    fn id_for(&self, _topic: Topic, kind: RecordKind) -> Result<u32, SchemaError> {
        Ok(kind.current().id)
    }

    fn writer_schema(&self, id: u32) -> Result<WriterSchema, SchemaError> {
        let unknown = || SchemaError::UnknownSchemaId { id, source_name: "the catalogue".into() };
        let version = VERSIONS.iter().find(|v| v.id == id).ok_or_else(unknown)?;
        if version.kind.current().id == id {
            return Ok(WriterSchema::Own(version.kind));
        }
        parsed(id).map(|s| WriterSchema::Other(Arc::new(s.clone()))).ok_or_else(unknown)
    }
}

/// Recognises our own schemas among those of a registry: same fields, types and order.
#[must_use]
pub fn recognise(schema: Schema) -> WriterSchema {
    let form = canonical_form(&schema);
    RecordKind::ALL
        .into_iter()
        .find(|kind| form.as_ref().is_some_and(|form| kind.schema().canonical_form() == *form))
        .map_or_else(|| WriterSchema::Other(Arc::new(schema)), WriterSchema::Own)
}

impl WriterSchema {
    /// The catalogue's id of this schema; `None`: the catalogue has no such schema.
    #[must_use]
    pub fn catalogue_id(&self) -> Option<u32> {
        let schema = match self {
            Self::Own(kind) => return Some(kind.current().id),
            Self::Other(schema) => canonical_form(schema)?,
        };
        let same = |id: u32| parsed(id).is_some_and(|ours| ours.canonical_form() == schema);
        VERSIONS.iter().map(|version| version.id).find(|id| same(*id))
    }
}

/// The canonical form of a schema of others; `None` where it is none of ours for sure: apache-avro 0.22 panics at attributes
/// that bear names of Avro's own and hold something else. Found by fuzzing.
pub(crate) fn canonical_form(schema: &Schema) -> Option<String> {
    let json = serde_json::to_value(schema).ok()?;
    has_canonical_form(&json).then(|| schema.canonical_form())
}

/// Whether what the canonical form keeps is what Avro's specification has in its place.
fn has_canonical_form(json: &serde_json::Value) -> bool {
    use serde_json::Value;
    match json {
        Value::String(_) => true,
        Value::Array(all) => all.iter().all(has_canonical_form),
        Value::Object(fields) => fields.iter().all(|(name, value)| match name.as_str() {
            "size" | "precision" | "scale" => {
                value.as_i64().is_some() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok())
            }
            "name" | "type" | "fields" | "symbols" | "items" | "values" | "order" => has_canonical_form(value),
            _ => true,
        }),
        _ => false,
    }
}

struct Codecs {
    readers: HashMap<RecordKind, GenericDatumReader<'static>>,
    writers: HashMap<RecordKind, GenericDatumWriter<'static>>,
}

static CODECS: LazyLock<Codecs> = LazyLock::new(|| {
    apache_avro::util::max_allocation_bytes(MAX_ALLOCATION);
    let reader = |kind: RecordKind| {
        let built = GenericDatumReader::builder(kind.schema()).human_readable(false).build();
        (kind, built.unwrap_or_else(|e| unreachable!("the catalogue's {kind}: {e}")))
    };
    let writer = |kind: RecordKind| {
        let built = GenericDatumWriter::builder(kind.schema()).human_readable(false).build();
        (kind, built.unwrap_or_else(|e| unreachable!("the catalogue's {kind}: {e}")))
    };
    Codecs {
        readers: RecordKind::ALL.into_iter().map(reader).collect(),
        writers: RecordKind::ALL.into_iter().map(writer).collect(),
    }
});

/// Writes records of one topic.
#[derive(Debug, Clone)]
pub struct Encoder {
    id: u32,
    kind: RecordKind,
}

impl Encoder {
    /// An encoder for `topic`, with the id that `ids` gives for its record.
    ///
    /// # Errors
    /// As [`SchemaIds::id_for`].
    pub fn new(topic: Topic, kind: RecordKind, ids: &dyn SchemaIds) -> Result<Self, SchemaError> {
        Ok(Self { id: ids.id_for(topic, kind)?, kind })
    }

    /// Writes one record, framed, to `out`, which is cleared first.
    ///
    /// # Errors
    /// [`SchemaError::Encode`] where the record is of another kind or does not fit its schema.
    pub fn encode<T: Record>(&self, record: &T, out: &mut Vec<u8>) -> Result<(), SchemaError> {
        let error = |message: String| SchemaError::Encode { kind: T::KIND, message };
        if T::KIND != self.kind {
            return Err(error(format!("this encoder writes a {}", self.kind)));
        }
        framing::begin(out, self.id);
        let writer = CODECS.writers.get(&self.kind).ok_or_else(|| error("no writer".into()))?;
        writer.write_ser(out, record).map_err(|e| error(e.to_string()))?;
        Ok(())
    }
}

/// Reads records, remembering the schema of every id it met.
#[derive(Debug, Clone)]
pub struct Decoder {
    ids: Arc<dyn SchemaIds>,
    seen: HashMap<u32, WriterSchema>,
}

impl Decoder {
    /// A decoder that asks `ids` for writers' schemas.
    #[must_use]
    pub fn new(ids: Arc<dyn SchemaIds>) -> Self {
        Self { ids, seen: HashMap::new() }
    }

    /// Reads one framed record.
    ///
    /// # Errors
    /// Retryable while the source of ids is away; every other error is the input's fault.
    pub fn decode<T: Record>(&mut self, value: &[u8]) -> Result<T, SchemaError> {
        let (id, datum) = framing::split(value)?;
        match self.writer_schema(id)? {
            WriterSchema::Own(kind) if *kind == T::KIND => read_own(datum),
            WriterSchema::Own(kind) => {
                Err(SchemaError::Incompatible { expected: T::KIND, id, message: format!("it is the id of {kind}") })
            }
            WriterSchema::Other(schema) => read_other(id, schema, datum),
        }
    }

    fn writer_schema(&mut self, id: u32) -> Result<&WriterSchema, SchemaError> {
        use std::collections::hash_map::Entry;
        match self.seen.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(self.ids.writer_schema(id)?)),
        }
    }
}

fn read_own<T: Record>(mut datum: &[u8]) -> Result<T, SchemaError> {
    let error = |message: String| SchemaError::Datum { expected: T::KIND, message };
    let reader = CODECS.readers.get(&T::KIND).ok_or_else(|| error("no reader".into()))?;
    let record = reader.read_deser(&mut datum).map_err(|e| error(e.to_string()))?;
    if datum.is_empty() { Ok(record) } else { Err(error(format!("{} bytes are left over", datum.len()))) }
}

fn read_other<T: Record>(id: u32, writer: &Schema, mut datum: &[u8]) -> Result<T, SchemaError> {
    let incompatible = |message: String| SchemaError::Incompatible { expected: T::KIND, id, message };
    let broken = |message: String| SchemaError::Datum { expected: T::KIND, message };
    LazyLock::force(&CODECS);
    let ours = T::KIND.schema();
    if let Some(name) = recursive(writer) {
        return Err(incompatible(format!("its record {name} holds itself, and such values are not read")));
    }
    SchemaCompatibility::can_read(writer, ours).map_err(|e| incompatible(e.to_string()))?;
    let reader = GenericDatumReader::builder(writer)
        .reader_schema(ours)
        .human_readable(false)
        .build()
        .map_err(|e| incompatible(e.to_string()))?;
    let value = reader.read_value(&mut datum).map_err(|e| broken(e.to_string()))?;
    if !datum.is_empty() {
        return Err(broken(format!("{} bytes are left over", datum.len())));
    }
    let resolved = GenericDatumWriter::builder(ours).build().and_then(|w| w.write_value_to_vec(value));
    read_own(&resolved.map_err(|e| incompatible(e.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_are_no_numbers_are_those_of_others() {
        for attribute in
            [r#""size":"next""#, r#""precision":true"#, r#""scale":1.5"#, r#""fields":0"#, r#""items":[{"type":null}]"#]
        {
            let field = format!(r#"{{"name":"f",{attribute},"type":"int"}}"#);
            let text = format!(r#"{{"type":"record","name":"T","fields":[{field}]}}"#);
            let other = recognise(Schema::parse_str(&text).unwrap());
            assert!(matches!(other, WriterSchema::Other(_)) && other.catalogue_id().is_none(), "{text}");
        }
    }
}
