//! Which input offsets may be committed: per partition the lowest contiguous one whose outputs are all acknowledged.
//!
//! ```text
//! take(partition, offset, outputs) ─> ticket ─> (sent with every output) ─> acknowledge(ticket)
//!                                                                                │
//! committable(partition) <── lowest offset still waiting, or the one after the last taken
//! ```
//!
//! Pure: no Kafka, no clock. A ticket of an earlier assignment of the same partition is recognised and ignored.

use std::collections::{HashMap, VecDeque};

use crate::acknowledge::NO_TICKET;
use crate::past::Past;

/// Bits of a ticket that number the inputs of a partition; the partition stands above them.
const NUMBER_BITS: u32 = 44;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;

/// What to commit for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committable {
    /// Offset of the next record to read.
    pub(crate) offset: i64,
    /// From where state must be rebuilt before reading on from `offset`.
    pub(crate) past: Option<Past>,
}

#[derive(Debug, Default)]
struct Partition {
    assigned: bool,
    /// Number of the first entry of `waiting`; numbers start at 1 and are never used again.
    first: u64,
    waiting: VecDeque<Entry>,
    /// Offset after the last one taken.
    next: Option<i64>,
    committed: Option<i64>,
    /// State marks: at position, rebuild from.
    marks: VecDeque<(i64, Past)>,
    past: Option<Past>,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    pending: u32,
}

/// The ledger of one consumer.
#[derive(Debug, Default)]
pub(crate) struct CommitLedger {
    partitions: HashMap<i32, Partition>,
}

impl CommitLedger {
    /// Records that an input was taken and will have `outputs` outputs, all sent with the ticket returned. What is taken
    /// of a partition that is no longer ours counts for nothing: its new owner commits it.
    pub(crate) fn take(&mut self, partition: i32, offset: i64, outputs: u32) -> usize {
        let Some(p) = self.partitions.get_mut(&partition).filter(|p| p.assigned) else {
            return NO_TICKET;
        };
        p.next = Some(offset + 1);
        let number = p.first + p.waiting.len() as u64;
        p.waiting.push_back(Entry { offset, pending: outputs });
        p.settle();
        let ticket = u64::from(partition.cast_unsigned()) << NUMBER_BITS | (number & NUMBER_MASK);
        usize::try_from(ticket).unwrap_or(usize::MAX)
    }

    /// One output of the ticket's input is on the broker.
    pub(crate) fn acknowledge(&mut self, ticket: usize) {
        let ticket = ticket as u64;
        let partition = ((ticket >> NUMBER_BITS) as u32).cast_signed();
        let Some(p) = self.partitions.get_mut(&partition) else { return };
        let index = (ticket & NUMBER_MASK).checked_sub(p.first).and_then(|i| usize::try_from(i).ok());
        if let Some(entry) = index.and_then(|i| p.waiting.get_mut(i)) {
            entry.pending = entry.pending.saturating_sub(1);
            p.settle();
        }
    }

    /// Notes from where state as of position `at` is rebuilt.
    pub(crate) fn mark(&mut self, partition: i32, at: i64, past: Past) {
        let Some(p) = self.partitions.get_mut(&partition).filter(|p| p.assigned) else { return };
        if p.marks.back().is_none_or(|(last, _)| *last < at) {
            p.marks.push_back((at, past));
        }
        // Few are needed; an older mark only rewinds further.
        if p.marks.len() > 64 {
            p.marks.pop_back();
        }
    }

    /// What may be committed now, where that is more than last time.
    pub(crate) fn committable(&mut self, partition: i32) -> Option<Committable> {
        let p = self.partitions.get_mut(&partition)?;
        let offset = p.waiting.front().map_or(p.next, |e| Some(e.offset))?;
        if p.committed.is_some_and(|c| c >= offset) {
            return None;
        }
        p.committed = Some(offset);
        while let Some((at, past)) = p.marks.front().copied().filter(|(at, _)| *at <= offset) {
            debug_assert!(at <= offset);
            p.past = Some(past);
            p.marks.pop_front();
        }
        Some(Committable { offset, past: p.past })
    }

    /// Whether something that was taken is not acknowledged yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.partitions.values().any(|p| !p.waiting.is_empty())
    }

    /// The broker holds this offset of the partition: what we committed above it is committable again.
    pub(crate) fn on_broker(&mut self, partition: i32, offset: i64) {
        if let Some(p) = self.partitions.get_mut(&partition) {
            p.committed = p.committed.filter(|committed| *committed <= offset);
        }
    }

    /// Begins a new assignment of the partition; `past` is what its committed position said.
    pub(crate) fn assign(&mut self, partition: i32, past: Option<Past>) {
        let p = self.partitions.entry(partition).or_default();
        p.forget();
        p.assigned = true;
        p.past = past;
    }

    /// Ends an assignment: what is still in flight for it will be ignored.
    pub(crate) fn revoke(&mut self, partition: i32) {
        if let Some(p) = self.partitions.get_mut(&partition) {
            p.forget();
            p.assigned = false;
        }
    }

    /// Partitions that were taken from.
    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.partitions.keys().copied().collect()
    }
}

impl Partition {
    fn settle(&mut self) {
        while self.waiting.front().is_some_and(|e| e.pending == 0) {
            self.waiting.pop_front();
            self.first += 1;
        }
    }

    fn forget(&mut self) {
        self.first = self.first.max(1) + self.waiting.len() as u64;
        self.waiting.clear();
        self.next = None;
        self.committed = None;
        self.marks.clear();
        self.past = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_late_delivery_of_an_earlier_assignment_moves_nothing() {
        let mut ledger = CommitLedger::default();
        ledger.assign(3, None);
        let old = ledger.take(3, 10, 1);
        ledger.revoke(3);
        assert_eq!(ledger.take(3, 11, 0), NO_TICKET);
        assert_eq!(ledger.committable(3), None);
        ledger.assign(3, None);
        let new = ledger.take(3, 10, 1);
        ledger.acknowledge(old);
        assert_eq!(ledger.committable(3), Some(Committable { offset: 10, past: None }));
        ledger.acknowledge(new);
        assert_eq!(ledger.committable(3), Some(Committable { offset: 11, past: None }));
    }

    #[test]
    fn a_mark_counts_only_once_its_position_is_committed() {
        let mut ledger = CommitLedger::default();
        ledger.assign(0, Some(Past::from(1)));
        let a = ledger.take(0, 10, 1);
        ledger.mark(0, 11, Past::from(5));
        assert_eq!(ledger.committable(0), Some(Committable { offset: 10, past: Some(Past::from(1)) }));
        ledger.acknowledge(a);
        assert_eq!(ledger.committable(0), Some(Committable { offset: 11, past: Some(Past::from(5)) }));
    }

    #[test]
    fn a_commit_that_failed_is_made_again() {
        let mut ledger = CommitLedger::default();
        ledger.assign(0, Some(Past::from(4)));
        let ticket = ledger.take(0, 10, 1);
        ledger.acknowledge(ticket);
        let whole = Some(Committable { offset: 11, past: Some(Past::from(4)) });
        assert_eq!((ledger.committable(0), ledger.committable(0)), (whole, None));
        ledger.on_broker(0, 10);
        assert_eq!(ledger.committable(0), whole);
        ledger.on_broker(0, 11);
        assert_eq!(ledger.committable(0), None);
    }

    /// What happens to one partition of a member.
    #[derive(Debug, Clone)]
    enum Event {
        Take { outputs: u32 },
        Acknowledge(proptest::sample::Index),
        Revoke,
        Assign,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => (0u32..4).prop_map(|outputs| Event::Take { outputs }),
            6 => any::<proptest::sample::Index>().prop_map(Event::Acknowledge),
            1 => Just(Event::Revoke),
            1 => Just(Event::Assign),
        ]
    }

    proptest! {
        /// Partitions come and go with outputs in flight: acknowledgements of an earlier assignment may come late or never,
        /// and nothing is committed that the present one has not seen acknowledged, nor anything while there is none.
        #[test]
        fn rebalances_put_no_commit_ahead(events in proptest::collection::vec(event(), 1..200)) {
            let mut ledger = CommitLedger::default();
            let (mut assigned, mut next, mut committed) = (false, 0, 0);
            // Tickets of all assignments; the offsets of the present one that wait, once for each output.
            let mut in_flight: Vec<(usize, u32, i64)> = Vec::new();
            let mut assignment = 0;
            for event in events {
                match event {
                    Event::Take { outputs } => {
                        let ticket = ledger.take(7, next, outputs);
                        prop_assert_eq!(ticket == NO_TICKET, !assigned);
                        if assigned {
                            in_flight.extend((0..outputs).map(|_| (ticket, assignment, next)));
                            next += 1;
                        }
                    }
                    Event::Acknowledge(index) if !in_flight.is_empty() => {
                        let (ticket, ..) = in_flight.swap_remove(index.index(in_flight.len()));
                        ledger.acknowledge(ticket);
                    }
                    Event::Acknowledge(_) => {}
                    Event::Revoke => {
                        ledger.revoke(7);
                        assigned = false;
                    }
                    Event::Assign => {
                        // The new assignment reads on from what was committed.
                        ledger.assign(7, None);
                        (assigned, next) = (true, committed);
                        assignment += 1;
                    }
                }
                let lowest = in_flight.iter().filter(|f| f.1 == assignment).map(|f| f.2).min();
                if let Some(c) = ledger.committable(7) {
                    prop_assert!(assigned && c.offset >= committed);
                    prop_assert_eq!(c.offset, lowest.unwrap_or(next));
                    committed = c.offset;
                }
            }
        }

        /// Whatever the order of acknowledgements, nothing at or after the lowest waiting offset is committable, and in
        /// the end everything is.
        #[test]
        fn commits_are_never_ahead(
            inputs in proptest::collection::vec((0i32..3, 0u32..4), 1..60),
            order in proptest::collection::vec(any::<proptest::sample::Index>(), 240),
        ) {
            let mut ledger = CommitLedger::default();
            (0..3).for_each(|partition| ledger.assign(partition, None));
            let mut next = [0i64; 3];
            let mut waiting: Vec<(usize, i32, i64)> = Vec::new();
            for (partition, outputs) in inputs {
                let offset = next[partition as usize];
                next[partition as usize] += 1;
                let ticket = ledger.take(partition, offset, outputs);
                waiting.extend((0..outputs).map(|_| (ticket, partition, offset)));
            }
            let mut committed = [0i64; 3];
            for index in order {
                if !waiting.is_empty() {
                    let (ticket, ..) = waiting.swap_remove(index.index(waiting.len()));
                    ledger.acknowledge(ticket);
                }
                for partition in 0..3 {
                    if let Some(c) = ledger.committable(partition) {
                        prop_assert!(c.offset >= committed[partition as usize]);
                        committed[partition as usize] = c.offset;
                        let lowest = waiting.iter().filter(|w| w.1 == partition).map(|w| w.2).min();
                        prop_assert_eq!(c.offset, lowest.unwrap_or(next[partition as usize]));
                    }
                }
            }
            prop_assert!(waiting.is_empty());
            prop_assert_eq!(committed, next);
        }
    }
}
