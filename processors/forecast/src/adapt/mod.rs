//! What a node's own past corrects in its forecasts: a model learned from other nodes is off on each node in a way of its own.
//!
//! ```text
//! inputs, outputs of the networks ─► Basis: 68 coordinates ─► · weights of the older learner ─► added to median and spread
//!                                            │ 5 minutes later, with the peak that followed
//!                                            └─► a step of both learners
//! new day ─► the younger learner takes over, a fresh one begins
//! ```
//!
//! A learner is linear in the coordinates. Its steps descend the pinball losses at 0.5 and 0.9 of the peak (Koenker and Bassett 1978; online
//! subgradient descent: Zinkevich 2003; feedback that comes late: Joulani et al. 2013). It begins with nothing, so a node
//! is forecast by the networks alone at first. Days are aligned to event time: what is known reaches back two of them
//! at most, and is the same however much more past was seen. Learners change between minutes only.

mod basis;
mod learner;

use basis::COORDINATES;
pub(crate) use basis::{Basis, SEEN, raw};
use learner::Learner;

use crate::checkpoint::{Reader, Writer, damaged};
use crate::error::ForecastError;
use crate::features::Features;
use crate::history::History;
use crate::network::OUTPUTS;
use crate::waiting::Waiting;

/// Minutes of a day: a learner that speaks is one to two days old.
const DAY: i64 = 1_440;
/// How long a learner lives, in minutes.
pub(crate) const LIFE_MINUTES: i64 = 2 * DAY;

/// The least scale of a node, in points.
const LEAST_SCALE: f32 = 0.5;
/// More points than any forecast has.
const FARTHEST: f32 = 1e9;

/// What the networks said of a minute, and what they saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Note {
    at: [i8; COORDINATES],
    /// Their median of the peak, in points.
    median: f32,
    /// From it to their 0.9 quantile, in units of the scale.
    spread: f32,
    /// The node's own scale, in points.
    scale: f32,
}

impl Default for Note {
    fn default() -> Self {
        Self { at: [0; COORDINATES], median: 0.0, spread: 0.0, scale: 0.0 }
    }
}

impl Note {
    /// Whether it can come of a report.
    fn is_possible(&self) -> bool {
        self.scale >= LEAST_SCALE && self.median.abs() < FARTHEST && self.spread.abs() < FARTHEST
    }

    pub(crate) fn new(basis: &Basis, features: &Features, outputs: &[f32; OUTPUTS]) -> Self {
        Self {
            at: basis.coordinates(&features.inputs, outputs),
            median: features.value + features.scale * outputs[0],
            spread: outputs[1],
            scale: features.scale,
        }
    }
}

/// What is added to a forecast; in units of the node's scale.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Correction {
    /// To the median.
    pub(crate) median: f32,
    /// To the distance from the median to the 0.9 quantile.
    pub(crate) spread: f32,
}

/// What one resource of a node teaches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Adaptation {
    /// The older, which speaks, and the younger.
    learners: [Learner; 2],
    /// Number of the day in progress.
    day: i64,
    waiting: Waiting<Note>,
}

impl Adaptation {
    /// Begins in the day of `minute`.
    pub(crate) fn begin(minute: i64) -> Self {
        Self { learners: Default::default(), day: minute.div_euclid(DAY), waiting: Waiting::new() }
    }

    /// Notes what the networks said of the minute in progress, and gives what the past adds.
    pub(crate) fn correct(&mut self, note: Note) -> Correction {
        self.waiting.say(note);
        self.learners[0].says(&note)
    }

    /// What was added to the last forecast of the minute in progress, in points.
    pub(crate) fn corrected(&self) -> Option<Correction> {
        let note = self.waiting.now()?;
        let Correction { median, spread } = self.learners[0].says(note);
        Some(Correction { median: note.scale * median, spread: note.scale * spread })
    }

    /// Moves on to `minute`, before the bars do: what becomes known is learned.
    pub(crate) fn advance(&mut self, history: &History, minute: i64) {
        for known in self.waiting.advance(history, minute) {
            self.enter(known.minute);
            for learner in &mut self.learners {
                learner.learn(&known.said, known.peak);
            }
        }
        self.enter(minute);
    }

    /// At a new day the younger takes over.
    fn enter(&mut self, minute: i64) {
        let day = minute.div_euclid(DAY);
        if day > self.day {
            // A gap is at most an hour long, so that no more than one day begins at once.
            let [_, younger] = std::mem::take(&mut self.learners);
            self.learners[0] = younger;
            self.day = day;
        }
    }

    /// Writes itself as of the beginning of a minute.
    pub(crate) fn write(&self, writer: &mut Writer) {
        self.learners.iter().for_each(|learner| learner.write(writer));
        self.waiting.write(writer, |writer, note| {
            note.at.iter().for_each(|at| writer.byte(at.cast_unsigned()));
            writer.floats(&[note.median, note.spread, note.scale]);
        });
    }

    /// Reads what was written as of `minute`.
    pub(crate) fn read(reader: &mut Reader<'_>, minute: i64) -> Result<Self, ForecastError> {
        let learners = [Learner::read(reader)?, Learner::read(reader)?];
        let waiting = Waiting::read(reader, |reader| {
            let mut note = Note::default();
            for at in &mut note.at {
                *at = reader.byte()?.cast_signed();
            }
            [note.median, note.spread, note.scale] = [reader.float()?, reader.float()?, reader.float()?];
            if note.is_possible() { Ok(note) } else { Err(damaged("it has a note that no network makes")) }
        })?;
        Ok(Self { learners, waiting, ..Self::begin(minute) })
    }
}

#[cfg(test)]
mod tests;
