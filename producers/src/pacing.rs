//! Pacing: when a record of some event time is due on the wall clock, at speed 1, 60, or as fast as it goes.
//!
//! Time is an argument throughout. Wall time is a [`Duration`] since any fixed moment, event time is Unix milliseconds.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest single sleep, so that a stop is seen soon.
const SLICE: Duration = Duration::from_millis(100);
/// Shortest sleep: records due within it go out together, which costs far less than a wake-up for each.
const NAP: Duration = Duration::from_millis(1);

/// How fast event time passes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// So many seconds of event time in a second of wall time; finite and above 0.
    Times(f64),
    /// No waiting.
    Max,
}

/// A speed that is neither a positive number nor `max`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the speed {0:?} is neither a number above 0 nor max")]
pub struct BadSpeed(String);

impl FromStr for Speed {
    type Err = BadSpeed;

    fn from_str(text: &str) -> Result<Self, BadSpeed> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        let times = text.parse::<f64>().ok().filter(|t| t.is_finite() && *t > 0.0);
        times.map(Self::Times).ok_or_else(|| BadSpeed(text.to_owned()))
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// Maps event time to wall time; the first event seen is due at once and fixes the mapping.
#[derive(Debug, Clone)]
pub struct Pacer {
    speed: Speed,
    anchor: Option<(i64, Duration)>,
}

impl Pacer {
    /// A pacer that has seen nothing yet.
    #[must_use]
    pub fn new(speed: Speed) -> Self {
        Self { speed, anchor: None }
    }

    /// How long to wait from `now` until the event is due; zero where it is due or late.
    pub fn wait(&mut self, event_ms: i64, now: Duration) -> Duration {
        let Speed::Times(times) = self.speed else { return Duration::ZERO };
        let (first_ms, began) = *self.anchor.get_or_insert((event_ms, now));
        let ahead_s = event_ms.saturating_sub(first_ms) as f64 / 1000.0 / times;
        let due = Duration::try_from_secs_f64(ahead_s.max(0.0)).unwrap_or(Duration::MAX);
        began.saturating_add(due).saturating_sub(now)
    }
}

/// What paced loops need from a clock.
pub trait Clock {
    /// Wall time since any fixed moment; never goes back.
    fn now(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
}

/// Waits until the event is due, up to a millisecond longer, in short slices; `false` where `stop` was set meanwhile.
pub fn wait_until_due(pacer: &mut Pacer, event_ms: i64, clock: &dyn Clock, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = pacer.wait(event_ms, clock.now());
        if left.is_zero() {
            return true;
        }
        clock.sleep(left.clamp(NAP, SLICE));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    /// A clock that only sleeping moves.
    #[derive(Debug, Default)]
    pub(crate) struct FakeClock {
        pub(crate) now: Cell<Duration>,
    }

    impl Clock for FakeClock {
        fn now(&self) -> Duration {
            self.now.get()
        }
        fn sleep(&self, time: Duration) {
            self.now.set(self.now.get() + time);
        }
    }

    #[test]
    fn speeds_are_read_and_nonsense_is_refused() {
        assert_eq!("60".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("MAX".parse(), Ok(Speed::Max));
        for bad in ["0", "-1", "nan", "inf", "", "fast"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn at_speed_60_a_minute_takes_a_second() {
        let (clock, stop) = (FakeClock::default(), AtomicBool::new(false));
        clock.sleep(Duration::from_secs(5));
        let mut pacer = Pacer::new(Speed::Times(60.0));
        for minute in 0..10 {
            assert!(wait_until_due(&mut pacer, 1_000_000 + minute * 60_000, &clock, &stop));
            assert_eq!(clock.now(), Duration::from_secs(5 + minute as u64));
        }
    }

    #[test]
    fn a_stop_ends_the_wait() {
        struct Stopper<'a>(&'a AtomicBool, FakeClock);
        impl Clock for Stopper<'_> {
            fn now(&self) -> Duration {
                self.1.now()
            }
            fn sleep(&self, time: Duration) {
                self.1.sleep(time);
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let stop = AtomicBool::new(false);
        let clock = Stopper(&stop, FakeClock::default());
        let mut pacer = Pacer::new(Speed::Times(1.0));
        assert!(wait_until_due(&mut pacer, 0, &clock, &stop));
        assert!(!wait_until_due(&mut pacer, i64::MAX, &clock, &stop));
        assert!(clock.now() <= SLICE);
    }

    proptest! {
        #[test]
        fn nothing_is_early_and_late_events_are_due_at_once(
            speed in 0.01f64..10_000.0,
            steps in proptest::collection::vec((0i64..3_600_000, 0u64..100_000), 1..50),
        ) {
            let mut pacer = Pacer::new(Speed::Times(speed));
            let (mut event, mut now) = (0i64, Duration::ZERO);
            pacer.wait(event, now);
            for (forward_ms, passed_ms) in steps {
                event += forward_ms;
                now += Duration::from_millis(passed_ms);
                let due = event as f64 / 1000.0 / speed;
                let wait = pacer.wait(event, now).as_secs_f64();
                prop_assert!((wait - (due - now.as_secs_f64()).max(0.0)).abs() < 1e-6 * due.max(1.0));
            }
        }

        #[test]
        fn the_pacer_survives_any_event_time(first: i64, second: i64) {
            let mut pacer = Pacer::new(Speed::Times(1.0));
            pacer.wait(first, Duration::ZERO);
            pacer.wait(second, Duration::from_secs(1));
        }
    }
}
