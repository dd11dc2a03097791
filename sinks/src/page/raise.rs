//! Was a quota raised ahead of a rise, and did the rise come?
//!
//! ```text
//! command: scale > 1, forecast peak > 0.8
//!   load had not passed 0.8 ──> Ahead ── load passes 0.8 within 5 min ──> Confirmed (with the lead)
//!                                 └──── 5 min pass, or the raise is taken back ──> Missed
//!   load had passed 0.8     ──> Late
//! command without a raise   ──> None
//! ```
//!
//! One raise is one claim, judged once: a raise that goes on opens no second claim. A raise older than the history kept
//! (the commands were far behind the reports) claims nothing, whichever way it would have ended.

use super::history::{BUCKET_MS, History};

/// Load above which a node is hot, and which a forecast must pass for a raise: the default policy's threshold.
pub const THRESHOLD: f64 = 0.8;
/// A rise has this long to come, in milliseconds of event time.
const HORIZON_MS: i64 = 5 * 60 * 1000;

/// Where a node stands with its last raise; times are event times in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Raise {
    /// The quota is not raised, or nothing can be said of its raise.
    #[default]
    None,
    /// Raised while the load was still below the threshold; the rise has not come yet.
    Ahead {
        /// Time of the raise.
        at: i64,
    },
    /// Raised ahead, and the load passed the threshold within 5 minutes.
    Confirmed {
        /// Time of the raise.
        at: i64,
        /// From the raise to the load's passing, in milliseconds.
        lead_ms: i64,
    },
    /// Raised ahead, and no rise came.
    Missed {
        /// Time of the raise.
        at: i64,
    },
    /// Raised only when the load had passed the threshold.
    Late {
        /// Time of the raise.
        at: i64,
    },
}

/// How raises ended, over the whole fleet since the page began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RaiseTally {
    /// Raised ahead, and the rise came.
    pub confirmed: u64,
    /// Raised ahead, and no rise came.
    pub missed: u64,
    /// Raised only when the load had passed the threshold.
    pub late: u64,
    /// Sum of the leads of the confirmed ones, in milliseconds.
    pub lead_ms: i64,
}

/// What of a command matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Event time of the command.
    pub(super) t: i64,
    /// Whether this command raises for a rise.
    pub(super) raised: bool,
    /// Whether the one before did; `None`: none was seen.
    pub(super) raised_before: Option<bool>,
    /// Load by the report behind the command.
    pub(super) current: f64,
}

/// Whether a command raises a quota because a rise is forecast.
pub(super) fn is_raise(scale: f64, predicted: f64) -> bool {
    scale > 1.0 && predicted > THRESHOLD
}

impl Raise {
    /// Takes the node's next command. `history` holds reports that may already be later than the command.
    pub(super) fn on_command(&mut self, step: Step, history: &History, tally: &mut RaiseTally) {
        if !step.raised {
            self.miss_if_open(tally);
            *self = Self::None;
        } else if step.raised_before == Some(false) && history.oldest().is_some_and(|oldest| oldest <= step.t) {
            if step.current > THRESHOLD {
                *self = Self::Late { at: step.t };
                tally.late += 1;
            } else {
                *self = Self::Ahead { at: step.t };
                for point in history.points().filter(|p| p.start > step.t) {
                    self.on_load(point.start, f64::from(point.load()), tally);
                }
            }
        }
    }

    /// Takes the node's load at event time `t`.
    pub(super) fn on_load(&mut self, t: i64, load: f64, tally: &mut RaiseTally) {
        let Self::Ahead { at } = *self else { return };
        if t > at.saturating_add(HORIZON_MS) {
            self.miss_if_open(tally);
        } else if t > at && load > THRESHOLD {
            let lead_ms = t - at;
            *self = Self::Confirmed { at, lead_ms };
            tally.confirmed += 1;
            tally.lead_ms += lead_ms;
        }
    }

    fn miss_if_open(&mut self, tally: &mut RaiseTally) {
        if let Self::Ahead { at } = *self {
            *self = Self::Missed { at };
            tally.missed += 1;
        }
    }

    /// One letter for the compact views.
    pub(super) fn letter(self) -> char {
        match self {
            Self::None => '-',
            Self::Ahead { .. } => 'a',
            Self::Confirmed { .. } => 'c',
            Self::Missed { .. } => 'm',
            Self::Late { .. } => 'l',
        }
    }
}

impl RaiseTally {
    /// Mean lead of the confirmed raises in milliseconds; `None` while there are none.
    #[must_use]
    pub fn mean_lead_ms(&self) -> Option<i64> {
        i64::try_from(self.confirmed).ok().filter(|n| *n > 0).map(|n| self.lead_ms / n)
    }
}

// Steps must be finer than the horizon, or the thinned past could not judge a raise.
const _: () = assert!(BUCKET_MS < HORIZON_MS);

#[cfg(test)]
mod tests {
    use super::*;

    fn step(t: i64, raised: bool, before: Option<bool>, current: f64) -> Step {
        Step { t, raised, raised_before: before, current }
    }

    fn history(loads: &[(i64, f32)]) -> History {
        let mut history = History::default();
        for (t, load) in loads {
            history.at(*t).unwrap().cpu = *load;
        }
        history
    }

    #[test]
    fn a_rise_within_five_minutes_confirms() {
        let (mut raise, mut tally) = (Raise::None, RaiseTally::default());
        raise.on_command(step(60_000, true, Some(false), 0.5), &history(&[(60_000, 0.5)]), &mut tally);
        assert_eq!(raise, Raise::Ahead { at: 60_000 });
        raise.on_load(120_000, 0.8, &mut tally);
        assert_eq!(raise, Raise::Ahead { at: 60_000 }, "0.8 itself is not above 0.8");
        raise.on_load(360_000, 0.81, &mut tally);
        assert_eq!(raise, Raise::Confirmed { at: 60_000, lead_ms: 300_000 });
        assert_eq!((tally.confirmed, tally.missed, tally.mean_lead_ms()), (1, 0, Some(300_000)));
    }

    #[test]
    fn no_rise_in_time_is_a_miss_and_a_raise_that_goes_on_is_no_new_claim() {
        let (mut raise, mut tally) = (Raise::None, RaiseTally::default());
        let seen = history(&[(0, 0.5)]);
        raise.on_command(step(0, true, Some(false), 0.5), &seen, &mut tally);
        raise.on_load(300_001, 0.95, &mut tally);
        assert_eq!(raise, Raise::Missed { at: 0 });
        raise.on_command(step(300_001, true, Some(true), 0.5), &seen, &mut tally);
        assert_eq!(raise, Raise::Missed { at: 0 });
        raise.on_command(step(310_000, false, Some(true), 0.5), &seen, &mut tally);
        assert_eq!((raise, tally.missed), (Raise::None, 1));
    }

    #[test]
    fn a_raise_taken_back_before_a_rise_is_a_miss() {
        let (mut raise, mut tally) = (Raise::None, RaiseTally::default());
        raise.on_command(step(0, true, Some(false), 0.5), &history(&[(0, 0.5)]), &mut tally);
        raise.on_command(step(60_000, false, Some(true), 0.5), &history(&[(0, 0.5)]), &mut tally);
        assert_eq!((raise, tally.missed), (Raise::None, 1));
    }

    #[test]
    fn raised_at_a_hot_load_is_late() {
        let (mut raise, mut tally) = (Raise::None, RaiseTally::default());
        raise.on_command(step(0, true, Some(false), 0.9), &history(&[(0, 0.9)]), &mut tally);
        assert_eq!((raise, tally.late, tally.confirmed), (Raise::Late { at: 0 }, 1, 0));
        raise.on_load(10_000, 0.95, &mut tally);
        assert_eq!(tally.confirmed, 0);
    }

    #[test]
    fn a_first_command_claims_nothing() {
        let (mut raise, mut tally) = (Raise::None, RaiseTally::default());
        raise.on_command(step(0, true, None, 0.5), &history(&[(0, 0.5)]), &mut tally);
        assert_eq!((raise, tally), (Raise::None, RaiseTally::default()));
    }

    #[test]
    fn reports_that_came_before_the_command_judge_it_too() {
        let (mut raise, mut tally) = (Raise::None, RaiseTally::default());
        let seen = history(&[(0, 0.5), (30_000, 0.6), (90_000, 0.9)]);
        raise.on_command(step(10_000, true, Some(false), 0.5), &seen, &mut tally);
        assert_eq!(raise, Raise::Confirmed { at: 10_000, lead_ms: 80_000 });

        let mut forgotten = Raise::None;
        forgotten.on_command(step(10_000, true, Some(false), 0.5), &history(&[(90_000, 0.9)]), &mut tally);
        forgotten.on_command(step(10_000, true, Some(false), 0.9), &history(&[(90_000, 0.9)]), &mut tally);
        assert_eq!((forgotten, tally.late), (Raise::None, 0), "what went on then is no longer known");
    }
}
