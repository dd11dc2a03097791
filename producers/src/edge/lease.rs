//! How long a command holds: leases on the edge's own clocks. Pure.
//!
//! ```text
//! command, how it came ─> what is left of its lease ─> end on the monotonic clock (and by the wall clock, for the cache)
//! ```
//!
//! A lease is `valid_until - timestamp` long. Once a command is here its lease is counted on the monotonic clock alone, so
//! that a wall clock that is set cannot end it early or make it live longer. The wall clock is asked only where nothing
//! else knows the age: for what stood on the topic, or in the cache, before this process began to listen.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_schemas::records::QuotaCommand;

/// Reports whose moment is remembered: a lease of 5 minutes at one report a second, and some.
const REMEMBERED: usize = 512;

/// A moment by both clocks of this edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// The wall clock, Unix ms; it may be wrong, and may be set.
    pub wall_ms: i64,
    /// Time since a fixed moment of this process.
    pub since: Duration,
}

/// How a command reached this edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was published while the edge listened: fresh.
    Live,
    /// It was there before: its age is known to the wall clock alone.
    Kept,
}

/// The end of a command's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    /// On the monotonic clock; the last moment belongs to the lease.
    ends: Duration,
    /// The same by the wall clock as it stood when the command came.
    pub(super) until_ms: i64,
}

impl Lease {
    /// The lease of a command that came at `at`, and answers a report of that age where one is known.
    pub(super) fn of(command: &QuotaCommand, heard: Heard, age: Option<Duration>, at: Moment) -> Self {
        let length = length_ms(command);
        let left = match (age, heard) {
            (Some(age), _) => length.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)).max(0),
            (None, Heard::Live) => length,
            (None, Heard::Kept) => command.valid_until.saturating_sub(at.wall_ms).clamp(0, length),
        };
        // A command that was over before it came holds for no moment at all.
        if left == 0 { Self::over(at) } else { Self::lasting(left, at) }
    }

    /// A lease that another process of this edge counted to `until_ms` by the wall clock.
    pub(super) fn restored(command: &QuotaCommand, until_ms: i64, at: Moment) -> Self {
        let left = until_ms.saturating_sub(at.wall_ms).clamp(0, length_ms(command));
        if left == 0 { Self { until_ms, ..Self::over(at) } } else { Self::lasting(left, at) }
    }

    fn lasting(left_ms: i64, at: Moment) -> Self {
        let left = Duration::from_millis(left_ms.unsigned_abs());
        Self { ends: at.since.saturating_add(left), until_ms: at.wall_ms.saturating_add(left_ms) }
    }

    fn over(at: Moment) -> Self {
        Self { ends: at.since, until_ms: at.wall_ms.saturating_sub(1) }
    }

    /// Whether it lasts; a lease that was over when it came does not, not even at that moment.
    pub(super) fn holds(&self, at: Moment) -> bool {
        at.since < self.ends
    }
}

/// Length of a command's lease in ms; stale input at the centre may leave none.
fn length_ms(command: &QuotaCommand) -> i64 {
    command.valid_until.saturating_sub(command.timestamp).max(0)
}

/// When this process made its latest reports: a command answers one of them by its sequence.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reported(VecDeque<(i64, Duration)>);

impl Reported {
    pub(super) fn add(&mut self, sequence: i64, at: Moment) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((sequence, at.since));
    }

    /// How long ago the report of this sequence was made; of one that is forgotten, no more than what is sure.
    pub(super) fn age(&self, sequence: i64, at: Moment) -> Option<Duration> {
        let oldest = self.0.front().filter(|(oldest, _)| self.0.len() == REMEMBERED && sequence < *oldest);
        if let Some((_, made)) = oldest {
            return Some(at.since.saturating_sub(*made));
        }
        let place = self.0.binary_search_by_key(&sequence, |(sequence, _)| *sequence).ok()?;
        self.0.get(place).map(|(_, made)| at.since.saturating_sub(*made))
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::command;
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn moment(wall_ms: i64, since_ms: u64) -> Moment {
        Moment { wall_ms, since: Duration::from_millis(since_ms) }
    }

    fn leased(timestamp: i64, length: i64) -> QuotaCommand {
        QuotaCommand { timestamp, valid_until: timestamp + length, ..command("a", timestamp, 1.0) }
    }

    fn heard() -> impl Strategy<Value = Heard> {
        prop_oneof![Just(Heard::Live), Just(Heard::Kept)]
    }

    const YEAR: i64 = 31_557_600_000;

    proptest! {
        #[test]
        fn no_clock_makes_a_command_outlive_its_lease_after_receipt(
            heard in heard(), timestamp in 0..YEAR, length in -1_000i64..3_600_000,
            wall in -YEAR..2 * YEAR, since in 0u64..1 << 40, age in proptest::option::of(0u64..7_200_000),
            moved in -YEAR..YEAR,
        ) {
            let at = moment(wall, since);
            let lease = Lease::of(&leased(timestamp, length), heard, age.map(Duration::from_millis), at);
            let end = since + length.max(0).unsigned_abs();
            prop_assert!(!lease.holds(moment(wall + moved, end)), "the wall clock has no say any more");
        }

        #[test]
        fn no_clock_ends_the_lease_of_a_fresh_command_early(
            timestamp in 0..YEAR, length in 1i64..3_600_000, wall in -YEAR..2 * YEAR, since in 0u64..1 << 40,
            moved in -YEAR..YEAR, share in 0.0..1.0f64,
        ) {
            let lease = Lease::of(&leased(timestamp, length), Heard::Live, None, moment(wall, since));
            let later = since + (length as f64 * share) as u64;
            prop_assert!(lease.holds(moment(wall + moved, later)));
        }

        #[test]
        fn a_report_of_ours_tells_the_age_whatever_the_wall_clock_says(
            heard in heard(), length in 1i64..3_600_000, age in 0u64..7_200_000, wall in -YEAR..2 * YEAR,
        ) {
            let at = moment(wall, 1 << 33);
            let lease = Lease::of(&leased(0, length), heard, Some(Duration::from_millis(age)), at);
            prop_assert_eq!(lease.holds(at), age < length.unsigned_abs());
        }

        #[test]
        fn a_restart_does_not_lengthen_a_lease(
            length in 1i64..3_600_000, wall in 0..YEAR, down in 0i64..7_200_000, back in 0i64..7_200_000,
        ) {
            let command = leased(wall, length);
            let before = Lease::of(&command, Heard::Live, None, moment(wall, 0));
            // Another process: its monotonic clock begins anew. The wall clock may have been set back meanwhile.
            let after = Lease::restored(&command, before.until_ms, moment(wall + down, 0));
            prop_assert_eq!(after.holds(moment(0, 0)), down < length);
            let set_back = Lease::restored(&command, before.until_ms, moment(wall + down - back, 0));
            prop_assert!(!set_back.holds(moment(0, length.unsigned_abs())));
        }
    }

    #[test]
    fn what_stood_on_the_topic_is_judged_by_the_wall_clock() {
        let command = leased(1_000, 60_000);
        let left = |wall: i64| Lease::of(&command, Heard::Kept, None, moment(wall, 0));
        assert!(left(31_000).holds(moment(0, 29_999)) && !left(31_000).holds(moment(0, 30_000)));
        assert!(!left(61_000).holds(moment(61_000, 0)), "it was over when it came");
        assert!(!left(0).holds(moment(0, 60_000)), "a clock that is behind gives no more than the lease");
    }

    #[test]
    fn reports_are_remembered_up_to_a_bound() {
        let mut reported = Reported::default();
        for n in 0..1_000 {
            reported.add(n * 10, moment(0, n.unsigned_abs()));
        }
        assert_eq!(reported.age(9_990, moment(0, 1_000)), Some(MS));
        assert_eq!(reported.age(9_991, moment(0, 1_000)), None);
        assert_eq!(
            reported.age(10, moment(0, 1_000)),
            Some(512 * MS),
            "forgotten: at least as old as the oldest known"
        );
        assert_eq!(reported.0.len(), REMEMBERED);
    }
}
