//! A circuit breaker for the way to the centre: a pure state machine, the time is an argument.
//!
//! ```text
//!            3 failures in a row                5 s later: one trial
//!  closed ─────────────────────────> open ──────────────────────────> half-open
//!    ^                                 ^                                 │   │
//!    │                                 └──────────── it fails ───────────┘   │
//!    └──────────────────────────────────── it succeeds ──────────────────────┘
//! ```

use std::time::Duration;

/// Failures in a row that open it.
const FAILURES: u32 = 3;
/// How long it stays open before a trial.
const REST: Duration = Duration::from_secs(5);

/// State of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts are made.
    Closed,
    /// None are made.
    Open,
    /// One is being made, and decides.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in metrics and the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A change of state: from, to.
pub type Transition = (BreakerState, BreakerState);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inner {
    Closed { failures: u32 },
    Open { until: Duration },
    HalfOpen,
}

/// The breaker. Times are those of any clock that does not go back, from any beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker(Inner);

/// Whether an attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Yes; its outcome is to be told by [`Breaker::succeeded`] or [`Breaker::failed`].
    Granted(Option<Transition>),
    /// Not before so long; zero where the outcome of a trial is awaited.
    Refused(Duration),
}

impl Default for Breaker {
    fn default() -> Self {
        Self(Inner::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Its state.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.0 {
            Inner::Closed { .. } => BreakerState::Closed,
            Inner::Open { .. } => BreakerState::Open,
            Inner::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Asks for an attempt at `now`.
    pub fn ask(&mut self, now: Duration) -> Permission {
        match self.0 {
            Inner::Closed { .. } => Permission::Granted(None),
            Inner::Open { until } if now < until => Permission::Refused(until - now),
            Inner::Open { .. } => Permission::Granted(self.go(Inner::HalfOpen)),
            Inner::HalfOpen => Permission::Refused(Duration::ZERO),
        }
    }

    /// An attempt succeeded.
    pub fn succeeded(&mut self) -> Option<Transition> {
        match self.0 {
            // The late success of an attempt that began before is no trial.
            Inner::Open { .. } => None,
            _ => self.go(Inner::Closed { failures: 0 }),
        }
    }

    /// An attempt failed at `now`.
    pub fn failed(&mut self, now: Duration) -> Option<Transition> {
        let open = Inner::Open { until: now.saturating_add(REST) };
        match self.0 {
            Inner::Closed { failures } if failures + 1 < FAILURES => self.go(Inner::Closed { failures: failures + 1 }),
            Inner::Closed { .. } | Inner::HalfOpen => self.go(open),
            Inner::Open { .. } => None,
        }
    }

    fn go(&mut self, to: Inner) -> Option<Transition> {
        let before = self.state();
        self.0 = to;
        (before != self.state()).then(|| (before, self.state()))
    }
}

#[cfg(test)]
mod tests {
    use super::BreakerState::{Closed, HalfOpen, Open};
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A breaker that opened at `ms`.
    fn opened(ms: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.failed(at(ms));
        }
        breaker
    }

    #[test]
    fn the_third_failure_in_a_row_opens_it_and_a_success_between_begins_anew() {
        let mut breaker = Breaker::default();
        assert_eq!([breaker.failed(at(1)), breaker.failed(at(2))], [None, None]);
        assert_eq!(breaker.succeeded(), None);
        assert_eq!([breaker.failed(at(3)), breaker.failed(at(4))], [None, None]);
        assert_eq!(breaker.ask(at(4)), Permission::Granted(None));
        assert_eq!(breaker.failed(at(5)), Some((Closed, Open)));
    }

    #[test]
    fn after_five_seconds_there_is_one_trial_whose_outcome_decides() {
        let mut breaker = opened(100);
        assert_eq!(breaker.ask(at(100)), Permission::Refused(at(5_000)));
        assert_eq!(breaker.ask(at(5_099)), Permission::Refused(at(1)));
        assert_eq!(breaker.ask(at(5_100)), Permission::Granted(Some((Open, HalfOpen))));
        assert_eq!(breaker.ask(at(9_000)), Permission::Refused(Duration::ZERO));
        assert_eq!(breaker.failed(at(9_000)), Some((HalfOpen, Open)));
        assert_eq!(breaker.ask(at(13_999)), Permission::Refused(at(1)));
        assert_eq!(breaker.ask(at(14_000)), Permission::Granted(Some((Open, HalfOpen))));
        assert_eq!(breaker.succeeded(), Some((HalfOpen, Closed)));
        assert_eq!(breaker.failed(at(14_001)), None, "it counts from the beginning again");
    }

    #[test]
    fn what_began_before_it_opened_moves_nothing() {
        let mut breaker = opened(100);
        assert_eq!((breaker.succeeded(), breaker.failed(at(200))), (None, None));
        assert_eq!(breaker.ask(at(5_100)), Permission::Granted(Some((Open, HalfOpen))));
    }

    proptest! {
        /// Against the sentence: 3 failures in a row open it, one trial after 5 s, closed on success.
        #[test]
        fn any_history_keeps_to_the_sentence(steps in proptest::collection::vec((0_u8..3, 0_u64..4_000), 0..200)) {
            let mut breaker = Breaker::default();
            let (mut now, mut in_a_row, mut opened_at, mut on_trial) = (0, 0, None::<u64>, false);
            for (what, later) in steps {
                now += later;
                match what {
                    0 => {
                        let granted = matches!(breaker.ask(at(now)), Permission::Granted(_));
                        let expected = opened_at.is_none_or(|since| !on_trial && now >= since + 5_000);
                        prop_assert_eq!(granted, expected);
                        on_trial |= granted && opened_at.is_some();
                    }
                    1 => {
                        breaker.succeeded();
                        if opened_at.is_none() || on_trial {
                            (in_a_row, opened_at, on_trial) = (0, None, false);
                        }
                    }
                    _ => {
                        breaker.failed(at(now));
                        in_a_row += 1;
                        if on_trial || opened_at.is_none() && in_a_row == 3 {
                            (opened_at, on_trial) = (Some(now), false);
                        }
                    }
                }
                let state = if on_trial { HalfOpen } else if opened_at.is_some() { Open } else { Closed };
                prop_assert_eq!(breaker.state(), state);
            }
        }
    }
}
