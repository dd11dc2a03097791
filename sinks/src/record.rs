//! Recording: a topic's records, whole, to a file with snappy blocks.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use tidegate_broker::RawRecord;
use tidegate_schemas::recording::{RecordHeader, Recording, RecordingWriter};

use crate::error::SinkError;

/// A recording in progress.
#[derive(Debug)]
pub struct Recorder {
    writer: RecordingWriter<BufWriter<File>>,
    records: u64,
}

impl Recorder {
    /// Begins a recording at `path`, which must not exist yet.
    ///
    /// # Errors
    /// [`SinkError::File`] where the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        let file = File::create_new(path).map_err(|source| SinkError::File { path: path.to_owned(), source })?;
        Ok(Self { writer: RecordingWriter::new(BufWriter::new(file))?, records: 0 })
    }

    /// Appends one record.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn append(&mut self, record: RawRecord) -> Result<(), SinkError> {
        let headers = record.headers.into_iter().map(|(key, value)| RecordHeader { key, value }).collect();
        self.writer.append(&Recording {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key,
            headers,
            value: record.value,
        })?;
        self.records += 1;
        Ok(())
    }

    /// Records written so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Puts what was appended so far on the file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        Ok(self.writer.flush()?)
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(self) -> Result<u64, SinkError> {
        self.writer.finish()?;
        Ok(self.records)
    }
}
