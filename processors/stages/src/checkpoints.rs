//! Checkpoints of the forecast stage: when one is due, what stands in it, and nodes from those of a partition.
//!
//! ```text
//! first report of a context window, due ─> before ─┬─> Checkpoint ─> the topic
//! nothing for a window                  ─> silent ─┘
//! the topic ─> the newest of each node that is not behind the committed offset ─> Node
//!                └─ not those that were counted on: the load as well, as far back as it matters
//! ```

use std::collections::{HashMap, VecDeque};

use tidegate_broker::{Past, Received, Saved};
use tidegate_forecast::{CONTEXT_WINDOW_MS, Model, NodeState, StateCheckpoint};
use tidegate_schemas::partition::partition_of;
use tidegate_schemas::records::{Checkpoint, LoadReport};

use crate::nodes::{Mark, Node, Nodes, Turn, digest};

/// Reports that a checkpoint is spread over at least, where a day has as many: it costs about 13 KB, a forecast 200 bytes.
const REPORTS_EACH: i64 = 720;

/// Whether a node that reports at this interval has a checkpoint made at the begin of the window of `timestamp_ms`: every
/// 1, 2, 3, 4, 6, 8, 12 or 24 windows, one node at another begin than the next.
pub(crate) fn is_due(node_id: &str, timestamp_ms: i64, interval_ms: i64) -> bool {
    let a_window = CONTEXT_WINDOW_MS / interval_ms.clamp(1, CONTEXT_WINDOW_MS);
    let enough = |windows: &i64| windows * a_window >= REPORTS_EACH;
    let spacing = [1, 2, 3, 4, 6, 8, 12].into_iter().find(enough).unwrap_or(24);
    let share = partition_of(node_id.as_bytes(), 24);
    (timestamp_ms.div_euclid(CONTEXT_WINDOW_MS) + i64::from(share)).rem_euclid(spacing) == 0
}

/// The checkpoint of a node just before a report, where one is due.
pub(crate) fn before(
    received: &Received<LoadReport>,
    turn: Turn,
    state: &NodeState,
    nodes: &mut Nodes,
    model: &Model,
) -> Option<Checkpoint> {
    let (report, offset) = (&received.record, received.source.offset);
    if !is_due(&report.node_id, report.timestamp, report.interval_ms) {
        return None;
    }
    let kept = model.checkpoint(state, report.timestamp)?;
    let marks = nodes.keep(&report.node_id, offset, Some(offset), kept.needed_since_ms);
    Some(record(&report.node_id, (turn, offset), &marks, kept, model))
}

/// The checkpoint of a node that went silent, as its last report left it.
pub(crate) fn silent(node_id: &str, by: i64, nodes: &mut Nodes, model: &Model) -> Option<Checkpoint> {
    let node = nodes.get(node_id)?;
    let (kept, (turn, offset)) = (model.snapshot(node.state.as_deref()?), node.last_turn());
    let marks = nodes.keep(node_id, offset, None, kept.needed_since_ms);
    Some(Checkpoint { by, ..record(node_id, (turn, offset), &marks, kept, model) })
}

fn record(
    node_id: &str,
    (turn, offset): (Turn, i64),
    marks: &VecDeque<Mark>,
    kept: StateCheckpoint,
    model: &Model,
) -> Checkpoint {
    Checkpoint {
        node_id: node_id.to_owned(),
        offset,
        by: offset,
        sequence: turn.after,
        heard: turn.heard,
        marks: differences(marks),
        model: model.name().to_owned(),
        state: kept.bytes,
    }
}

/// What was found on the topic for one partition.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The newest of each node that may be used.
    usable: HashMap<Box<str>, Checkpoint>,
    /// Offsets of those that the commit counted on.
    counted: HashMap<Box<str>, i64>,
    /// Offsets of those of other models.
    foreign: HashMap<Box<str>, i64>,
}

impl Found {
    /// Takes what stands under a node's name; the stage goes on at `resume`.
    pub(crate) fn take(
        &mut self,
        node_id: &str,
        saved: Saved,
        (resume, past): (i64, Past),
        model: &str,
    ) -> Result<(), String> {
        let checkpoint = match saved {
            Saved::Checkpoint(checkpoint) => checkpoint,
            Saved::Gone => {
                self.usable.remove(node_id);
                self.counted.remove(node_id);
                self.foreign.remove(node_id);
                return Ok(());
            }
            Saved::Foreign(why) => return Err(why),
        };
        if checkpoint.node_id != node_id {
            return Err(format!("it is of the node {:?}", checkpoint.node_id));
        }
        if checkpoint.model != model {
            self.foreign.insert(node_id.into(), checkpoint.offset);
            return Ok(());
        }
        self.foreign.remove(node_id);
        if past.kept.is_some_and(|kept| checkpoint.by < kept.at) {
            let newest = self.counted.entry(node_id.into()).or_insert(checkpoint.offset);
            *newest = checkpoint.offset.max(*newest);
        }
        // One behind the committed offset is of outputs that are to be made again; one that is older than another came late.
        let is_newer = self.usable.get(node_id).is_none_or(|known| known.offset <= checkpoint.offset);
        if (0..=resume).contains(&checkpoint.offset) && is_newer {
            self.usable.insert(node_id.into(), checkpoint);
        }
        Ok(())
    }

    /// The nodes, and the first offset that is missing beyond them.
    pub(crate) fn nodes(mut self, past: Past, model: &Model) -> (Nodes, i64) {
        // No node that is known needs so old a record: these are of nodes that are forgotten.
        let is_gone = |offset: i64| offset < past.rewind;
        let foreign = self.foreign.into_iter().filter(|(_, offset)| is_gone(*offset));
        let mut forgotten: Vec<Box<str>> = foreign.map(|(node_id, _)| node_id).collect();
        forgotten.extend(self.usable.extract_if(|_, c| is_gone(c.offset)).map(|(node_id, _)| node_id));
        let sum = self.counted.iter().map(|(node_id, offset)| digest(node_id, *offset)).fold(0, u64::wrapping_add);

        let earliest = self.usable.values().map(|c| (c.offset, c.heard)).min();
        let (mut by_id, mut is_whole) = (HashMap::with_capacity(self.usable.len()), true);
        for (node_id, checkpoint) in self.usable {
            match node(checkpoint, model) {
                Ok(node) => drop(by_id.insert(node_id, node)),
                Err(why) => {
                    tracing::warn!("the checkpoint of {node_id} is of no use: {why}");
                    is_whole = false;
                }
            }
        }
        let from = match past.kept {
            Some(kept) if is_whole && kept.sum == sum => kept.from,
            Some(_) => {
                tracing::warn!("some checkpoints are missing: what they held is rebuilt from the load");
                past.rewind
            }
            None => past.rewind,
        };
        let newest = earliest.filter(|(offset, _)| *offset <= from).map_or(0, |(_, heard)| heard);
        (Nodes::restored(by_id, forgotten, newest), from)
    }
}

fn node(checkpoint: Checkpoint, model: &Model) -> Result<Node, String> {
    let marks = marks(&checkpoint.marks).ok_or("its marks are no pairs")?;
    let state = model.restore(&checkpoint.state).map_err(|e| e.to_string())?;
    let turn = Turn { after: checkpoint.sequence, heard: checkpoint.heard };
    Ok(Node::kept(Box::new(state), turn, marks, checkpoint.offset))
}

/// Marks as what each has more than the one before.
fn differences(marks: &VecDeque<Mark>) -> Vec<i64> {
    let mut last = (0, 0);
    let mut numbers = Vec::with_capacity(2 * marks.len());
    for mark in marks {
        numbers.extend([mark.0 - last.0, mark.1 - last.1]);
        last = *mark;
    }
    numbers
}

fn marks(differences: &[i64]) -> Option<VecDeque<Mark>> {
    let (pairs, rest) = differences.as_chunks::<2>();
    let mut last = (0_i64, 0_i64);
    let marks = pairs.iter().map(|[half_hours, offsets]| {
        last = (last.0.wrapping_add(*half_hours), last.1.wrapping_add(*offsets));
        last
    });
    rest.is_empty().then(|| marks.collect())
}
