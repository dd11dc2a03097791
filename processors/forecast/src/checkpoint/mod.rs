//! A node's state as bytes, and back.
//!
//! ```text
//! state ─┬─ as it is ─────────────────────────────────────┬─► bytes ─► state ─► the reports since ─► the same bits
//!        └─ moved on to the first report of a new window ─┘
//! ```
//!
//! Moved on, only one of the network's states of each resource holds anything, and there is no minute in progress. What lies
//! beyond the reach of the state is cut off, so that the bytes are the same however much more past it was shown. The maxima
//! of the last two hours stand in the bars, those of the day before them in steps of the day.

mod bytes;

pub(crate) use bytes::{Reader, Writer, damaged};

use crate::Resource;
use crate::adapt::Adaptation;
use crate::day::{DAY_MINUTES, Day};
use crate::demotion::Scores;
use crate::error::ForecastError;
use crate::history::{BARS, History, NOW};
use crate::model::Model;
use crate::state::{CONTEXT_WINDOW_MS, MINUTE_MS, NodeState, REACH_MS, Track};

/// The form that this crate writes and reads.
const FORM: u8 = 2;
/// Minutes before the one in progress whose maxima stand in the bars.
const IN_BARS: i64 = NOW as i64;

/// A state that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCheckpoint {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The oldest event time that it depends on, Unix ms.
    pub needed_since_ms: i64,
}

impl Model {
    /// The node's state just before a report at this event time (Unix ms); `None` unless that is the first of a context window
    /// after others. The bytes are a function of the node's reports within [`REACH_MS`].
    #[must_use]
    pub fn checkpoint(&self, state: &NodeState, timestamp_ms: i64) -> Option<StateCheckpoint> {
        let last = state.last_ms()?;
        if timestamp_ms.div_euclid(CONTEXT_WINDOW_MS) <= last.div_euclid(CONTEXT_WINDOW_MS) {
            return None;
        }
        Some(self.snapshot(&state.moved_on(timestamp_ms)))
    }

    /// The node's state as its last report left it.
    #[must_use]
    pub fn snapshot(&self, state: &NodeState) -> StateCheckpoint {
        debug_assert!(!state.is_unstepped(), "it was rebuilt and not settled");
        let mut writer = Writer::default();
        writer.byte(FORM);
        for resource in Resource::ALL {
            writer.byte(u8::from(state.seen(resource).is_some()));
            if let Some(track) = state.seen(resource) {
                write_track(&mut writer, track);
            }
        }
        StateCheckpoint { bytes: writer.bytes, needed_since_ms: state.needed_since_ms() }
    }

    /// The state that [`Model::checkpoint`] or [`Model::snapshot`] of the same model wrote.
    ///
    /// # Errors
    /// [`ForecastError::Damaged`] for bytes that it did not write.
    pub fn restore(&self, checkpoint: &[u8]) -> Result<NodeState, ForecastError> {
        let mut reader = Reader::new(checkpoint);
        if reader.byte()? != FORM {
            return Err(damaged("its form is not known"));
        }
        let hidden = self.hidden();
        let mut tracks = [None, None];
        for resource in Resource::ALL {
            tracks[resource as usize] = match reader.byte()? {
                0 => None,
                1 => Some(read_track(&mut reader, hidden[resource as usize])?),
                _ => return Err(damaged("it has a resource that is not known")),
            };
        }
        reader.end()?;
        Ok(NodeState::of(tracks))
    }
}

fn write_track(writer: &mut Writer, track: &Track) {
    let Track { last_ms, history, .. } = track;
    writer.signed(*last_ms);
    writer.unsigned((last_ms - track.measured_ms).cast_unsigned());
    writer.unsigned((last_ms - track.begun_ms).min(REACH_MS).cast_unsigned());
    // From the second whole window on the state may forecast.
    writer.signed((track.window - track.whole_window).clamp(-1, 2));
    writer.signed(track.interval_ms);
    write_history(writer, history);
    track.scores.write(writer);
    track.adaptation.write(writer);
    for state in track.cells.chunks_exact(track.cells.len().max(4) / 4) {
        let is_blank = state.iter().all(|x| x.to_bits() == 0);
        writer.byte(u8::from(!is_blank));
        writer.floats(if is_blank { &[] } else { state });
    }
}

fn read_track(reader: &mut Reader<'_>, hidden: usize) -> Result<Track, ForecastError> {
    // The windows and minutes around it are numbers as well.
    let last_ms = Some(reader.signed()?).filter(|at| at.unsigned_abs() < 1 << 60);
    let last_ms = last_ms.ok_or_else(|| damaged("its time is out of range"))?;
    let measured_ms = last_ms - reader.up_to(2 * CONTEXT_WINDOW_MS)?;
    let begun_ms = last_ms - reader.up_to(REACH_MS)?;
    let window = last_ms.div_euclid(CONTEXT_WINDOW_MS);
    let whole_window = window - reader.signed()?.clamp(-1, 2);
    let interval_ms = reader.signed()?;
    let history = read_history(reader, last_ms.div_euclid(MINUTE_MS))?;
    let scores = Scores::read(reader, history.minute())?;
    let adaptation = Adaptation::read(reader, history.minute())?;
    let mut cells = vec![0.0; 8 * hidden];
    for state in cells.chunks_exact_mut(2 * hidden.max(1)) {
        match reader.byte()? {
            0 => {}
            1 => reader.floats(state)?,
            _ => return Err(damaged("it has a state that is not known")),
        }
    }
    let unstepped = false;
    Ok(Track {
        history,
        scores,
        adaptation,
        interval_ms,
        last_ms,
        measured_ms,
        begun_ms,
        whole_window,
        window,
        cells,
        unstepped,
    })
}

fn write_history(writer: &mut Writer, history: &History) {
    writer.floats(&[history.value, history.sum]);
    writer.unsigned(history.count.into());
    writer.unsigned(history.measured.into());
    writer.bars(history.mean.iter().copied().zip(history.max));
    let (minute, begun) = (history.minute, history.day.begun);
    let known = (minute - begun).min(DAY_MINUTES + 1);
    writer.unsigned(known.cast_unsigned());
    let mut last = 0;
    for at in minute - known.min(DAY_MINUTES)..minute - IN_BARS {
        let steps = i64::from(history.day.steps(at));
        writer.signed(steps - last);
        last = steps;
    }
}

fn read_history(reader: &mut Reader<'_>, minute: i64) -> Result<History, ForecastError> {
    let out_of_range = |_| damaged("a number of it is out of range");
    let value = reader.float()?;
    let mut history = History::begin(minute, value);
    history.sum = reader.float()?;
    history.count = u32::try_from(reader.unsigned()?).map_err(out_of_range)?;
    history.measured = u32::try_from(reader.unsigned()?).map_err(out_of_range)?;
    reader.bars(BARS, |index, (mean, max)| (history.mean[index], history.max[index]) = (mean, max))?;
    let known = reader.up_to(DAY_MINUTES + 1)?;
    history.day = Day::begin(minute - known);
    let mut last = 0_i64;
    for at in minute - known.min(DAY_MINUTES)..minute {
        if at < minute - IN_BARS {
            last = last.wrapping_add(reader.signed()?);
            history.day.put_steps(at, u16::try_from(last).map_err(out_of_range)?);
        } else {
            history.day.put(at, history.max[NOW - usize::try_from(minute - at).unwrap_or(0)]);
        }
    }
    Ok(history)
}

#[cfg(test)]
mod tests;
