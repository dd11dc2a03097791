//! What became known of a node's forecasts since a mark: errors of the peak whose outcome is there now. For those who watch how the
//! model does; no forecast depends on it.

use crate::Resource;
use crate::demotion::{Scores, WINDOWS, WindowScore};
use crate::state::NodeState;

/// How far the scores of a node's resources were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marks([Option<Mark>; 2]);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Mark {
    /// Tells one past of a resource from another.
    begun_ms: i64,
    window: i64,
    score: WindowScore,
}

impl NodeState {
    /// How far the scores are.
    #[must_use]
    pub fn marks(&self) -> Marks {
        Marks(Resource::ALL.map(|resource| {
            let track = self.seen(resource)?;
            let window = track.scores.window();
            Some(Mark { begun_ms: track.begun_ms(), window, score: track.scores.of_window(window) })
        }))
    }

    /// Sums over the forecasts of each resource whose outcome became known since.
    #[must_use]
    pub fn known_since(&self, marks: &Marks) -> [WindowScore; 2] {
        Resource::ALL.map(|resource| {
            let Some(track) = self.seen(resource) else { return WindowScore::default() };
            let mark = marks.0[resource as usize].filter(|mark| mark.begun_ms == track.begun_ms());
            since(&track.scores, mark)
        })
    }
}

fn since(scores: &Scores, mark: Option<Mark>) -> WindowScore {
    let oldest = scores.window() - WINDOWS;
    let (from, counted) = match mark {
        Some(mark) if mark.window >= oldest => (mark.window, mark.score),
        _ => (oldest, WindowScore::default()),
    };
    let mut sum = WindowScore::default();
    for score in (from..=scores.window()).map(|window| scores.of_window(window)) {
        sum.model += score.model;
        sum.baseline += score.baseline;
        sum.outcomes += score.outcomes;
    }
    WindowScore {
        model: sum.model - counted.model,
        baseline: sum.baseline - counted.baseline,
        outcomes: sum.outcomes.saturating_sub(counted.outcomes),
    }
}
