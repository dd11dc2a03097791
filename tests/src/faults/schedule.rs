//! What is to happen, as a function of the seed alone. Pure: no clock, no Kafka.
//!
//! Kinds are dealt like cards, so that each comes once before any comes twice. A longer schedule begins with the shorter one.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::kinds::{Kind, Lane};

/// Longest pause before a fault of the same lane, ms.
const LONGEST_PAUSE_MS: u64 = 5_000;

/// A fault that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// From 1.
    pub number: usize,
    /// Kind.
    pub kind: Kind,
    /// Which process, broker or link, from 0.
    pub target: usize,
    /// Time after the fault before it in its lane.
    pub pause: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// A number for whatever else there is to choose.
    pub salt: u64,
}

impl Planned {
    /// Where it is done.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.kind.lane(self.target)
    }
}

/// The first `count` faults of a seed, of these kinds.
#[must_use]
pub fn schedule(seed: u64, count: usize, kinds: &[Kind]) -> Vec<Planned> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut deck: Vec<Kind> = Vec::new();
    let mut draw = |number: usize| {
        if deck.is_empty() {
            deck.extend_from_slice(kinds);
        }
        let kind = deck.swap_remove(below(&mut rng, deck.len() as u64) as usize);
        let (shortest, longest) = kind.lasts_ms();
        let target = below(&mut rng, kind.targets() as u64) as usize;
        let pause = Duration::from_millis(below(&mut rng, LONGEST_PAUSE_MS));
        let lasts = Duration::from_millis(shortest + below(&mut rng, longest - shortest));
        Planned { number, kind, target, pause, lasts, salt: rng.next_u64() }
    };
    if kinds.is_empty() { Vec::new() } else { (1..=count).map(&mut draw).collect() }
}

/// Uniform in 0…`end`; the bias of a remainder of 64 bits is of no matter here.
fn below(rng: &mut ChaCha8Rng, end: u64) -> u64 {
    rng.next_u64() % end.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_schedule_is_a_function_of_its_seed_and_a_longer_one_begins_with_it(
            seed: u64, count in 0usize..80, more in 0usize..80,
        ) {
            let longer = schedule(seed, count + more, &Kind::ALL);
            prop_assert_eq!(&schedule(seed, count, &Kind::ALL)[..], &longer[..count]);
        }

        #[test]
        fn every_kind_comes_once_before_one_comes_twice(seed: u64, rounds in 1usize..6) {
            let planned = schedule(seed, rounds * Kind::ALL.len(), &Kind::ALL);
            for round in planned.chunks(Kind::ALL.len()) {
                let kinds: HashSet<Kind> = round.iter().map(|p| p.kind).collect();
                prop_assert_eq!(kinds.len(), Kind::ALL.len());
            }
        }

        #[test]
        fn targets_and_times_are_those_of_the_kind(seed: u64, count in 1usize..80) {
            for (index, planned) in schedule(seed, count, &Kind::ALL).iter().enumerate() {
                let (shortest, longest) = planned.kind.lasts_ms();
                prop_assert_eq!(planned.number, index + 1);
                prop_assert!(planned.target < planned.kind.targets());
                prop_assert!((shortest..=longest).contains(&(planned.lasts.as_millis() as u64)));
                prop_assert!(planned.pause < Duration::from_millis(LONGEST_PAUSE_MS));
            }
        }
    }

    #[test]
    fn another_seed_is_another_schedule() {
        assert_ne!(schedule(1, 20, &Kind::ALL), schedule(2, 20, &Kind::ALL));
        assert_eq!(schedule(1, 20, &[]), []);
    }
}
