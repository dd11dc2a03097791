//! The rows of a CSV file as load reports, streaming: memory does not grow with the file.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use csv::ByteRecord;
use tidegate_schemas::records::LoadReport;

use crate::error::ProducerError;

use super::columns::Columns;
use super::interval::Plan;
use super::lines::{LONGEST_LINE, Line, next_line};
use super::row::{Row, RowError, parse, shorten};

/// Rows from which the intervals of a file are learnt.
const LOOK_AHEAD: usize = 10_000;
/// Bytes of them, at most: they are held until then, and a small file can unpack to lines that are long and many.
const LOOK_AHEAD_BYTES: usize = 16 * 1024 * 1024;

/// What stands in for fields that a file does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct CsvOptions {
    /// Base quota of rows without one, in resource units, above 0.
    pub base_quota: f64,
    /// Report interval, ms, of rows without one where the file's beginning does not show it either.
    pub interval_ms: i64,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { base_quota: 1000.0, interval_ms: 10_000 }
    }
}

/// Load reports in the order of the file.
///
/// A row without a sequence has its event time as one. A row without an interval has its node's: the most common distance
/// of the node's rows among the first 10,000 of the file, or its first 16 MiB where these come first; for a node that is not
/// among them the file's; where there is none, [`CsvOptions::interval_ms`]. So a missing row does not change the interval of
/// the next.
#[derive(Debug)]
pub struct Rows<R> {
    reader: R,
    file: Arc<str>,
    columns: Columns,
    options: CsvOptions,
    line: u64,
    text: Vec<u8>,
    fields: ByteRecord,
    ahead: VecDeque<Result<Row, RowError>>,
    plan: Option<Plan>,
    ended: bool,
}

impl<R: BufRead> Rows<R> {
    /// Reads the header; `file` is what errors call the file.
    ///
    /// # Errors
    /// [`ProducerError::Header`].
    pub fn new(mut reader: R, file: &str, options: CsvOptions) -> Result<Self, ProducerError> {
        let refused = |problem| ProducerError::Header { file: file.to_owned(), problem };
        if !(options.base_quota.is_finite() && options.base_quota > 0.0 && options.interval_ms > 0) {
            return Err(ProducerError::Options("base quota and interval must be above 0".into()));
        }
        let mut text = Vec::new();
        match next_line(&mut reader, &mut text) {
            Ok(Line::Whole) => {}
            Ok(Line::TooLong) => return Err(refused(format!("it is longer than {LONGEST_LINE} bytes"))),
            Ok(Line::End) => return Err(refused("the file is empty".into())),
            Err(e) => return Err(refused(format!("it cannot be read: {e}"))),
        }
        let header = std::str::from_utf8(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text))
            .map_err(|_| refused(format!("{:?} is not UTF-8", shorten(&text))))?;
        let mut fields = ByteRecord::new();
        split(header.as_bytes(), &mut fields);
        let columns = Columns::parse(fields.iter().filter_map(|f| std::str::from_utf8(f).ok())).map_err(refused)?;
        Ok(Self {
            reader,
            file: file.into(),
            columns,
            options,
            line: 1,
            text,
            fields,
            ahead: VecDeque::new(),
            plan: None,
            ended: false,
        })
    }

    /// The file's columns; [`Columns::unknown`] are worth a warning.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The next line that is not blank.
    fn read_row(&mut self) -> Option<Result<Row, RowError>> {
        while !self.ended {
            self.line += 1;
            let problem = match next_line(&mut self.reader, &mut self.text) {
                Ok(Line::Whole) if self.text.iter().all(u8::is_ascii_whitespace) => continue,
                Ok(Line::Whole) => return Some(self.parse_line()),
                Ok(Line::TooLong) => {
                    let problem = format!("it is longer than {LONGEST_LINE} bytes");
                    return Some(Err(RowError::of_line(&self.file, self.line, &self.text, problem)));
                }
                Ok(Line::End) => None,
                Err(e) => Some(format!("the file cannot be read on: {e}")),
            };
            self.ended = true;
            let problem = problem?;
            let error = RowError::of_line(&self.file, self.line, &self.text, problem);
            return Some(Err(RowError { ends_reading: true, ..error }));
        }
        None
    }

    fn parse_line(&mut self) -> Result<Row, RowError> {
        split(&self.text, &mut self.fields);
        parse(&self.columns, &self.fields, self.options.base_quota).map_err(|(place, problem)| {
            let column = place.map(|p| (p + 1, self.columns.in_order()[p].0.clone()));
            let text = place.and_then(|p| self.fields.get(p)).unwrap_or(&self.text);
            RowError { column, ..RowError::of_line(&self.file, self.line, text, problem) }
        })
    }

    fn learn(&mut self) -> Plan {
        let mut bytes = 0;
        while self.ahead.len() < LOOK_AHEAD && bytes < LOOK_AHEAD_BYTES {
            let Some(row) = self.read_row() else { break };
            bytes += self.text.len();
            self.ahead.push_back(row);
        }
        let good = self.ahead.iter().filter_map(|row| row.as_ref().ok());
        Plan::learn(good.map(|row| (row.report.node_id.as_str(), row.report.timestamp)))
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<LoadReport, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.plan.is_none() {
            self.plan = Some(self.learn());
        }
        let row = self.ahead.pop_front().or_else(|| self.read_row())?;
        let plan = self.plan.as_ref();
        Some(row.map(|Row { mut report, interval_ms }| {
            let planned = || plan.and_then(|p| p.of(&report.node_id)).unwrap_or(self.options.interval_ms);
            report.interval_ms = interval_ms.unwrap_or_else(planned);
            report
        }))
    }
}

/// Splits one line into its fields. Without a quote each comma ends a field, and setting up a parser for the line would
/// cost ten times the splitting.
fn split(line: &[u8], fields: &mut ByteRecord) {
    fields.clear();
    if line.contains(&b'"') {
        split_quoted(line, fields);
    } else {
        line.split(|b| *b == b',').for_each(|field| fields.push_field(field));
    }
}

fn split_quoted(line: &[u8], fields: &mut ByteRecord) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().max(1))
        .from_reader(line);
    // Reading from memory cannot fail, and flexible records have no wrong length.
    let _read = reader.read_byte_record(fields);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
