//! Whether Kafka has all of a batch: each batch has a ticket, each of its records is sent with it.
//!
//! ```text
//! open ─> ticket ─ one delivery report a record, on the client's thread ─> the last one ─> Outcome, to who waits
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_broker::{Acknowledge, BrokerError};
use tokio::sync::oneshot;

/// How a batch ended: `Err` says why one of its records is not on its topic.
pub(super) type Outcome = Result<(), BrokerError>;

/// All open tickets.
#[derive(Default)]
pub(super) struct Tickets(Mutex<Open>);

#[derive(Default)]
struct Open {
    last: usize,
    batches: HashMap<usize, Waiting>,
}

struct Waiting {
    /// Records without a delivery report, and one more until all are sent.
    left: usize,
    outcome: Outcome,
    told: oneshot::Sender<Outcome>,
}

impl Tickets {
    /// A ticket for a batch of so many records; the batch ends when each was delivered or failed, and it was closed.
    pub(super) fn open(&self, records: usize) -> (usize, oneshot::Receiver<Outcome>) {
        let (told, outcome) = oneshot::channel();
        let mut open = self.lock();
        // Ticket 0 is the one that nobody waits for.
        open.last += 1;
        let ticket = open.last;
        open.batches.insert(ticket, Waiting { left: records + 1, outcome: Ok(()), told });
        (ticket, outcome)
    }

    /// All records of a batch were handed to the client but `unsent`, because of an error where there is one.
    pub(super) fn close(&self, ticket: usize, unsent: usize, outcome: Outcome) {
        self.end(ticket, unsent + 1, outcome);
    }

    fn end(&self, ticket: usize, records: usize, outcome: Outcome) {
        let mut open = self.lock();
        let Some(waiting) = open.batches.get_mut(&ticket) else { return };
        waiting.left = waiting.left.saturating_sub(records);
        if waiting.outcome.is_ok() {
            waiting.outcome = outcome;
        }
        if waiting.left == 0
            && let Some(Waiting { outcome, told, .. }) = open.batches.remove(&ticket)
        {
            drop(open);
            // Nobody waits where the edge has gone.
            drop(told.send(outcome));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("open", &self.lock().batches.len()).finish()
    }
}

impl Acknowledge for Tickets {
    fn delivered(&self, ticket: usize) {
        self.end(ticket, 1, Ok(()));
    }

    fn failed(&self, ticket: usize, error: BrokerError) {
        self.end(ticket, 1, Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    fn too_large() -> BrokerError {
        BrokerError::TooLarge { topic: "t".into(), bytes: 1 }
    }

    #[test]
    fn a_batch_ends_with_its_last_record_and_not_before_it_is_closed() {
        let tickets = Tickets::default();
        let (first, mut outcome) = tickets.open(2);
        let (second, mut other) = tickets.open(1);
        assert_ne!(first, second);
        tickets.delivered(first);
        tickets.delivered(first);
        assert!(matches!(outcome.try_recv(), Err(TryRecvError::Empty)));
        tickets.close(first, 0, Ok(()));
        assert!(matches!(outcome.try_recv(), Ok(Ok(()))));
        tickets.close(second, 0, Ok(()));
        assert!(matches!(other.try_recv(), Err(TryRecvError::Empty)));
        tickets.delivered(second);
        assert!(matches!(other.try_recv(), Ok(Ok(()))));
    }

    #[test]
    fn one_failure_is_that_of_the_batch_and_what_was_not_sent_is_not_waited_for() {
        let tickets = Tickets::default();
        let (ticket, mut outcome) = tickets.open(3);
        tickets.failed(ticket, too_large());
        tickets.delivered(ticket);
        assert!(matches!(outcome.try_recv(), Err(TryRecvError::Empty)));
        tickets.close(ticket, 1, Err(BrokerError::MissingTopic("t".into())));
        assert!(matches!(outcome.try_recv(), Ok(Err(BrokerError::TooLarge { .. }))), "the first reason stays");
        let (empty, mut outcome) = tickets.open(0);
        tickets.close(empty, 0, Ok(()));
        assert!(matches!(outcome.try_recv(), Ok(Ok(()))));
        drop(outcome);
        let (ticket, outcome) = tickets.open(0);
        drop(outcome);
        tickets.close(ticket, 0, Ok(()));
    }
}
