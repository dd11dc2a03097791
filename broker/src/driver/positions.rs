//! Positions of the driver: what it tells of them, and what is committed as outputs are acknowledged.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::restoring::{Restoration, Standby};
use super::{Driver, PAUSE};
use crate::error::BrokerError;
use crate::group::GroupContext;
use crate::intake::Commit;
use crate::metrics::Metrics;
use crate::stage::Stage;
use crate::status::WorkStatus;

/// Time between two signs of life to the group while something long is read.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

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

    /// How long to wait for a record: not while there is something to restore or to follow.
    pub(super) fn patience(&self) -> Duration {
        let follows = self.restoring.is_empty() && self.standby.as_ref().is_some_and(Standby::is_reading);
        let busy = follows || self.restoring.front().is_some_and(Restoration::is_due);
        if busy { Duration::ZERO } else { Duration::from_millis(100) }
    }

    /// Shows which partitions are held, and how many of them wait for their state.
    pub(super) fn note_assignment(&self) {
        let held = self.resume.len() as i64;
        self.metrics.assigned.set(held);
        self.note_restoring();
        self.status.assigned.store(held, Ordering::Relaxed);
        self.status.lag_known.store(false, Ordering::Relaxed);
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
    pub(super) fn commit(&mut self, commit: Commit<S::Input>) {
        self.tell_repeated();
        self.note_controls();
        self.mark_rewinds();
        match commit(&self.intake) {
            Ok(done) => self.metrics.note_committed(&done),
            Err(e) => tracing::warn!("{}: {e}", self.stage.name()),
        }
        report_lag(self.intake.context(), self.metrics, self.status);
    }

    /// Notes from where the state of now is rebuilt.
    pub(super) fn mark_rewinds(&mut self) {
        for (partition, position) in &self.position {
            if let Some(past) = self.stage.rewind_to(*partition) {
                self.ledger.lock().mark(*partition, *position, past);
            }
        }
    }
}

/// Passes the lag that the client library counted on to metrics and status.
pub(crate) fn report_lag(context: &GroupContext, metrics: &Metrics, status: &WorkStatus) {
    let lags = context.lag.lock().map(|l| l.clone()).unwrap_or_default();
    for (partition, lag) in &lags {
        metrics.note_lag(*partition, *lag);
    }
    let ends = context.ends.lock().map(|e| e.clone()).unwrap_or_default();
    for end in ends {
        metrics.unstable.with_label_values(&[end.partition.to_string()]).set(end.unstable());
    }
    status.lag.store(lags.iter().map(|(_, lag)| lag).sum(), Ordering::Relaxed);
    status.lag_known.store(lags.len() as i64 >= status.assigned(), Ordering::Relaxed);
}
