//! One learner: weights of the coordinates for the median and for the spread, and their steps.

use super::basis::{COORDINATES, STEPS_PER_UNIT};
use super::{Correction, Note};
use crate::checkpoint::{Reader, Writer, damaged};
use crate::error::ForecastError;
use crate::numeric::larger;

/// Length of a step of the median's weights, and of the spread's.
const MEDIAN_RATE: f32 = 1e-3;
const SPREAD_RATE: f32 = 2e-4;
/// The pinball loss is rounded off within so much of its corner, in units of the scale, as Huber's (1964).
const CORNER: f32 = 0.05;
/// Coordinates further out than this, squared and summed, take no longer a step than those here (normalised LMS: Nagumo and Noda 1967).
const FAR: f32 = 200.0;

/// More than the steps of two days add up to.
const HEAVIEST: f32 = 100.0;

/// Weights in units of the node's scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learner {
    median: [f32; COORDINATES],
    spread: [f32; COORDINATES],
}

impl Default for Learner {
    fn default() -> Self {
        Self { median: [0.0; COORDINATES], spread: [0.0; COORDINATES] }
    }
}

impl Learner {
    pub(super) fn says(&self, note: &Note) -> Correction {
        self.says_at(&units(note))
    }

    fn says_at(&self, at: &[f32; COORDINATES]) -> Correction {
        Correction { median: product(&self.median, at), spread: product(&self.spread, at) }
    }

    /// Takes a step: `peak` is what followed, in points.
    pub(super) fn learn(&mut self, note: &Note, peak: f32) {
        let at = units(note);
        let said = self.says_at(&at);
        let above_median = (peak - note.median) / note.scale - said.median;
        let above_high = above_median - note.spread - said.spread;
        let step = 1.0 / larger(1.0, product(&at, &at) * (1.0 / FAR));
        let median_step = MEDIAN_RATE * step * 0.5 * sign(above_median);
        let spread_step = SPREAD_RATE * step * (0.5 * sign(above_high) + 0.4);
        for (index, at) in at.iter().enumerate() {
            self.median[index] += median_step * at;
            self.spread[index] += spread_step * at;
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let is_blank = *self == Self::default();
        writer.byte(u8::from(!is_blank));
        if !is_blank {
            writer.floats(&self.median);
            writer.floats(&self.spread);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ForecastError> {
        let mut learner = Self::default();
        match reader.byte()? {
            0 => {}
            1 => {
                reader.floats(&mut learner.median)?;
                reader.floats(&mut learner.spread)?;
                if learner.median.iter().chain(&learner.spread).any(|weight| weight.abs() > HEAVIEST) {
                    return Err(damaged("it has a weight that no two days teach"));
                }
            }
            _ => return Err(damaged("it has a learner that is not known")),
        }
        Ok(learner)
    }
}

fn units(note: &Note) -> [f32; COORDINATES] {
    note.at.map(|steps| f32::from(steps) * (1.0 / STEPS_PER_UNIT))
}

const _: () = assert!(COORDINATES.is_multiple_of(4), "products go by fours");

fn product(a: &[f32; COORDINATES], b: &[f32; COORDINATES]) -> f32 {
    let mut lanes = [0.0_f32; 4];
    for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

/// The sign, through zero at a slope within the corner.
fn sign(x: f32) -> f32 {
    (x * (1.0 / CORNER)).clamp(-1.0, 1.0)
}
