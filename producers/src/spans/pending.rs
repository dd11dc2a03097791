//! Requests that wait for Kafka: each counts its records that are not acknowledged.
//!
//! ```text
//! open, with the number of its records ─> delivered, failed (the client's thread) ─> wait gives the outcome
//! ```

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidegate_broker::{Acknowledge, BrokerError, NO_TICKET};

/// What waits, by ticket.
#[derive(Debug, Default)]
pub(super) struct Pending {
    requests: Mutex<Requests>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Requests {
    open: HashMap<usize, Waiting>,
    last_ticket: usize,
    records: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    records: usize,
    failure: Option<BrokerError>,
    /// Nobody waits for it any more.
    is_forgotten: bool,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new request of so many records.
    pub(super) fn open(&self, records: usize) -> usize {
        let mut requests = self.lock();
        // 0 is nobody's.
        requests.last_ticket = requests.last_ticket.wrapping_add(1).max(NO_TICKET + 1);
        let ticket = requests.last_ticket;
        requests.open.insert(ticket, Waiting { records, ..Waiting::default() });
        requests.records += records;
        ticket
    }

    /// So many records of a request are not waited for any more.
    pub(super) fn settled(&self, ticket: usize, records: usize) {
        self.settle(ticket, records, None);
    }

    /// Records of all requests that are not acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.lock().records
    }

    /// Nobody waits for this request.
    pub(super) fn forget(&self, ticket: usize) {
        let mut requests = self.lock();
        if let Some(waiting) = requests.open.get_mut(&ticket) {
            waiting.is_forgotten = true;
            if waiting.records == 0 {
                requests.open.remove(&ticket);
            }
        }
    }

    /// Waits until all records of a request are acknowledged, and gives the first failure; `None` where that takes longer.
    pub(super) fn wait(&self, ticket: usize, patience: Duration) -> Option<Option<BrokerError>> {
        let until = Instant::now() + patience;
        let mut requests = self.lock();
        loop {
            match requests.open.get(&ticket) {
                Some(waiting) if waiting.records > 0 => {}
                _ => return Some(requests.open.remove(&ticket).and_then(|waiting| waiting.failure)),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(requests);
                self.forget(ticket);
                return None;
            }
            requests = self.changed.wait_timeout(requests, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn settle(&self, ticket: usize, records: usize, failure: Option<BrokerError>) {
        let mut requests = self.lock();
        requests.records = requests.records.saturating_sub(records);
        let Some(waiting) = requests.open.get_mut(&ticket) else { return };
        waiting.records = waiting.records.saturating_sub(records);
        if let Some(failure) = failure {
            waiting.failure.get_or_insert(failure);
        }
        let is_over = waiting.records == 0;
        if is_over && waiting.is_forgotten {
            requests.open.remove(&ticket);
        }
        if is_over {
            self.changed.notify_all();
        }
    }
}

impl Acknowledge for Pending {
    fn delivered(&self, ticket: usize) {
        self.settle(ticket, 1, None);
    }

    fn failed(&self, ticket: usize, error: BrokerError) {
        self.settle(ticket, 1, Some(error));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_request_waits_for_its_own_records_only() {
        let pending = Arc::new(Pending::default());
        let (a, b) = (pending.open(2), pending.open(1));
        assert_eq!(pending.waiting(), 3);
        let told = Arc::clone(&pending);
        let thread = std::thread::spawn(move || {
            told.delivered(a);
            told.failed(a, BrokerError::Thread("x".into()));
        });
        assert!(matches!(pending.wait(a, LONG), Some(Some(BrokerError::Thread(_)))));
        thread.join().unwrap();
        assert!(pending.wait(b, Duration::from_millis(1)).is_none(), "it is not acknowledged");
        assert_eq!((pending.waiting(), pending.lock().open.len()), (1, 1));
        pending.delivered(b);
        assert_eq!((pending.waiting(), pending.lock().open.len()), (0, 0), "nothing stays behind");
        let empty = pending.open(0);
        assert!(matches!(pending.wait(empty, LONG), Some(None)), "a request without spans waits for nothing");
    }
}
