//! Load reports as rows of a CSV file, in the form that [`super::Rows`] reads.
//!
//! Written are the columns that a report has by itself; the sequence is the event time, and the quota in force is left out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate_schemas::records::LoadReport;

use crate::error::ProducerError;
use crate::sink::ReportSink;

const HEADER: &str = "node_id,timestamp_ms,cpu,memory,pool,interval_ms,base_quota,net_in,net_out,disk_io,\
requests_total,requests_failed_total";

/// A CSV file in the making; gzip where its name ends in `.gz`. [`CsvFile::finish`] completes it.
#[derive(Debug)]
pub struct CsvFile {
    path: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl CsvFile {
    /// Creates the file, or empties it, and writes the header.
    ///
    /// # Errors
    /// [`ProducerError::File`].
    pub fn create(path: &Path) -> Result<Self, ProducerError> {
        let failed = |source| ProducerError::File { path: path.to_owned(), what: "creating", source };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let out =
            if gzip { Out::Gzip(Box::new(GzEncoder::new(file, Compression::default()))) } else { Out::Plain(file) };
        let mut this = Self { path: path.to_owned(), out };
        this.write(|out| writeln!(out, "{HEADER}"))?;
        Ok(this)
    }

    /// Writes what is in buffers and ends the file.
    ///
    /// # Errors
    /// [`ProducerError::File`].
    pub fn finish(self) -> Result<(), ProducerError> {
        let failed = |source| ProducerError::File { path: self.path.clone(), what: "writing", source };
        match self.out {
            Out::Plain(mut file) => file.flush(),
            Out::Gzip(encoder) => encoder.finish().and_then(|mut file| file.flush()),
        }
        .map_err(failed)
    }

    fn write(&mut self, put: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ProducerError> {
        let written = match &mut self.out {
            Out::Plain(file) => put(file),
            Out::Gzip(encoder) => put(encoder),
        };
        written.map_err(|source| ProducerError::File { path: self.path.clone(), what: "writing", source })
    }
}

impl ReportSink for CsvFile {
    fn send(&mut self, report: &LoadReport) -> Result<(), ProducerError> {
        self.write(|out| row(out, report))
    }
}

fn row(out: &mut dyn Write, report: &LoadReport) -> io::Result<()> {
    let text = |field: &str| match field.contains(['"', ',']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    };
    let measured = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let counted = |value: Option<i64>| value.map_or(String::new(), |value| value.to_string());
    writeln!(
        out,
        "{},{},{},{},{},{},{},{},{},{},{},{}",
        text(&report.node_id),
        report.timestamp,
        measured(report.cpu),
        measured(report.memory),
        text(&report.pool),
        report.interval_ms,
        report.base_quota,
        measured(report.net_in),
        measured(report.net_out),
        measured(report.disk_io),
        counted(report.requests_total),
        counted(report.requests_failed_total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::{CsvOptions, open};

    #[test]
    fn what_was_written_is_read_again_plain_and_gzipped() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = LoadReport::new("a \"b\", c", 1_767_571_200_000, 10_000, 500.0);
        (one.cpu, one.net_in, one.requests_total) = (Some(1.25), Some(3e9), Some(7));
        one.pool = "web".into();
        let two = LoadReport { memory: Some(0.5), ..LoadReport::new("d", 1_767_571_210_000, 60_000, 1000.0) };
        for name in ["load.csv", "load.csv.gz"] {
            let path = folder.path().join(name);
            let mut file = CsvFile::create(&path).unwrap();
            file.send(&one).unwrap();
            file.send(&two).unwrap();
            file.finish().unwrap();
            let read: Vec<LoadReport> = open(&path, CsvOptions::default()).unwrap().0.map(Result::unwrap).collect();
            assert_eq!(read, [one.clone(), two.clone()], "{name}");
        }
    }
}
