//! Whether a resource's model earns its place: its peak forecasts are scored against the best simple baseline as outcomes
//! come in, and a model that loses is set aside until it wins again.
//!
//! ```text
//! last forecast of a minute ─► its outcome: |p50 − peak|, |baseline − peak| ─► error sums of the window
//! new window ─► the last 3 whole windows, oldest first: two lost in a row ─► demoted; one won ─► promoted
//! ```
//!
//! The outcome of a forecast of minute m is the highest load measured in the minutes m+1 … m+5; the baseline is the peak
//! of the minutes m−4 … m (`waiting.rs`). The model goes on forecasting underneath and is scored on
//! what it would have said. Windows are the context windows, aligned to event time, and the verdict is a function of the last
//! [`WINDOWS`] whole ones alone, so it is rebuilt from a bounded stretch of the log. What is kept is about 80 bytes.

use crate::checkpoint::{Reader, Writer};
use crate::error::ForecastError;
use crate::history::History;
use crate::waiting::{Known, Waiting};

/// Whole windows that the verdict depends on.
pub(crate) const WINDOWS: i64 = 3;

const MINUTES: i64 = crate::state::CONTEXT_WINDOW_MS / crate::state::MINUTE_MS;
/// A window is lost where the model's error is above this many times the baseline's …
const LOST: f32 = 1.35;
/// … and by more than this many points a forecast: less is no harm, and on a calm node it is noise.
const NOISE: f32 = 0.25;
/// Lost windows in a row that demote.
const IN_A_ROW: u32 = 2;
/// A window with fewer outcomes says nothing: half of those that 5-minute reports give.
const FEWEST: u32 = 6;
/// Slots: the whole windows and the one in progress.
const SLOTS: usize = WINDOWS as usize + 1;

/// Sums of absolute errors of the peak over one window, in points.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WindowScore {
    /// The model's, of its p50.
    pub model: f32,
    /// The baseline's.
    pub baseline: f32,
    /// Forecasts whose outcome is known.
    pub outcomes: u32,
}

/// What one window says of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vote {
    Lost,
    Won,
    Neither,
}

impl WindowScore {
    fn vote(&self) -> Vote {
        let WindowScore { model, baseline, outcomes } = *self;
        if outcomes < FEWEST {
            Vote::Neither
        } else if model > LOST * baseline + NOISE * outcomes as f32 {
            Vote::Lost
        } else if model < baseline {
            Vote::Won
        } else {
            Vote::Neither
        }
    }
}

/// The score of one resource of one node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scores {
    /// The model's p50 at the end of the last minutes, in points.
    waiting: Waiting<f32>,
    /// By window number, modulo their count.
    windows: [WindowScore; SLOTS],
    window: i64,
    demoted: bool,
}

impl Scores {
    /// Begins in the window of `minute`.
    pub(crate) fn begin(minute: i64) -> Self {
        Self {
            waiting: Waiting::new(),
            windows: [WindowScore::default(); SLOTS],
            window: minute.div_euclid(MINUTES),
            demoted: false,
        }
    }

    /// Notes what the model said of the minute in progress; the last word of a minute counts.
    pub(crate) fn say(&mut self, points: f32) {
        self.waiting.say(points);
    }

    /// Moves on to `minute`, before the bars do: what becomes known is scored.
    pub(crate) fn advance(&mut self, history: &History, minute: i64) {
        for Known { minute, said, peak, before } in self.waiting.advance(history, minute) {
            self.enter(minute.div_euclid(MINUTES));
            let sums = &mut self.windows[slot(self.window)];
            sums.model += (said - peak).abs();
            sums.baseline += (before - peak).abs();
            sums.outcomes += 1;
        }
        self.enter(minute.div_euclid(MINUTES));
    }

    /// Number of the window in progress.
    pub(crate) fn window(&self) -> i64 {
        self.window
    }

    /// The score of one of the last windows.
    pub(crate) fn of_window(&self, window: i64) -> WindowScore {
        self.windows[slot(window)]
    }

    /// Whether the baseline takes the model's place in the window in progress.
    pub(crate) fn is_demoted(&self) -> bool {
        self.demoted
    }

    /// The last whole windows, oldest first.
    pub(crate) fn whole_windows(&self) -> [WindowScore; WINDOWS as usize] {
        std::array::from_fn(|index| self.windows[slot(self.window - WINDOWS + index as i64)])
    }

    /// The same with the event time at which each began.
    pub(crate) fn dated_windows(&self) -> Vec<(i64, WindowScore)> {
        let begun = (self.window - WINDOWS..).map(|window| window * crate::state::CONTEXT_WINDOW_MS);
        begun.zip(self.whole_windows()).collect()
    }

    /// Writes itself as of the beginning of a minute.
    pub(crate) fn write(&self, writer: &mut Writer) {
        self.waiting.write(writer, |writer, said| writer.float(*said));
        for number in self.window - WINDOWS..=self.window {
            let WindowScore { model, baseline, outcomes } = self.windows[slot(number)];
            writer.floats(&[model, baseline]);
            writer.unsigned(outcomes.into());
        }
        writer.byte(self.demoted.into());
    }

    /// Reads what was written as of `minute`.
    pub(crate) fn read(reader: &mut Reader<'_>, minute: i64) -> Result<Self, ForecastError> {
        let mut scores = Self::begin(minute);
        scores.waiting = Waiting::read(reader, |reader| reader.float())?;
        for number in scores.window - WINDOWS..=scores.window {
            let (model, baseline) = (reader.float()?, reader.float()?);
            let outcomes = reader.up_to(u32::MAX.into())? as u32;
            scores.windows[slot(number)] = WindowScore { model, baseline, outcomes };
        }
        scores.demoted = reader.byte()? == 1;
        Ok(scores)
    }

    /// Begins windows up to `window`, and judges by those before it.
    fn enter(&mut self, window: i64) {
        let passed = window.saturating_sub(self.window).clamp(0, SLOTS as i64);
        if passed == 0 {
            return;
        }
        for begun in 0..passed {
            self.windows[slot(window - begun)] = WindowScore::default();
        }
        self.window = window;
        self.demoted = verdict(&self.whole_windows());
    }
}

fn slot(window: i64) -> usize {
    window.rem_euclid(SLOTS as i64) as usize
}

/// Walks the windows, oldest first, from the model's good name on.
fn verdict(windows: &[WindowScore]) -> bool {
    let (mut demoted, mut lost) = (false, 0);
    for vote in windows.iter().map(WindowScore::vote) {
        match vote {
            Vote::Lost => lost += 1,
            Vote::Won => (demoted, lost) = (false, 0),
            Vote::Neither => lost = 0,
        }
        demoted |= lost >= IN_A_ROW;
    }
    demoted
}

#[cfg(test)]
mod tests {
    use super::*;

    const WON: WindowScore = WindowScore { model: 99.0, baseline: 100.0, outcomes: 60 };
    const LOST: WindowScore = WindowScore { model: 160.0, baseline: 100.0, outcomes: 60 };
    /// Worse, but not by enough.
    const EVEN: WindowScore = WindowScore { model: 130.0, baseline: 100.0, outcomes: 60 };

    #[test]
    fn two_lost_in_a_row_demote_and_one_won_promotes() {
        assert!(!verdict(&[WON, LOST, WON]));
        assert!(!verdict(&[LOST, EVEN, LOST]));
        assert!(!verdict(&[WON, WON, LOST]));
        assert!(verdict(&[WON, LOST, LOST]));
        assert!(verdict(&[LOST, LOST, EVEN]), "it is not promoted for losing by less");
        assert!(!verdict(&[LOST, LOST, WON]));
    }

    #[test]
    fn too_little_a_difference_and_too_few_outcomes_lose_nothing() {
        assert_eq!(LOST.vote(), Vote::Lost);
        assert_eq!(WindowScore { outcomes: 5, ..LOST }.vote(), Vote::Neither);
        // A calm node: the baseline is right to the last digit, the model a fifth of a point off.
        assert_eq!(WindowScore { model: 12.0, baseline: 0.0, outcomes: 60 }.vote(), Vote::Neither);
        assert_eq!(WindowScore { model: 18.0, baseline: 0.0, outcomes: 60 }.vote(), Vote::Lost);
    }

    #[test]
    fn a_forecast_without_a_measured_horizon_is_not_scored() {
        let run = |silent: i64| {
            let mut history = History::begin(0, 10.0);
            let mut scores = Scores::begin(0);
            for minute in (1..60).filter(|minute| !(20..20 + silent).contains(minute)) {
                scores.advance(&history, minute);
                history.advance(minute);
                history.measure(10.0);
                scores.say(11.0);
            }
            scores.advance(&history, 60);
            scores.whole_windows()[WINDOWS as usize - 1]
        };
        // Of minutes 1 to 54 the outcomes are known by minute 60.
        assert_eq!(run(0), WindowScore { model: 54.0, baseline: 0.0, outcomes: 54 });
        assert_eq!(run(3).outcomes, 51);
        // Minute 19 has no measurement in its five.
        assert_eq!(run(5).outcomes, 54 - 5 - 1);
        assert_eq!(run(10).outcomes, 54 - 10 - 1);
    }
}
