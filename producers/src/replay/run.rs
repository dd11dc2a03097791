//! The loops of a replay: read, wait until due, send, tell.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_schemas::records::LoadReport;

use crate::csv::{RowError, by_time};
use crate::error::ProducerError;
use crate::pacing::{Clock, Pacer, Speed, wait_until_due};
use crate::sink::{RecordSink, ReportSink};

use super::source::{CsvRows, Records};
use super::{Event, Summary};

/// Records between two reports of progress.
const PROGRESS_EVERY: u64 = 128;

type Flow = Result<ControlFlow<()>, ProducerError>;

/// One replay under way.
pub(super) struct Run<'a> {
    speed: Speed,
    pacer: Pacer,
    clock: &'a dyn Clock,
    stop: &'a AtomicBool,
    pub(super) watch: &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    pub(super) summary: Summary,
}

impl<'a> Run<'a> {
    /// A replay that has sent nothing.
    pub(super) fn new(
        speed: Speed,
        clock: &'a dyn Clock,
        stop: &'a AtomicBool,
        watch: &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Self {
        Self { speed, pacer: Pacer::new(speed), clock, stop, watch, summary: Summary::default() }
    }

    /// CSV rows in the file's order.
    pub(super) fn stream<S: ReportSink>(&mut self, rows: CsvRows, sink: &mut S) -> Flow {
        for row in rows {
            let flow = match row {
                Ok(report) => self.send(Some(report.timestamp), || sink.send(&report))?,
                Err(error) => self.bad_row(&error),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// CSV rows by event time.
    pub(super) fn merged<S: ReportSink>(&mut self, rows: CsvRows, sink: &mut S) -> Flow {
        let mut reports: Vec<LoadReport> = Vec::new();
        for row in rows {
            let flow = match row {
                Ok(report) => {
                    reports.push(report);
                    self.reading(reports.len() as u64)
                }
                Err(error) => self.bad_row(&error),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        for report in by_time(reports) {
            let flow = self.send(Some(report.timestamp), || sink.send(&report))?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Recorded records in their order.
    pub(super) fn records<S: RecordSink>(&mut self, records: Records, name: &str, sink: &mut S) -> Flow {
        for record in records {
            let record = record.map_err(|source| ProducerError::Schema { context: name.to_owned(), source })?;
            let flow = self.send(record.timestamp, || sink.send_record(&record))?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Tells how far reading is, now and then.
    fn reading(&mut self, rows: u64) -> ControlFlow<()> {
        if !rows.is_multiple_of(PROGRESS_EVERY) {
            return ControlFlow::Continue(());
        }
        (self.watch)(Event::Reading { rows })?;
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn bad_row(&mut self, error: &RowError) -> ControlFlow<()> {
        self.summary.bad_rows += 1;
        (self.watch)(Event::BadRow(error))
    }

    /// Waits until the record is due and sends it.
    fn send(&mut self, event_ms: Option<i64>, send: impl FnOnce() -> Result<(), ProducerError>) -> Flow {
        if let Some(at) = event_ms.filter(|_| self.speed != Speed::Max) {
            let waits = !self.pacer.wait(at, self.clock.now()).is_zero();
            if waits && (self.watch)(Event::Sent(&self.summary)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if !wait_until_due(&mut self.pacer, at, self.clock, self.stop) {
                return Ok(ControlFlow::Break(()));
            }
        } else if self.stop.load(Ordering::Relaxed) {
            return Ok(ControlFlow::Break(()));
        }
        send()?;
        self.summary.sent += 1;
        if let Some(at) = event_ms {
            let (first, last) = self.summary.event_times.unwrap_or((at, at));
            self.summary.event_times = Some((first.min(at), last.max(at)));
        }
        let due = self.summary.sent.is_multiple_of(PROGRESS_EVERY);
        Ok(if due { (self.watch)(Event::Sent(&self.summary)) } else { ControlFlow::Continue(()) })
    }
}
