//! Recordings: whole Kafka records in an Avro object container file with snappy blocks.
//!
//! `tidegate record` writes them, `tidegate replay` and the stages' tests read them; any Avro tool can open them.
//! A file that ends in the middle of a block (a torn write) gives every whole record before it, then an error.

use std::io::{Read, Write};
use std::sync::LazyLock;

use apache_avro::{Codec, Reader, Schema, Writer};
use serde::{Deserialize, Serialize};

use crate::error::SchemaError;

/// The schema of a recorded record as JSON.
pub const SCHEMA_TEXT: &str = include_str!("../avro/recording.avsc");
/// First bytes of every recording, by which it is told from CSV.
pub const FILE_MAGIC: &[u8; 4] = b"Obj\x01";

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse_str(SCHEMA_TEXT).unwrap_or_else(|e| unreachable!("recording.avsc: {e}")));

/// One header of a recorded record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct RecordHeader {
    pub key: String,
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub value: Option<Vec<u8>>,
}

/// One recorded record; fields in `avro/recording.avsc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Recording {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Option<i64>,
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub key: Option<Vec<u8>>,
    pub headers: Vec<RecordHeader>,
    #[serde(with = "apache_avro::serde::bytes_opt")]
    pub value: Option<Vec<u8>>,
}

/// Appends records to a recording.
pub struct RecordingWriter<W: Write> {
    inner: Writer<'static, W>,
}

impl<W: Write> std::fmt::Debug for RecordingWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingWriter").finish_non_exhaustive()
    }
}

impl<W: Write> RecordingWriter<W> {
    /// Begins a recording in `sink`.
    ///
    /// # Errors
    /// [`SchemaError::Recording`] where the sink refuses.
    pub fn new(sink: W) -> Result<Self, SchemaError> {
        let inner = Writer::builder().schema(&SCHEMA).writer(sink).codec(Codec::Snappy).build().map_err(written)?;
        Ok(Self { inner })
    }

    /// Appends one record; it is on the sink after [`RecordingWriter::flush`] at the latest.
    ///
    /// # Errors
    /// [`SchemaError::Recording`] where the sink refuses.
    pub fn append(&mut self, record: &Recording) -> Result<(), SchemaError> {
        self.inner.append_ser(record).map(drop).map_err(written)
    }

    /// Ends the current block.
    ///
    /// # Errors
    /// [`SchemaError::Recording`] where the sink refuses.
    pub fn flush(&mut self) -> Result<(), SchemaError> {
        self.inner.flush().map(drop).map_err(written)
    }

    /// Ends the recording and gives the sink back.
    ///
    /// # Errors
    /// [`SchemaError::Recording`] where the sink refuses.
    pub fn finish(self) -> Result<W, SchemaError> {
        self.inner.into_inner().map_err(written)
    }
}

fn written(e: apache_avro::Error) -> SchemaError {
    SchemaError::Recording(format!("the recording could not be written: {e}"))
}

/// Reads the records of a recording one by one.
///
/// # Errors
/// [`SchemaError::Recording`] where `source` is no recording; the iterator yields it where a block is damaged, and ends.
pub fn read<R: Read>(source: R) -> Result<impl Iterator<Item = Result<Recording, SchemaError>>, SchemaError> {
    apache_avro::util::max_allocation_bytes(crate::codec::MAX_ALLOCATION);
    let reader = Reader::new(source).map_err(|e| SchemaError::Recording(format!("this is not a recording: {e}")))?;
    if crate::codec::canonical_form(reader.writer_schema()) != Some(SCHEMA.canonical_form()) {
        return Err(SchemaError::Recording(format!(
            "this Avro file does not hold recorded records, but {}",
            reader.writer_schema().name().map_or_else(|| "something unnamed".to_owned(), ToString::to_string)
        )));
    }
    let mut failed = false;
    Ok(reader.into_deser_iter::<Recording>().map_while(move |next| {
        if failed {
            return None;
        }
        failed = next.is_err();
        Some(next.map_err(|e| SchemaError::Recording(format!("the recording is damaged: {e}"))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = Recording> {
        let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
        let header = (".{0,8}", bytes()).prop_map(|(key, value)| RecordHeader { key, value });
        (
            ".{0,12}",
            any::<i32>(),
            any::<i64>(),
            any::<Option<i64>>(),
            bytes(),
            proptest::collection::vec(header, 0..4),
            bytes(),
        )
            .prop_map(|(topic, partition, offset, timestamp, key, headers, value)| Recording {
                topic,
                partition,
                offset,
                timestamp,
                key,
                headers,
                value,
            })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(records in proptest::collection::vec(record(), 0..20)) {
            let mut writer = RecordingWriter::new(Vec::new()).unwrap();
            for r in &records {
                writer.append(r).unwrap();
            }
            let bytes = writer.finish().unwrap();
            let back: Result<Vec<_>, _> = read(&bytes[..]).unwrap().collect();
            prop_assert_eq!(back.unwrap(), records);
        }

        #[test]
        fn a_torn_file_gives_whole_records_and_then_an_error(cut in 1usize..60) {
            let mut writer = RecordingWriter::new(Vec::new()).unwrap();
            for offset in 0..3 {
                writer.append(&Recording { offset, value: Some(vec![7; 30]), ..Recording::default() }).unwrap();
                writer.flush().unwrap();
            }
            let mut bytes = writer.finish().unwrap();
            bytes.truncate(bytes.len() - cut);
            let got: Vec<_> = read(&bytes[..]).unwrap().collect();
            prop_assert!(got.last().unwrap().is_err() || got.len() < 3);
            for (offset, r) in got.iter().filter_map(|r| r.as_ref().ok()).enumerate() {
                prop_assert_eq!(r.offset, offset as i64);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes: Vec<u8>) {
            bytes.splice(0..0, *FILE_MAGIC);
            if let Ok(records) = read(&bytes[..]) {
                prop_assert!(records.count() < 1000);
            }
        }
    }
}
