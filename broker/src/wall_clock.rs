//! Whether the wall clock was set back, by the monotonic clock beside it. Pure.
//!
//! Threads of the client library that are about to connect again wait until times of the wall clock (`arrivals.rs` tells of it),
//! and nothing but new clients ends such a wait.

use std::time::{Duration, Instant, SystemTime};

/// Steps that are smaller only make waits a little longer.
const WORTH: Duration = Duration::from_secs(5);

/// Both clocks when they were last looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    steady: Instant,
    wall: SystemTime,
}

impl WallClock {
    pub(crate) fn at(steady: Instant, wall: SystemTime) -> Self {
        Self { steady, wall }
    }

    /// How far the wall clock was set back since the last look, where that is far.
    pub(crate) fn set_back(&mut self, steady: Instant, wall: SystemTime) -> Option<Duration> {
        let ought = self.wall + steady.saturating_duration_since(self.steady);
        *self = Self { steady, wall };
        ought.duration_since(wall).ok().filter(|by| *by >= WORTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_far_steps_back_are_told_and_each_once() {
        let (steady, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let after = |s: u64| steady + Duration::from_secs(s);
        let at = |s: u64| wall + Duration::from_secs(s);
        let mut clock = WallClock::at(steady, wall);
        assert_eq!(clock.set_back(after(10), at(10)), None);
        assert_eq!(clock.set_back(after(11), at(1_511)), None, "forward");
        assert_eq!(clock.set_back(after(12), at(12)), Some(Duration::from_secs(1_500)));
        assert_eq!(clock.set_back(after(13), at(13)), None);
        assert_eq!(clock.set_back(after(20), at(16)), None, "four seconds");
        // As after a suspended machine: the monotonic clock stood still.
        assert_eq!(clock.set_back(after(21), at(9_000)), None);
    }
}
