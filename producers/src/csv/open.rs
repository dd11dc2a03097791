//! Opens a file and says what it is by its first bytes: CSV plain, gzip or snappy (framed), or a recording.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_schemas::recording::FILE_MAGIC;

use crate::error::ProducerError;

use super::rows::{CsvOptions, Rows};

const GZIP: &[u8] = &[0x1f, 0x8b];
const SNAPPY_FRAMED: &[u8] = b"\xff\x06\x00\x00sNaPpY";
const BUFFER: usize = 128 * 1024;

/// What a file holds, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A recording.
    Recording,
    /// CSV, gzip-compressed.
    Gzip,
    /// CSV, in the snappy framing format.
    Snappy,
    /// CSV.
    Plain,
}

impl Format {
    /// The format of a file that begins with these bytes.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Self {
        let formats = [(&FILE_MAGIC[..], Self::Recording), (GZIP, Self::Gzip), (SNAPPY_FRAMED, Self::Snappy)];
        formats.into_iter().find(|(magic, _)| beginning.starts_with(magic)).map_or(Self::Plain, |(_, format)| format)
    }
}

/// How much of a file has been read, counted before decompression; clones look at the same count.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: u64,
}

impl Progress {
    /// Bytes read so far; what is in buffers counts as read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Size of the file in bytes, when it was opened.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// A file that counts what is read from it.
struct Counted {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// An opened file: its format, its content decompressed, its progress.
pub(crate) type Opened = (Format, Box<dyn BufRead + Send>, Progress);

/// Opens a file of either kind.
pub(crate) fn open_file(path: &Path) -> Result<Opened, ProducerError> {
    let failed = |source| ProducerError::File { path: path.to_owned(), what: "opening", source };
    let inner = File::open(path).map_err(failed)?;
    let metadata = inner.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    let progress = Progress { read: Arc::default(), total: metadata.len() };
    let counted = Counted { inner, read: Arc::clone(&progress.read) };
    let mut reader = BufReader::with_capacity(BUFFER, counted);
    let format = Format::of(reader.fill_buf().map_err(failed)?);
    let content: Box<dyn BufRead + Send> = match format {
        Format::Recording | Format::Plain => Box::new(reader),
        Format::Gzip => Box::new(BufReader::with_capacity(BUFFER, flate2::bufread::MultiGzDecoder::new(reader))),
        Format::Snappy => Box::new(BufReader::with_capacity(BUFFER, snap::read::FrameDecoder::new(reader))),
    };
    Ok((format, content, progress))
}

/// The rows of a CSV file, plain or compressed.
///
/// # Errors
/// [`ProducerError::File`] where it cannot be opened; [`ProducerError::Header`] where its header is not one of load reports,
/// or it is a recording.
pub fn open(path: &Path, options: CsvOptions) -> Result<(Rows<Box<dyn BufRead + Send>>, Progress), ProducerError> {
    let (format, content, progress) = open_file(path)?;
    let file = path.display().to_string();
    if format == Format::Recording {
        return Err(ProducerError::Header { file, problem: "this is a recording, not a CSV file".into() });
    }
    Ok((Rows::new(content, &file, options)?, progress))
}
