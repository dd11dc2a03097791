//! Positions of the driver: what is restored when partitions come, what is committed as outputs are acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::CommitMode;
use tidegate_schemas::Decoder;

use super::Driver;
use crate::error::BrokerError;
use crate::group::GroupContext;
use crate::settings::ASK;
use crate::stable;
use crate::stage::Stage;
use crate::status::{Metrics, WorkStatus};
use crate::tail::{From, Tail};

/// Time between two signs of life to the group while something long is read.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// Pause before something is read again after an outage.
const PAUSE: Duration = Duration::from_secs(1);

impl<S: Stage> Driver<'_, S> {
    /// Reads something from its beginning to its end, and once more where the broker went away meanwhile; a stop ends it.
    pub(super) fn in_spite_of_outages(
        &mut self,
        what: &str,
        mut read: impl FnMut(&mut Self) -> Result<(), BrokerError>,
    ) -> Result<(), BrokerError> {
        self.intake.put_back();
        loop {
            let outcome = read(self);
            self.intake.resume();
            match outcome {
                Err(e) if e.is_retryable() && !self.intake.context().stop.is_set() => {
                    if self.log.is_new(what) {
                        tracing::warn!("{}: {what} waits: {e}", self.stage.name());
                    }
                    let waiting = Instant::now();
                    while waiting.elapsed() < PAUSE {
                        self.intake.idle();
                    }
                }
                // Nothing is taken any more.
                Err(e) if e.is_retryable() => return Ok(()),
                outcome => return outcome,
            }
        }
    }

    /// Shows the group that this member lives, if it is time.
    pub(super) fn sign_of_life(&self, last: &mut Instant) {
        if last.elapsed() >= SIGN_OF_LIFE {
            self.intake.idle();
            *last = Instant::now();
        }
    }

    /// Reads the saved outputs of partitions from their beginning to their end of now.
    pub(super) fn restore(&mut self, partitions: &[i32]) -> Result<(), BrokerError> {
        let mut last = Instant::now();
        let stop = self.intake.context().stop.clone();
        stable::wait(self.settings, &self.output, partitions, &stop, || self.sign_of_life(&mut last))?;
        let mut tail = Tail::partitions(self.settings, &self.output, partitions, From::Beginning)?;
        let mut decoder = Decoder::new(Arc::clone(&self.ids));
        let mut read = 0_u64;
        while let Some(record) = tail.next_before_end(ASK)? {
            let value = record.value.as_deref().unwrap_or_default();
            match decoder.decode::<S::Output>(value) {
                Ok(output) => self.stage.restore(record.partition, output),
                // Nothing is taken any more.
                Err(_) if stop.is_set() => break,
                // A tombstone or foreign bytes are no saved state.
                Err(e) => {
                    tracing::warn!("{}/{}/{}: not restored: {e}", self.output, record.partition, record.offset);
                }
            }
            read += 1;
            self.sign_of_life(&mut last);
        }
        self.metrics.restored.inc_by(read);
        self.status.restored.fetch_add(read, Ordering::Relaxed);
        tracing::info!(records = read, "{}: decision state of {partitions:?} restored", self.stage.name());
        Ok(())
    }

    /// Whether some partition is still read only to rebuild its state.
    pub(super) fn note_rebuilding(&self) {
        let lags = self.intake.context().lag.lock().map(|l| l.clone()).unwrap_or_default();
        // Where nothing is left to read, what was left to rebuild from is gone.
        let at_end = |p: &i32| lags.contains(&(*p, 0));
        let behind =
            |(p, resume): (&i32, &i64)| *resume > 0 && self.position.get(p).is_none_or(|at| at < resume) && !at_end(p);
        let rebuilding = self.stage.depends_on_past() && self.resume.iter().any(behind);
        self.status.rebuilding.store(rebuilding, Ordering::Relaxed);
    }

    /// Repeated records are normal after a crash; a whole fleet of them means that somebody published it twice.
    fn tell_repeated(&mut self) {
        let dropped = self.status.dropped();
        if dropped > self.told_dropped && self.log.is_new("repeated") {
            tracing::info!(
                "{}: {dropped} records were repeated (at or below their node's last sequence) and led to nothing",
                self.stage.name()
            );
            self.told_dropped = dropped;
        }
    }

    /// Commits what is acknowledged, with where its state is rebuilt from.
    pub(super) fn commit(&mut self, mode: CommitMode) {
        self.note_rebuilding();
        self.tell_repeated();
        self.note_controls();
        self.mark_rewinds();
        match self.intake.commit(mode) {
            Ok(done) => self.note_committed(done),
            Err(e) => tracing::warn!("{}: {e}", self.stage.name()),
        }
        report_lag(self.intake.context(), self.metrics, self.status);
    }

    /// Notes from where the state of now is rebuilt.
    pub(super) fn mark_rewinds(&mut self) {
        for (partition, position) in &self.position {
            if let Some(rewind) = self.stage.rewind_to(*partition) {
                self.ledger.lock().mark(*partition, *position, rewind);
            }
        }
    }

    pub(super) fn note_committed(&self, done: Vec<(i32, i64)>) {
        for (partition, offset) in done {
            self.metrics.committed.with_label_values(&[partition.to_string()]).set(offset);
        }
    }
}

/// Passes the lag that the client library counted on to metrics and status.
pub(crate) fn report_lag(context: &GroupContext, metrics: &Metrics, status: &WorkStatus) {
    let lags = context.lag.lock().map(|l| l.clone()).unwrap_or_default();
    for (partition, lag) in &lags {
        metrics.lag.with_label_values(&[partition.to_string()]).set(*lag);
    }
    let ends = context.ends.lock().map(|e| e.clone()).unwrap_or_default();
    for end in ends {
        metrics.unstable.with_label_values(&[end.partition.to_string()]).set(end.unstable());
    }
    status.lag.store(lags.iter().map(|(_, lag)| lag).sum(), Ordering::Relaxed);
}
