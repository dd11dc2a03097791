//! Values on the topics: framing and the records of every kind, in our own schemas and in older ones; and values whose
//! schema nobody of ours wrote.

use std::sync::Arc;

use apache_avro::Schema;
use tidegate_schemas::catalogue::VERSIONS;
use tidegate_schemas::codec::recognise;
use tidegate_schemas::records::{Alert, Control, Forecast, LoadReport, QuotaCommand, Span};
use tidegate_schemas::{CatalogueIds, Decoder, RecordKind, SchemaError, SchemaIds, Topic, WriterSchema, framing};

use super::samples;
use crate::{Decode, Target};

/// Decodes a value as what its id says it is, and checks what has a check.
fn decode(decoder: &mut Decoder, kind: RecordKind, value: &[u8]) -> bool {
    match kind {
        RecordKind::LoadReport => decoder.decode::<LoadReport>(value).is_ok_and(|r| {
            let _verdict = r.validate_in_log(Some(b"node-0001"), Some(1));
            true
        }),
        RecordKind::Forecast => decoder.decode::<Forecast>(value).is_ok(),
        RecordKind::QuotaCommand => decoder.decode::<QuotaCommand>(value).is_ok(),
        RecordKind::Alert => decoder.decode::<Alert>(value).is_ok(),
        RecordKind::Span => decoder.decode::<Span>(value).is_ok(),
        RecordKind::Control => decoder.decode::<Control>(value).is_ok_and(|c| {
            let _verdict = (c.validate(), c.words());
            true
        }),
    }
}

fn kind_of(value: &[u8]) -> RecordKind {
    let id = framing::split(value).map_or(0, |(id, _)| id);
    VERSIONS.iter().find(|v| v.id == id).map_or(RecordKind::LoadReport, |v| v.kind)
}

pub(super) const RECORDS: Target =
    Target { name: "records", usual: 200_000, corpus: samples::framed, decoder: by_catalogue };

pub(super) const OLDER_RECORDS: Target = Target {
    name: "older_records",
    usual: 20_000,
    corpus: || [2, 3].map(samples::framed_older).into(),
    decoder: by_catalogue,
};

fn by_catalogue() -> Decode {
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    Box::new(move |value| decode(&mut decoder, kind_of(value), value))
}

/// A registry that answers every id with one schema.
#[derive(Debug)]
struct OneSchema(WriterSchema);

impl SchemaIds for OneSchema {
    fn id_for(&self, _topic: Topic, _kind: RecordKind) -> Result<u32, SchemaError> {
        Ok(1)
    }

    fn writer_schema(&self, _id: u32) -> Result<WriterSchema, SchemaError> {
        Ok(self.0.clone())
    }
}

pub(super) const FOREIGN_SCHEMAS: Target = Target {
    name: "foreign_schemas",
    usual: 2_000,
    corpus: || {
        let mut corpus: Vec<Vec<u8>> = VERSIONS.iter().map(|v| v.text.into()).collect();
        corpus.push(br#"{"type":"record","name":"Tree","fields":[{"name":"next","type":["null","Tree"]}]}"#.to_vec());
        corpus
            .push(br#"{"type":"array","items":{"type":"map","values":{"type":"fixed","name":"F","size":4}}}"#.to_vec());
        corpus
    },
    decoder: || {
        let values = samples::framed();
        Box::new(move |text| {
            let Some(schema) = std::str::from_utf8(text).ok().and_then(|text| Schema::parse_str(text).ok()) else {
                return false;
            };
            let mut decoder = Decoder::new(Arc::new(OneSchema(recognise(schema))));
            for value in &values {
                let _decoded = decode(&mut decoder, kind_of(value), value);
            }
            true
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_records() {
        RECORDS.run();
    }

    #[test]
    fn fuzz_older_records() {
        OLDER_RECORDS.run();
    }

    #[test]
    fn fuzz_foreign_schemas() {
        FOREIGN_SCHEMAS.run();
    }

    /// A load report as a writer had it that knows more than we do: a tree that is as deep as it likes.
    fn nesting_schema() -> Schema {
        let ours = VERSIONS.iter().find(|v| v.kind == RecordKind::LoadReport).unwrap();
        let mut text: serde_json::Value = serde_json::from_str(ours.text).unwrap();
        let tree = serde_json::json!({ "type": "record", "name": "Tree", "fields": [{ "name": "next", "type": ["null", "Tree"] }] });
        text["fields"].as_array_mut().unwrap().push(serde_json::json!({ "name": "tree", "type": tree }));
        Schema::parse_str(&text.to_string()).unwrap()
    }

    #[test]
    fn a_value_that_may_be_nested_without_end_is_refused() {
        let mut decoder = Decoder::new(Arc::new(OneSchema(recognise(nesting_schema()))));
        let mut value = samples::framed().swap_remove(0);
        value.extend(std::iter::repeat_n(2, 200_000));
        value.push(0);
        let said = decoder.decode::<LoadReport>(&value).unwrap_err().to_string();
        let wanted =
            "a LoadReport cannot be read from schema id 1: its record Tree holds itself, and such values are not read";
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_schema_that_is_nested_deep_is_refused() {
        let deep = r#"{"type":"array","items":"#.repeat(100_000);
        assert!(Schema::parse_str(&deep).is_err());
    }
}
