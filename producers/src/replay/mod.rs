//! Replay: a CSV file or a recording, sent again at a chosen speed.
//!
//! ```text
//! Source::open ─ CSV ───────> Rows ─ (by_time, where paced) ─> wait until due ─> ReportSink
//!              └ recording ─> records, in their order ───────> wait until due ─> RecordSink
//! ```
//!
//! A CSV file is sent in its own order at speed `max`, with memory that does not grow with it. At any other speed it
//! is read whole and merged by event time, because a file may be sorted by node; each node's rows keep the file's order
//! either way. A recording is always sent in its own order, paced by its Kafka timestamps.

mod run;
mod source;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use tidegate_schemas::recording::Recording;
use tidegate_schemas::records::LoadReport;

use crate::csv::RowError;
use crate::error::ProducerError;
use crate::pacing::{Clock, Speed};
use crate::sink::{RecordSink, ReportSink};
use run::Run;
use source::Kind;

pub use source::Source;

/// Two sinks as the one that a replay wants: reports of CSV files go to the first, recorded records to the second.
#[derive(Debug)]
pub struct Target<A, B> {
    /// Takes reports.
    pub reports: A,
    /// Takes recorded records.
    pub records: B,
}

impl<A: ReportSink, B> ReportSink for Target<A, B> {
    fn send(&mut self, report: &LoadReport) -> Result<(), ProducerError> {
        self.reports.send(report)
    }
}

impl<A, B: RecordSink> RecordSink for Target<A, B> {
    fn send_record(&mut self, record: &Recording) -> Result<(), ProducerError> {
        self.records.send_record(record)
    }
}

/// What happens during a replay.
#[derive(Debug)]
pub enum Event<'a> {
    /// Some rows were read, none of them sent yet: the file is read whole first.
    Reading {
        /// Rows read.
        rows: u64,
    },
    /// Some records were sent; comes every 128 records, before a wait, and at the end.
    Sent(&'a Summary),
    /// A line gave no report and is left out. Breaking ends the replay.
    BadRow(&'a RowError),
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records sent.
    pub sent: u64,
    /// Lines left out.
    pub bad_rows: u64,
    /// Smallest and largest event time sent (of a recording: Kafka timestamps), Unix ms.
    pub event_times: Option<(i64, i64)>,
    /// Whether the stop flag or the watcher ended it before the file did.
    pub stopped: bool,
}

/// Replays `source` at `speed` into `sink`. `watch` is told what happens and may break off; `stop` ends it too, also
/// while it waits.
///
/// # Errors
/// The sink's, as they come. A damaged recording, after every whole record before the damage was sent; a damaged CSV
/// file is a [`RowError`] with [`RowError::ends_reading`].
pub fn replay<S: ReportSink + RecordSink>(
    source: Source,
    speed: Speed,
    sink: &mut S,
    clock: &dyn Clock,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Summary, ProducerError> {
    let mut run = Run::new(speed, clock, stop, watch);
    let flow = match source.kind {
        Kind::Csv(rows) if speed == Speed::Max => run.stream(*rows, sink)?,
        Kind::Csv(rows) => run.merged(*rows, sink)?,
        Kind::Recording(records) => run.records(records, &source.name, sink)?,
    };
    run.summary.stopped = flow.is_break();
    // The end is told; there is nothing left to break off.
    let _told = (run.watch)(Event::Sent(&run.summary));
    Ok(run.summary)
}
