//! The ledger, shared between the driver, the delivery reports and the rebalance callback.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::acknowledge::Acknowledge;
use crate::error::BrokerError;
use crate::ledger::CommitLedger;

/// One ledger for all threads of a group member, and the failure that ends it.
#[derive(Debug, Default)]
pub(crate) struct SharedLedger {
    ledger: Mutex<CommitLedger>,
    failure: Mutex<Option<BrokerError>>,
}

impl SharedLedger {
    pub(crate) fn lock(&self) -> MutexGuard<'_, CommitLedger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a delivery failed for good; told once.
    pub(crate) fn take_failure(&self) -> Option<BrokerError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A delivery failed for good; the first counts.
    pub(crate) fn fail(&self, error: BrokerError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Whether a delivery failed for good.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Acknowledge for SharedLedger {
    fn delivered(&self, ticket: usize) {
        self.lock().acknowledge(ticket);
    }

    fn failed(&self, _: usize, error: BrokerError) {
        self.fail(error);
    }
}
