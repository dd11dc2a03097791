//! Records on their way to a gateway, in order, until they are acknowledged. Pure.
//!
//! ```text
//! push ─> waiting ─ next_batch ─> sent ─ acknowledged ─> gone
//!            ^                      │
//!            └──── the link broke ──┘   (in the old order)
//! ```
//!
//! It is bounded: what is oldest is dropped first, and counted. A report that is sent and waits for its acknowledgement is
//! never dropped for a new one: what waits is.

use std::collections::VecDeque;

/// Bytes of the values of a batch: what every gateway takes, whatever its settings. One record may be larger, alone.
const BATCH_BYTES: usize = 48 * 1024;

/// A record, encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Node id, or trace id.
    pub key: Vec<u8>,
    /// The framed record.
    pub value: Vec<u8>,
    /// Its place in a trace.
    pub traceparent: String,
    /// Its number in the spool, where it is there, too.
    pub spooled: Option<u64>,
}

/// What is on the way under one name.
#[derive(Debug)]
struct Sent {
    id: u64,
    parcels: Vec<Parcel>,
}

/// The reports of one edge.
#[derive(Debug)]
pub struct Outbox {
    most: usize,
    batch: usize,
    waiting: VecDeque<Parcel>,
    sent: VecDeque<Sent>,
    next_id: u64,
}

impl Outbox {
    /// One that lets `most` reports wait, and sends up to `batch` together.
    #[must_use]
    pub fn new(most: usize, batch: usize) -> Self {
        Self { most, batch: batch.max(1), waiting: VecDeque::new(), sent: VecDeque::new(), next_id: 1 }
    }

    /// Adds a report; gives how many were dropped for it.
    pub fn push(&mut self, parcel: Parcel) -> usize {
        self.waiting.push_back(parcel);
        self.drop_oldest()
    }

    /// The next batch with its id; `None`: nothing waits.
    pub fn next_batch(&mut self) -> Option<(u64, &[Parcel])> {
        let mut bytes = 0;
        let fits = |parcel: &&Parcel| {
            bytes += parcel.value.len();
            bytes <= BATCH_BYTES
        };
        let fitting = self.waiting.iter().take(self.batch).take_while(fits).count();
        let count = fitting.max(1).min(self.waiting.len());
        if count == 0 {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.sent.push_back(Sent { id, parcels: self.waiting.drain(..count).collect() });
        self.sent.back().map(|sent| (id, sent.parcels.as_slice()))
    }

    /// The centre has the batch of this id: gives the reports that were in it; `None`: no such batch is on the way.
    pub fn acknowledged(&mut self, id: u64) -> Option<Vec<Parcel>> {
        let at = self.sent.iter().position(|sent| sent.id == id)?;
        self.sent.remove(at).map(|sent| sent.parcels)
    }

    /// Gives away all that waits; nothing may be on the way.
    pub fn take(&mut self) -> Vec<Parcel> {
        self.waiting.drain(..).collect()
    }

    /// The link broke: what was on the way waits again, before what waits already. Gives how many were dropped for want of
    /// room.
    pub fn link_broke(&mut self) -> usize {
        while let Some(sent) = self.sent.pop_back() {
            sent.parcels.into_iter().rev().for_each(|parcel| self.waiting.push_front(parcel));
        }
        self.drop_oldest()
    }

    /// Batches on the way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// Reports that wait to be sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Reports that no gateway has acknowledged: those that wait, and those on the way.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.waiting.len() + self.sent.iter().map(|sent| sent.parcels.len()).sum::<usize>()
    }

    /// Whether nothing waits and nothing is on the way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    fn drop_oldest(&mut self) -> usize {
        let over = self.waiting.len().saturating_sub(self.most);
        self.waiting.drain(..over);
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parcel(number: u32) -> Parcel {
        Parcel { key: b"a".to_vec(), value: number.to_be_bytes().to_vec(), traceparent: String::new(), spooled: None }
    }

    fn number(parcel: &Parcel) -> u32 {
        u32::from_be_bytes(parcel.value.clone().try_into().unwrap())
    }

    fn sent(outbox: &mut Outbox) -> Option<(u64, Vec<u32>)> {
        outbox.next_batch().map(|(id, parcels)| (id, parcels.iter().map(number).collect()))
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_but_for_a_single_record() {
        let of = |bytes: usize| Parcel { value: vec![0; bytes], ..parcel(1) };
        let mut outbox = Outbox::new(100, 64);
        for bytes in [BATCH_BYTES / 2, BATCH_BYTES / 2, 1, BATCH_BYTES + 1, 1] {
            outbox.push(of(bytes));
        }
        let mut counts = Vec::new();
        while let Some((_, parcels)) = outbox.next_batch() {
            counts.push(parcels.len());
        }
        assert_eq!(counts, [2, 1, 1, 1]);
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_in_its_old_order() {
        let mut outbox = Outbox::new(100, 2);
        for n in 1..=5 {
            outbox.push(parcel(n));
        }
        assert_eq!(sent(&mut outbox), Some((1, vec![1, 2])));
        assert_eq!(sent(&mut outbox), Some((2, vec![3, 4])));
        assert_eq!(outbox.acknowledged(2), Some(vec![parcel(3), parcel(4)]));
        assert_eq!((outbox.acknowledged(2), outbox.acknowledged(9)), (None, None));
        assert_eq!(outbox.link_broke(), 0);
        assert_eq!(sent(&mut outbox), Some((3, vec![1, 2])));
        assert_eq!(sent(&mut outbox), Some((4, vec![5])));
        assert_eq!((sent(&mut outbox), outbox.is_empty()), (None, false));
    }

    #[test]
    fn what_is_oldest_is_dropped_first_and_counted() {
        let mut outbox = Outbox::new(3, 2);
        assert_eq!((1..=5).map(|n| outbox.push(parcel(n))).collect::<Vec<_>>(), [0, 0, 0, 1, 1]);
        assert_eq!(sent(&mut outbox), Some((1, vec![3, 4])));
        assert_eq!((outbox.push(parcel(6)), outbox.push(parcel(7))), (0, 0));
        assert_eq!(outbox.link_broke(), 2);
        assert_eq!(sent(&mut outbox), Some((2, vec![5, 6])));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_repeated_or_out_of_order_but_what_was_dropped(
            steps in proptest::collection::vec(0_u8..5, 0..300), batch in 1_usize..5,
        ) {
            let mut outbox = Outbox::new(1000, batch);
            let (mut pushed, mut on_the_way, mut acknowledged) = (0, Vec::new(), Vec::new());
            for step in steps {
                match step {
                    0 | 1 => { outbox.push(parcel(pushed)); pushed += 1; }
                    2 => on_the_way.extend(sent(&mut outbox)),
                    3 => if let Some((id, numbers)) = on_the_way.pop() {
                        let given = outbox.acknowledged(id).unwrap();
                        prop_assert_eq!(given.iter().map(number).collect::<Vec<_>>(), numbers.clone());
                        acknowledged.extend(numbers);
                    },
                    _ => { outbox.link_broke(); on_the_way.clear(); }
                }
            }
            outbox.link_broke();
            let mut rest = Vec::new();
            while let Some((_, numbers)) = sent(&mut outbox) {
                rest.extend(numbers);
            }
            prop_assert!(rest.is_sorted());
            let mut all = [acknowledged, rest].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..pushed).collect::<Vec<_>>());
        }
    }
}
