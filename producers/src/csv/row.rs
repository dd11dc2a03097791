//! One line as a load report, or what is wrong with it and where.

use std::sync::Arc;

use csv::ByteRecord;
use tidegate_schemas::records::LoadReport;

use super::columns::{Column, Columns};

/// How much of an offending text is shown.
const SHOWN: usize = 60;

/// Why a line gave no report. Nothing of that line is used; reading goes on, unless [`RowError::ends_reading`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: line {line}{}: {problem}", self.column_text())]
pub struct RowError {
    /// The file.
    pub file: Arc<str>,
    /// Its line, from 1; the header is line 1.
    pub line: u64,
    /// Its column, from 1, with the name from the header; `None`: the line as a whole.
    pub column: Option<(usize, String)>,
    /// The offending text, shortened to 60 characters.
    pub text: String,
    /// What is wrong, with that text where it helps.
    pub problem: String,
    /// Whether the file cannot be read on: it is damaged, or reading failed.
    pub ends_reading: bool,
}

impl RowError {
    fn column_text(&self) -> String {
        self.column.as_ref().map_or(String::new(), |(number, name)| format!(", column {number} ({name})"))
    }

    /// An error of a whole line.
    pub(super) fn of_line(file: &Arc<str>, line: u64, text: &[u8], problem: String) -> Self {
        Self { file: Arc::clone(file), line, column: None, text: shorten(text), problem, ends_reading: false }
    }
}

/// The beginning of a text that may be anything.
pub(super) fn shorten(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN)]);
    if text.chars().count() <= SHOWN { text.into_owned() } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

/// A report, and the interval where the line gave one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) report: LoadReport,
    pub(super) interval_ms: Option<i64>,
}

/// A column's place in the line, and what is wrong there; no place: the line as a whole.
pub(super) type Wrong = (Option<usize>, String);

/// Reads the fields of one line.
pub(super) fn parse(columns: &Columns, fields: &ByteRecord, base_quota: f64) -> Result<Row, Wrong> {
    let expected = columns.in_order().len();
    if fields.len() != expected {
        return Err((None, format!("it has {}, the header has {expected}", counted(fields.len()))));
    }
    let mut row = Row { report: LoadReport::new("", i64::MIN, 0, base_quota), interval_ms: None };
    let mut sequence = None;
    for (place, ((_, column), field)) in columns.in_order().iter().zip(fields).enumerate() {
        let Some(column) = *column else { continue };
        let wrong = |problem| (Some(place), problem);
        let text = std::str::from_utf8(field).map_err(|_| wrong(format!("{:?} is not UTF-8", shorten(field))))?;
        set(&mut row, &mut sequence, column, text.trim()).map_err(wrong)?;
    }
    row.report.sequence = sequence.unwrap_or(row.report.timestamp);
    row.report.validate().map_err(|e| (None, e.to_string()))?;
    Ok(row)
}

fn counted(fields: usize) -> String {
    if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") }
}

fn set(row: &mut Row, sequence: &mut Option<i64>, column: Column, text: &str) -> Result<(), String> {
    let report = &mut row.report;
    match column {
        Column::NodeId if text.is_empty() => return Err("the node id is empty".to_owned()),
        Column::NodeId => text.clone_into(&mut report.node_id),
        Column::TimestampMs => report.timestamp = whole(text)?.ok_or("the time is missing")?,
        Column::Pool => text.clone_into(&mut report.pool),
        Column::IntervalMs => row.interval_ms = whole(text)?.map(above_zero).transpose()?,
        Column::Sequence => *sequence = whole(text)?,
        Column::Cpu => report.cpu = number(text)?,
        Column::Memory => report.memory = number(text)?,
        Column::NetIn => report.net_in = number(text)?,
        Column::NetOut => report.net_out = number(text)?,
        Column::DiskIo => report.disk_io = number(text)?,
        Column::RequestsTotal => report.requests_total = whole(text)?,
        Column::RequestsFailedTotal => report.requests_failed_total = whole(text)?,
        Column::BaseQuota => {
            if let Some(quota) = number(text)? {
                report.base_quota = above_zero(quota)?;
            }
        }
        Column::QuotaInForce => report.quota_in_force = number(text)?,
        Column::QuotaSequence => report.quota_sequence = whole(text)?,
    }
    Ok(())
}

fn above_zero<T: PartialOrd + Default + std::fmt::Display>(value: T) -> Result<T, String> {
    if value > T::default() { Ok(value) } else { Err(format!("{value} is not above 0")) }
}

/// A whole number of at least 0, or nothing.
fn whole(text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse::<i64>().ok().filter(|v| *v >= 0);
    value.map(Some).ok_or_else(|| format!("{:?} is not a whole number of at least 0", shorten(text.as_bytes())))
}

/// A finite number of at least 0, or nothing.
fn number(text: &str) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
    // Adding 0 makes -0 plain 0.
    value
        .map(|v| Some(v + 0.0))
        .ok_or_else(|| format!("{:?} is not a finite number of at least 0", shorten(text.as_bytes())))
}
