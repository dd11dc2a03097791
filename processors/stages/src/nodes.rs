//! What the forecast stage keeps of a partition: each node's state, its last sequence, and from where in the log the
//! state could be rebuilt.
//!
//! A node that the log has not heard of for [`RETENTION_MS`] of Kafka time is forgotten, so that memory and rewinds are
//! bounded; that too is a function of the log alone.

use std::collections::{HashMap, VecDeque};

use tidegate_forecast::NodeState;

/// Nodes silent for longer are forgotten, in ms of Kafka timestamps.
pub(crate) const RETENTION_MS: i64 = 24 * 3_600_000;
/// Granularity of the way back into the log, in ms of event time.
const MARK_MS: i64 = 1_800_000;

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Taken out while the model works on it.
    pub(crate) state: Option<Box<NodeState>>,
    last_sequence: i64,
    last_heard: i64,
    /// Event time of a mark's begin, first offset at or after it.
    marks: VecDeque<(i64, i64)>,
}

/// What a report is to its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// At or below the node's last sequence.
    Repeated,
    /// It goes on from the state that the reports before it left.
    GoesOn,
    /// The node was forgotten: the state that reports before it left, those of the same batch included, is of no use to it.
    Afresh,
}

/// The nodes of one partition.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_id: HashMap<Box<str>, Node>,
    /// Newest Kafka timestamp seen.
    newest: i64,
}

impl Nodes {
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
        let newest = self.newest;
        let node = match self.by_id.get_mut(node_id) {
            Some(node) => node,
            None => self.by_id.entry(node_id.into()).or_insert_with(Node::new),
        };
        let forgotten = newest - node.last_heard > RETENTION_MS;
        if forgotten {
            *node = Node { state: node.state.take(), ..Node::new() };
        }
        node.last_heard = newest;
        if sequence <= node.last_sequence {
            return Standing::Repeated;
        }
        node.last_sequence = sequence;
        let begin = event_time.div_euclid(MARK_MS) * MARK_MS;
        if node.marks.back().is_none_or(|(last, _)| *last != begin) {
            node.marks.push_back((begin, offset));
        }
        if forgotten { Standing::Afresh } else { Standing::GoesOn }
    }

    pub(crate) fn get(&self, node_id: &str) -> Option<&Node> {
        self.by_id.get(node_id)
    }

    pub(crate) fn get_mut(&mut self, node_id: &str) -> Option<&mut Node> {
        self.by_id.get_mut(node_id)
    }

    /// Forgets what nothing depends on any more, and gives the oldest offset that some state still does.
    pub(crate) fn rewind_to(&mut self) -> Option<i64> {
        let newest = self.newest;
        self.by_id.retain(|_, node| newest - node.last_heard <= RETENTION_MS);
        self.by_id.values_mut().filter_map(Node::needed_from).min()
    }
}

impl Node {
    fn new() -> Self {
        Self { state: Some(Box::default()), last_sequence: i64::MIN, last_heard: i64::MAX / 2, marks: VecDeque::new() }
    }

    /// First offset that the node's state depends on.
    fn needed_from(&mut self) -> Option<i64> {
        let since = self.state.as_ref()?.needed_since_ms();
        // The first mark may go once the second begins at or before what is needed.
        while self.marks.get(1).is_some_and(|(begin, _)| *begin <= since) {
            self.marks.pop_front();
        }
        self.marks.iter().map(|(_, offset)| *offset).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_older_sequences_are_not_accepted() {
        let mut nodes = Nodes::default();
        assert_eq!(nodes.accept("a", 5, 0, 0, Some(0)), Standing::GoesOn);
        assert_eq!(nodes.accept("a", 5, 1, 0, Some(0)), Standing::Repeated);
        assert_eq!(nodes.accept("a", 4, 2, 0, Some(0)), Standing::Repeated);
        assert_eq!(nodes.accept("b", 4, 3, 0, Some(0)), Standing::GoesOn);
        assert_eq!(nodes.accept("a", 6, 4, 0, Some(0)), Standing::GoesOn);
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
