//! The driver under exactly-once: when a transaction is begun and ended, and how the driver goes back after one that was
//! aborted.

use std::time::Duration;

use super::Driver;
use crate::error::BrokerError;
use crate::group::GroupEvent;
use crate::intake::Item;
use crate::stage::Stage;
use crate::transaction::Transactions;

/// How long a commit may take before it is given up; the broker gives up a transaction after `transaction.timeout.ms`.
const COMMIT: Duration = Duration::from_secs(10);

impl<S: Stage> Driver<'_, S> {
    /// Whether an output may be sent now. Under exactly-once that begins a transaction where none is open.
    pub(super) fn may_send(&self) -> bool {
        self.transactions().is_none_or(|t| t.begin(&self.publisher))
    }

    /// Under exactly-once a record that could not be sent fails its transaction, not the stage.
    pub(super) fn sent(&self, sent: Result<(), BrokerError>) -> Result<(), BrokerError> {
        match sent {
            Err(e @ (BrokerError::Kafka { .. } | BrokerError::Fenced { .. })) if self.transactions().is_some() => {
                self.ledger.fail(e);
                Ok(())
            }
            sent => sent,
        }
    }

    /// Time until the open transaction is due; as long as `longest` where none is.
    pub(super) fn until_due(&self, longest: Duration) -> Duration {
        let since = self.transactions().and_then(|t| t.open_since());
        since.map_or(longest, |since| self.processing.transaction.saturating_sub(since.elapsed()).min(longest))
    }

    /// Ends the transaction where it is time.
    pub(super) fn serve_transaction(&mut self, batch: &mut Vec<Item<S::Input>>) -> Result<(), BrokerError> {
        // A refused output fails its transaction: no need to wait for its time.
        if self.until_due(Duration::MAX).is_zero() || (self.is_open() && self.ledger.has_failed()) {
            self.end_transaction(COMMIT);
        }
        self.go_back_if_aborted(batch)
    }

    /// Ends the open transaction, whatever its age.
    pub(super) fn end_transaction(&mut self, patience: Duration) {
        if self.is_open() {
            self.mark_rewinds();
            let done = self.intake.end_transaction(patience);
            self.metrics.note_committed(&done);
        }
    }

    /// After an abort: everything since the committed offsets is read again, with state as on an assignment.
    pub(super) fn go_back_if_aborted(&mut self, batch: &mut Vec<Item<S::Input>>) -> Result<(), BrokerError> {
        let must = self.transactions().map_or(Ok(false), |t| t.must_go_back())?;
        if !must || self.intake.context().stop.is_set() {
            return Ok(());
        }
        batch.clear();
        let partitions: Vec<i32> = self.resume.keys().copied().collect();
        self.forget(&partitions);
        let resumes = self.intake.go_back(&partitions)?;
        self.intake.context().push(GroupEvent::Assigned(resumes));
        self.serve_events(batch)
    }

    fn is_open(&self) -> bool {
        self.transactions().is_some_and(|t| t.open_since().is_some())
    }

    fn transactions(&self) -> Option<&Transactions> {
        self.intake.context().transactions.as_ref()
    }
}
