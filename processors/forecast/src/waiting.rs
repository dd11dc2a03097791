//! What was said of the last minutes and waits for its outcome: the highest load measured in the 5 minutes after it.
//!
//! ```text
//! last word of a minute ─► 5 minutes later, read from the minute bars: peak that followed, peak of the 5 minutes before
//! ```
//!
//! Demotion scores what was said by it, and a node's own corrections learn from it.

use crate::checkpoint::{Reader, Writer};
use crate::error::ForecastError;
use crate::history::History;

/// Minutes until an outcome is known.
pub(crate) const OUTCOME_MINUTES: i64 = OUTCOME as i64;

const OUTCOME: usize = 5;
/// The minute in progress and those that wait.
const KEPT: usize = OUTCOME + 1;

/// What was said of the last minutes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Waiting<T> {
    /// Newest first.
    said: [T; KEPT],
    /// Which of them there are; the lowest bit is the minute in progress.
    is_said: u8,
}

/// Something whose outcome became known; loads in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Known<T> {
    /// The minute in which it did.
    pub(crate) minute: i64,
    pub(crate) said: T,
    /// What was measured in the 5 minutes after it at most.
    pub(crate) peak: f32,
    /// What was measured in the 5 minutes that ended with it at most.
    pub(crate) before: f32,
}

impl<T: Copy + Default> Waiting<T> {
    pub(crate) fn new() -> Self {
        Self { said: [T::default(); KEPT], is_said: 0 }
    }

    /// Notes what was said of the minute in progress; the last word of a minute counts.
    pub(crate) fn say(&mut self, said: T) {
        self.said[0] = said;
        self.is_said |= 1;
    }

    /// What was said of the minute in progress.
    pub(crate) fn now(&self) -> Option<&T> {
        (self.is_said & 1 == 1).then_some(&self.said[0])
    }

    /// Moves on to `minute`, before the bars do. Gives what becomes known, oldest first.
    pub(crate) fn advance(&mut self, history: &History, minute: i64) -> impl Iterator<Item = Known<T>> + use<T> {
        let steps = usize::try_from(minute.saturating_sub(history.minute())).unwrap_or(0);
        let mut known = [None; KEPT];
        for ago in (0..KEPT).filter(|ago| ago + steps > OUTCOME && self.is_said >> ago & 1 == 1) {
            known[OUTCOME - ago] = outcome(history, ago).map(|(peak, before)| Known {
                minute: history.minute() - ago as i64 + OUTCOME_MINUTES,
                said: self.said[ago],
                peak,
                before,
            });
        }
        if steps > OUTCOME {
            self.is_said = 0;
        } else {
            self.said.copy_within(..=OUTCOME - steps, steps);
            self.is_said = (self.is_said << steps) & ((1 << KEPT) - 1);
        }
        known.into_iter().flatten()
    }

    /// Writes itself, each word by `word`.
    pub(crate) fn write(&self, writer: &mut Writer, word: impl Fn(&mut Writer, &T)) {
        writer.byte(self.is_said);
        for (_, said) in self.said.iter().enumerate().filter(|(ago, _)| self.is_said >> ago & 1 == 1) {
            word(writer, said);
        }
    }

    /// Reads what was written, each word by `word`.
    pub(crate) fn read<'a>(
        reader: &mut Reader<'a>,
        word: impl Fn(&mut Reader<'a>) -> Result<T, ForecastError>,
    ) -> Result<Self, ForecastError> {
        let mut waiting = Self::new();
        waiting.is_said = reader.byte()? & ((1 << KEPT) - 1);
        for ago in (0..KEPT).filter(|ago| waiting.is_said >> ago & 1 == 1) {
            waiting.said[ago] = word(reader)?;
        }
        Ok(waiting)
    }
}

/// What was measured in the 5 minutes after the minute `ago`, and in the 5 that end with it; `None` without a measurement
/// in that minute or after it.
fn outcome(history: &History, ago: usize) -> Option<(f32, f32)> {
    history.measured_peak(ago, 1)?;
    let peak = history.measured_peak(0, ago.min(OUTCOME))?;
    Some((peak, history.measured_peak(ago, OUTCOME)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says the number of each minute of a load that is ten times it; gives what became known.
    fn known(minutes: impl Iterator<Item = i64>) -> Vec<Known<i64>> {
        let mut history = History::begin(0, 0.0);
        let mut waiting = Waiting::new();
        let mut all = Vec::new();
        for minute in minutes {
            all.extend(waiting.advance(&history, minute));
            history.advance(minute);
            history.measure(10.0 * minute as f32);
            waiting.say(minute);
        }
        all
    }

    #[test]
    fn a_word_is_known_by_the_five_minutes_after_it() {
        let all = known(1..12);
        // Minute 5 waits until minute 10 is over.
        assert_eq!(all.last(), Some(&Known { minute: 10, said: 5, peak: 100.0, before: 50.0 }));
        assert!(all.iter().map(|known| known.said).eq(1..=5));
    }

    #[test]
    fn a_word_without_a_measurement_after_it_is_forgotten() {
        let all = known((1..10).chain(20..30));
        assert!(all.iter().map(|known| known.said).eq((1..=8).chain(20..=23)), "{all:?}");
        let eighth = all.iter().find(|known| known.said == 8).unwrap();
        assert_eq!((eighth.minute, eighth.peak), (13, 90.0));
    }
}
