//! Taking reports into states without forecasting: how a state is rebuilt, at less than the price of forecasts.
//!
//! Of the reports of a minute only the last one's step counts, so the networks are not asked before the minute is over:
//!
//! ```text
//! report ─► a new minute? step with the state as it stands ─► moved on, measured, not stepped
//! ```
//!
//! Large batches are shared out to the cores: a row's result does not depend on the rows beside it.

use crate::Resource;
use crate::ensemble::{Ensemble, Row};
use crate::load::Sample;
use crate::model::{Model, answer};
use crate::network::{BLOCK, Block};
use crate::state::{NodeState, Track};

/// Rows that are worth a thread.
const WORTH_A_THREAD: usize = 512;

impl Model {
    /// Takes in one report of each of some distinct nodes. What [`Model::predict`] answers afterwards is what it would answer
    /// after predictions for all of them, bit for bit.
    pub fn rebuild(&self, rows: &mut [(&mut NodeState, Sample)]) {
        self.catch_up(rows);
        let hidden = self.hidden();
        for (state, sample) in rows.iter_mut() {
            state.observe(sample, hidden);
            state.tracks_mut().for_each(|(resource, track)| track.unstepped = self.networks(resource).is_some());
        }
    }

    /// Steps the networks of the states whose last report they have not seen: to be called when what was rebuilt is to forecast.
    pub fn settle<'s>(&self, states: impl Iterator<Item = &'s mut NodeState>) {
        self.step(states.map(|state| (state, i64::MAX)));
    }

    /// Steps those of which a minute ends with these reports.
    pub(crate) fn catch_up(&self, rows: &mut [(&mut NodeState, Sample)]) {
        if rows.iter().any(|(state, _)| state.is_unstepped()) {
            self.step(rows.iter_mut().map(|(state, sample)| (&mut **state, sample.timestamp_ms)));
        }
    }

    /// Steps those of which a minute is over at the event time beside each.
    fn step<'s>(&self, states: impl Iterator<Item = (&'s mut NodeState, i64)>) {
        let mut ending: [Vec<&mut Track>; 2] = Default::default();
        for (state, timestamp_ms) in states {
            for (resource, track) in state.tracks_mut() {
                if track.unstepped && track.begins_minute(timestamp_ms) {
                    ending[resource as usize].push(track);
                }
            }
        }
        for (resource, mut tracks) in Resource::ALL.into_iter().zip(ending) {
            if let Some(networks) = self.networks(resource) {
                share_out(networks, &mut tracks);
            }
        }
    }
}

/// Steps tracks, on several cores where there are many.
fn share_out(networks: &Ensemble, tracks: &mut [&mut Track]) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(tracks.len() / WORTH_A_THREAD).max(1);
    let (first, others) = tracks.split_at_mut(tracks.len().div_ceil(threads).next_multiple_of(BLOCK).min(tracks.len()));
    std::thread::scope(|scope| {
        if !others.is_empty() {
            for part in others.chunks_mut(first.len()) {
                scope.spawn(|| step_blocks(networks, part));
            }
        }
        step_blocks(networks, first);
    });
}

fn step_blocks(networks: &Ensemble, tracks: &mut [&mut Track]) {
    let mut block = Block::default();
    for tracks in tracks.chunks_mut(BLOCK) {
        let mut rows: Vec<Row<'_>> = tracks.iter_mut().map(|track| Row::new(track)).collect();
        networks.step(&mut rows, &mut block);
        for row in &mut rows {
            let _said = answer(networks, row);
        }
    }
}
