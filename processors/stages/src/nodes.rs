//! What the forecast stage keeps of a partition: each node's state, its last sequence, and from where in the log the
//! state could be rebuilt.
//!
//! A node that the log has not heard of for [`RETENTION_MS`] of Kafka time is forgotten, so that memory and rewinds are
//! bounded; that too is a function of the log alone.

use std::collections::{HashMap, VecDeque};

use tidegate_broker::{Kept, Past};
use tidegate_forecast::{CONTEXT_WINDOW_MS, NodeState};

/// Nodes silent for longer are forgotten, in ms of Kafka timestamps.
pub(crate) const RETENTION_MS: i64 = 24 * 3_600_000;
/// Silent nodes that are kept with one batch at most.
const MOST_SILENT: usize = 200;
/// Granularity of the way back into the log, in ms of event time.
const MARK_MS: i64 = 1_800_000;

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Taken out while the model works on it.
    pub(crate) state: Option<Box<NodeState>>,
    last_sequence: i64,
    last_heard: i64,
    /// Half hour of event time, first offset at or after its begin.
    marks: VecDeque<Mark>,
    /// Reports before this offset are in the state already.
    from: i64,
    /// Offset of its last report.
    last_offset: i64,
    /// Its checkpoint that is on the topic, or on its way there.
    kept: Option<Checkpointed>,
}

/// A checkpoint as its node remembers it.
#[derive(Debug, Clone, Copy)]
struct Checkpointed {
    /// Offset from which on it has seen nothing.
    offset: i64,
    /// First report that it has not seen.
    unseen: Option<i64>,
}

/// A half hour of event time, numbered since the epoch, and the first offset in it.
pub(crate) type Mark = (i64, i64);

/// What a report is to its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// At or below the node's last sequence.
    Repeated,
    /// It goes on from the state that the reports before it left.
    GoesOn(Turn),
    /// The node was forgotten: the state that reports before it left, those of the same batch included, is of no use to it.
    Afresh,
}

/// Where the log stood when a report was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The node's sequence before.
    pub(crate) after: i64,
    /// Newest Kafka timestamp of the partition.
    pub(crate) heard: i64,
}

/// The nodes of one partition.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_id: HashMap<Box<str>, Node>,
    /// Newest Kafka timestamp seen.
    newest: i64,
    /// Offset after the last report.
    position: i64,
    /// Nodes of which no more is to be kept on the topic.
    forgotten: Vec<Box<str>>,
    /// What their checkpoints count in the sum.
    gone: Vec<u64>,
    /// Nodes that went silent, and are to be kept as they are.
    silent: Vec<Box<str>>,
    /// What the checkpoints on the topic sum up to.
    sum: u64,
}

impl Nodes {
    /// Nodes as their checkpoints left them, those on the topic that are to be taken away, and the newest Kafka timestamp by
    /// then.
    pub(crate) fn restored(by_id: HashMap<Box<str>, Node>, forgotten: Vec<Box<str>>, newest: i64) -> Self {
        let of = |node_id: &str, node: &Node| node.kept.map_or(0, |kept| digest(node_id, kept.offset));
        let sum = by_id.iter().map(|(node_id, node)| of(node_id, node)).fold(0, u64::wrapping_add);
        Self { by_id, newest, forgotten, sum, ..Self::default() }
    }

    /// Takes a report. The state stays as it is until the model has worked on the reports before this one.
    pub(crate) fn accept(
        &mut self,
        node_id: &str,
        sequence: i64,
        offset: i64,
        event_time: i64,
        kafka_time: Option<i64>,
    ) -> Standing {
        self.newest = self.newest.max(kafka_time.unwrap_or(self.newest));
        self.position = self.position.max(offset + 1);
        let newest = self.newest;
        let node = match self.by_id.get_mut(node_id) {
            Some(node) => node,
            None => self.by_id.entry(node_id.into()).or_insert_with(Node::new),
        };
        if offset < node.from {
            return Standing::Repeated;
        }
        let forgotten = newest - node.last_heard > RETENTION_MS;
        if forgotten {
            *node = Node { state: node.state.take(), kept: node.kept, ..Node::new() };
        }
        (node.last_heard, node.last_offset) = (newest, offset);
        if let Some(kept) = &mut node.kept {
            kept.unseen.get_or_insert(offset);
        }
        let after = node.last_sequence;
        if sequence <= after {
            return Standing::Repeated;
        }
        node.last_sequence = sequence;
        let begin = event_time.div_euclid(MARK_MS);
        if node.marks.back().is_none_or(|(last, _)| *last != begin) {
            node.marks.push_back((begin, offset));
        }
        if forgotten { Standing::Afresh } else { Standing::GoesOn(Turn { after, heard: newest }) }
    }

    pub(crate) fn get(&self, node_id: &str) -> Option<&Node> {
        self.by_id.get(node_id)
    }

    pub(crate) fn get_mut(&mut self, node_id: &str) -> Option<&mut Node> {
        self.by_id.get_mut(node_id)
    }

    /// The states at hand.
    pub(crate) fn states_mut(&mut self) -> impl Iterator<Item = &mut NodeState> {
        self.by_id.values_mut().filter_map(|node| node.state.as_deref_mut())
    }

    /// Forgets what nothing depends on any more, and gives the oldest offset that some state still does, with and without the
    /// checkpoints.
    pub(crate) fn past(&mut self) -> Option<Past> {
        let newest = self.newest;
        for (node_id, node) in self.by_id.extract_if(|_, node| newest - node.last_heard > RETENTION_MS) {
            // It counts until its tombstone is on its way.
            self.forgotten.extend(node.kept.map(|_| node_id.clone()));
            self.gone.extend(node.kept.map(|kept| digest(&node_id, kept.offset)));
        }
        let (mut rewind, mut from) = (None::<i64>, self.position);
        self.silent.clear();
        for (node_id, node) in &mut self.by_id {
            let Some(needed) = node.needed_from() else { continue };
            rewind = Some(rewind.map_or(needed, |least| least.min(needed)));
            let unseen = node.kept.map_or(Some(needed), |kept| kept.unseen);
            from = from.min(unseen.unwrap_or(from));
            if unseen.is_some() && newest - node.last_heard > node.patience_ms() {
                self.silent.push(node_id.clone());
            }
        }
        Some(Past { rewind: rewind?, kept: Some(Kept { from, at: self.position, sum: self.sum }) })
    }

    /// Whether there is something to keep or to take away without a report.
    pub(crate) fn has_silent(&self) -> bool {
        !self.silent.is_empty() || !self.forgotten.is_empty()
    }

    /// Nodes that went silent, not too many at once.
    pub(crate) fn take_silent(&mut self) -> Vec<Box<str>> {
        self.silent.split_off(self.silent.len().saturating_sub(MOST_SILENT))
    }

    /// Nodes whose tombstones are on their way with the next outputs.
    pub(crate) fn take_forgotten(&mut self) -> Vec<Box<str>> {
        self.sum = self.gone.drain(..).fold(self.sum, u64::wrapping_sub);
        std::mem::take(&mut self.forgotten)
    }

    /// A checkpoint was made of what a node was before `offset`: gives the marks that it depends on.
    pub(crate) fn keep(
        &mut self,
        node_id: &str,
        offset: i64,
        unseen: Option<i64>,
        needed_since_ms: i64,
    ) -> VecDeque<Mark> {
        let Some(node) = self.by_id.get_mut(node_id) else { return VecDeque::new() };
        let before = node.kept.replace(Checkpointed { offset, unseen });
        let before = before.map_or(0, |before| digest(node_id, before.offset));
        self.sum = self.sum.wrapping_sub(before).wrapping_add(digest(node_id, offset));
        let mut marks: VecDeque<Mark> = node.marks.iter().copied().filter(|(_, at)| *at < offset).collect();
        pass(&mut marks, needed_since_ms);
        marks
    }
}

impl Node {
    fn new() -> Self {
        Self {
            state: Some(Box::default()),
            last_sequence: i64::MIN,
            last_heard: i64::MAX / 2,
            marks: VecDeque::new(),
            from: 0,
            last_offset: 0,
            kept: None,
        }
    }

    /// A node as its checkpoint left it just before the report at `offset`.
    pub(crate) fn kept(state: Box<NodeState>, turn: Turn, marks: VecDeque<Mark>, offset: i64) -> Self {
        Self {
            state: Some(state),
            last_sequence: turn.after,
            last_heard: turn.heard,
            marks,
            from: offset,
            last_offset: offset - 1,
            kept: Some(Checkpointed { offset, unseen: None }),
        }
    }

    /// Where the log stood after its last report, and the offset after that.
    pub(crate) fn last_turn(&self) -> (Turn, i64) {
        (Turn { after: self.last_sequence, heard: self.last_heard }, self.last_offset + 1)
    }

    /// Silence after which it is kept as it is, so that the log is not read again for its sake.
    fn patience_ms(&self) -> i64 {
        let interval = self.state.as_ref().and_then(|state| state.interval_ms()).unwrap_or(0);
        CONTEXT_WINDOW_MS.max(interval.saturating_mul(3))
    }

    /// First offset that the node's state depends on.
    fn needed_from(&mut self) -> Option<i64> {
        let since = self.state.as_ref()?.needed_since_ms();
        pass(&mut self.marks, since);
        self.marks.iter().map(|(_, offset)| *offset).min()
    }
}

/// What a checkpoint counts in a sum (FNV-1a, then mixed).
pub(crate) fn digest(node_id: &str, offset: i64) -> u64 {
    let bytes = node_id.bytes().chain(offset.to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Drops marks that are not needed: the first may go once the second begins at or before what is needed.
fn pass(marks: &mut VecDeque<Mark>, since_ms: i64) {
    while marks.get(1).is_some_and(|(begin, _)| begin.saturating_mul(MARK_MS) <= since_ms) {
        marks.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_older_sequences_are_not_accepted() {
        let mut nodes = Nodes::default();
        assert!(matches!(nodes.accept("a", 5, 0, 0, Some(0)), Standing::GoesOn(_)));
        assert_eq!(nodes.accept("a", 5, 1, 0, Some(0)), Standing::Repeated);
        assert_eq!(nodes.accept("a", 4, 2, 0, Some(0)), Standing::Repeated);
        assert!(matches!(nodes.accept("b", 4, 3, 0, Some(0)), Standing::GoesOn(_)));
        assert!(matches!(nodes.accept("a", 6, 4, 0, Some(0)), Standing::GoesOn(_)));
    }

    #[test]
    fn a_node_unheard_of_for_a_day_is_forgotten() {
        let mut nodes = Nodes::default();
        nodes.accept("a", 5, 0, 0, Some(0));
        nodes.accept("b", 5, 1, 0, Some(RETENTION_MS));
        assert_eq!(nodes.accept("a", 5, 2, 0, Some(RETENTION_MS)), Standing::Repeated);
        nodes.accept("b", 6, 3, 0, Some(2 * RETENTION_MS + 1));
        assert_eq!(nodes.accept("a", 5, 4, 0, Some(2 * RETENTION_MS + 1)), Standing::Afresh);
    }
}
