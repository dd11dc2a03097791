//! What is kept of a node between its reports.
//!
//! Each resource has a track of its own: minute bars, and two states of the network. Reports move it on by event time:
//!
//! ```text
//! report ─► gap > context window? begin afresh ─► new minute: what became known is scored and learned from, the last step becomes the base,
//!        bars move on
//!        ─► new window: the younger state takes over, a fresh one begins ─► measure ─► features ─► step from the base
//! ```
//!
//! A step of the network stands for a minute: every report steps from the state as it was at the end of the minute before,
//! and the last step of a minute counts. Reports rarer than one a minute make one step each. Windows of
//! [`CONTEXT_WINDOW_MS`] are aligned to event time; the state begun in the window before forecasts. So what a track
//! knows reaches back [`REACH_MS`] at most, and is the same however much more past it was shown.
//!
//! An event time before the node's last one counts as the last one.

use crate::Resource;
use crate::adapt::{self, Adaptation};
use crate::day::DAY_MINUTES;
use crate::demotion::{self, Scores, WindowScore};
use crate::features::Features;
use crate::history::History;
use crate::load::Sample;
use crate::waiting::OUTCOME_MINUTES;

/// Length of a context window in event time: 60 minutes, in milliseconds.
pub const CONTEXT_WINDOW_MS: i64 = 60 * MINUTE_MS;

/// How much past determines what the network says: two context windows (the forecasting state's life), the day of its
/// first features with the minutes cut at both ends, and one more window, over which gaps are filled.
const NETWORK_REACH_MS: i64 = 3 * CONTEXT_WINDOW_MS + (DAY_MINUTES + 2) * MINUTE_MS;

/// How much past determines what the node's own past corrects: the life of a learner, and what the networks said of the first
/// minute whose outcome it learned.
const FORECAST_REACH_MS: i64 = NETWORK_REACH_MS + (adapt::LIFE_MINUTES + OUTCOME_MINUTES + 1) * MINUTE_MS;

/// How much past determines a node's state: the windows by which the forecasts are judged, the one in progress, and what
/// determines the first one that is scored in them; 79 hours and 17 minutes.
pub const REACH_MS: i64 = FORECAST_REACH_MS + (demotion::WINDOWS + 1) * CONTEXT_WINDOW_MS + OUTCOME_MINUTES * MINUTE_MS;

pub(crate) const MINUTE_MS: i64 = 60_000;

/// Everything remembered of one node; about 11 KiB with a hidden size of 32, and 2 KiB more for each further member. Belongs to one model: do not pass
/// it to another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeState {
    tracks: [Option<Track>; 2],
}

impl NodeState {
    /// A node that was never seen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The oldest event time that the node's future forecasts can depend on, Unix milliseconds: reports from there
    /// on rebuild them exactly. `i64::MAX` for a node without a past.
    #[must_use]
    pub fn needed_since_ms(&self) -> i64 {
        let tracks = self.tracks.iter().flatten();
        tracks.map(Track::needed_since_ms).min().unwrap_or(i64::MAX)
    }

    pub(crate) fn history(&self, resource: Resource) -> Option<&History> {
        self.tracks[resource as usize].as_ref().map(|track| &track.history)
    }

    pub(crate) fn seen(&self, resource: Resource) -> Option<&Track> {
        self.tracks[resource as usize].as_ref()
    }

    /// The scores of the last whole context windows by which the resource's model is judged, oldest first; `None` for a
    /// resource without a past.
    #[must_use]
    pub fn scores(&self, resource: Resource) -> Option<[WindowScore; demotion::WINDOWS as usize]> {
        self.tracks[resource as usize].as_ref().map(|track| track.scores.whole_windows())
    }

    /// Whether the baseline has taken the model's place for this resource.
    #[must_use]
    pub fn is_demoted(&self, resource: Resource) -> bool {
        self.tracks[resource as usize].as_ref().is_some_and(Track::is_demoted)
    }

    /// Event time of the resource's last measurement; `None` if it has no state.
    pub(crate) fn measured_ms(&self, resource: Resource) -> Option<i64> {
        self.tracks[resource as usize].as_ref().map(|track| track.measured_ms)
    }

    /// The features of a resource, if its state may forecast.
    pub(crate) fn ready_features(&self, resource: Resource) -> Option<Features> {
        self.tracks[resource as usize].as_ref().filter(|track| track.is_ready()).map(Track::features)
    }

    /// A node with these resources.
    pub(crate) fn of(tracks: [Option<Track>; 2]) -> Self {
        Self { tracks }
    }

    /// Event time of the last report; `None` without a past.
    pub(crate) fn last_ms(&self) -> Option<i64> {
        self.tracks.iter().flatten().map(|track| track.last_ms).max()
    }

    /// The report interval, in ms; `None` without a past.
    #[must_use]
    pub fn interval_ms(&self) -> Option<i64> {
        self.tracks.iter().flatten().map(|track| track.interval_ms).max()
    }

    /// Whether the networks have not seen some last report.
    pub(crate) fn is_unstepped(&self) -> bool {
        self.tracks.iter().flatten().any(|track| track.unstepped)
    }

    /// What is kept of each resource.
    pub(crate) fn tracks_mut(&mut self) -> impl Iterator<Item = (Resource, &mut Track)> {
        Resource::ALL.into_iter().zip(&mut self.tracks).filter_map(|(resource, slot)| Some((resource, slot.as_mut()?)))
    }

    /// The state as a report at this event time finds it.
    pub(crate) fn moved_on(&self, timestamp_ms: i64) -> Self {
        let mut moved = self.clone();
        for slot in &mut moved.tracks {
            if slot.as_ref().is_some_and(|track| track.is_stale(timestamp_ms)) {
                *slot = None;
            }
            if let Some(track) = slot {
                track.move_on(timestamp_ms);
            }
        }
        moved
    }

    pub(crate) fn track(&mut self, resource: Resource) -> Option<&mut Track> {
        self.tracks[resource as usize].as_mut()
    }

    /// Takes in a report; `hidden[r]` is the size of the networks' h together for resource r.
    pub(crate) fn observe(&mut self, sample: &Sample, hidden: [usize; 2]) {
        for resource in Resource::ALL {
            let slot = &mut self.tracks[resource as usize];
            let load = resource.of(sample).map(|fraction| fraction * 100.0);
            if slot.as_ref().is_some_and(|track| track.is_stale(sample.timestamp_ms)) {
                *slot = None;
            }
            match (slot.as_mut(), load) {
                (Some(track), load) => track.observe(sample, load),
                (None, Some(load)) => {
                    *slot = Some(Track::begin(sample, load, hidden[resource as usize]));
                }
                (None, None) => {}
            }
        }
    }
}

/// One resource of one node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Track {
    pub(crate) history: History,
    pub(crate) scores: Scores,
    pub(crate) adaptation: Adaptation,
    pub(crate) interval_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) measured_ms: i64,
    pub(crate) begun_ms: i64,
    /// The first window that is, or will be, seen from its start.
    pub(crate) whole_window: i64,
    pub(crate) window: i64,
    /// Four states: older and younger at the end of the minute before, then older and younger now; each (h, c) of one member
    /// after the other.
    pub(crate) cells: Vec<f32>,
    /// Whether the networks have not seen the last report.
    pub(crate) unstepped: bool,
}

impl Track {
    fn begin(sample: &Sample, points: f32, hidden: usize) -> Self {
        let at = sample.timestamp_ms;
        let minute = at.div_euclid(MINUTE_MS);
        let window = at.div_euclid(CONTEXT_WINDOW_MS);
        let at_start = minute.rem_euclid(CONTEXT_WINDOW_MS / MINUTE_MS) == 0;
        Self {
            history: History::begin(minute, points),
            scores: Scores::begin(minute),
            adaptation: Adaptation::begin(minute),
            interval_ms: sample.interval_ms,
            last_ms: at,
            measured_ms: at,
            begun_ms: at,
            whole_window: if at_start { window } else { window + 1 },
            window,
            cells: vec![0.0; 8 * hidden],
            unstepped: false,
        }
    }

    fn is_stale(&self, timestamp_ms: i64) -> bool {
        timestamp_ms.saturating_sub(self.measured_ms) > CONTEXT_WINDOW_MS
    }

    fn needed_since_ms(&self) -> i64 {
        self.last_ms.saturating_sub(REACH_MS).max(self.begun_ms)
    }

    fn observe(&mut self, sample: &Sample, points: Option<f32>) {
        self.move_on(sample.timestamp_ms);
        self.interval_ms = sample.interval_ms;
        if let Some(points) = points {
            self.measured_ms = self.last_ms;
            self.history.measure(points);
        }
    }

    /// Whether a report at this event time begins a new minute.
    pub(crate) fn begins_minute(&self, timestamp_ms: i64) -> bool {
        timestamp_ms.div_euclid(MINUTE_MS) > self.history.minute()
    }

    fn move_on(&mut self, timestamp_ms: i64) {
        self.last_ms = self.last_ms.max(timestamp_ms);
        let minute = self.last_ms.div_euclid(MINUTE_MS);
        let window = self.last_ms.div_euclid(CONTEXT_WINDOW_MS);
        let half = self.cells.len() / 2;
        if minute > self.history.minute() {
            self.cells.copy_within(half.., 0);
            self.scores.advance(&self.history, minute);
            self.adaptation.advance(&self.history, minute);
            self.history.advance(minute);
        }
        // A gap is at most one window long, so that at most one boundary is passed.
        if window > self.window {
            self.cells.copy_within(half / 2..half, 0);
            self.cells[half / 2..half].fill(0.0);
            self.window = window;
        }
    }

    /// Whether the forecasting state has seen one full context window.
    pub(crate) fn is_ready(&self) -> bool {
        self.window > self.whole_window
    }

    /// Whether the model may forecast, but has lost to the baseline.
    pub(crate) fn is_demoted(&self) -> bool {
        self.is_ready() && self.scores.is_demoted()
    }

    pub(crate) fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    pub(crate) fn begun_ms(&self) -> i64 {
        self.begun_ms
    }

    pub(crate) fn measured_ms(&self) -> i64 {
        self.measured_ms
    }

    pub(crate) fn features(&self) -> Features {
        Features::of(&self.history, self.interval_ms)
    }

    /// The states to step from, the older and the younger, and the place for the results.
    pub(crate) fn cells(&mut self) -> (&[f32], &mut [f32]) {
        let half = self.cells.len() / 2;
        let (base, next) = self.cells.split_at_mut(half);
        (base, next)
    }
}
