//! A file to replay, opened by what its first bytes say.

use std::io::BufRead;
use std::path::Path;

use tidegate_schemas::recording::{self, Recording};

use crate::csv::{CsvOptions, Format, Progress, Rows, open_file};
use crate::error::ProducerError;

/// The records of a recording.
pub(super) type Records = Box<dyn Iterator<Item = Result<Recording, tidegate_schemas::SchemaError>>>;

/// The rows of a CSV file.
pub(super) type CsvRows = Rows<Box<dyn BufRead + Send>>;

/// A file to replay.
pub struct Source {
    pub(super) kind: Kind,
    progress: Progress,
    pub(super) name: String,
}

/// What the file holds.
pub(super) enum Kind {
    Csv(Box<CsvRows>),
    Recording(Records),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a file; its first bytes say what it is.
    ///
    /// # Errors
    /// [`ProducerError::File`], [`ProducerError::Header`] for CSV, [`ProducerError::Schema`] for a recording.
    pub fn open(path: &Path, options: CsvOptions) -> Result<Self, ProducerError> {
        let (format, content, progress) = open_file(path)?;
        let name = path.display().to_string();
        let kind = if format == Format::Recording {
            let damaged = |source| ProducerError::Schema { context: name.clone(), source };
            Kind::Recording(Box::new(recording::read(content).map_err(damaged)?))
        } else {
            Kind::Csv(Box::new(Rows::new(content, &name, options)?))
        };
        Ok(Self { kind, progress, name })
    }

    /// Whether it is a recording, not CSV.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        matches!(self.kind, Kind::Recording(_))
    }

    /// Columns of a CSV file that are not understood; worth a warning.
    #[must_use]
    pub fn unknown_columns(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Csv(rows) => rows.columns().unknown(),
            Kind::Recording(_) => Vec::new(),
        }
    }

    /// How much of the file has been read; a clone can be watched from elsewhere.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}
