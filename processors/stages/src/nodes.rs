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

/// The nodes of one partition.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_id: HashMap<Box<str>, Node>,
    /// Newest Kafka timestamp seen.
    newest: i64,
}

impl Nodes {
    /// Takes a report; `None` where its sequence is at or below the node's last.
    pub(crate) fn accept(
        &mut self,
        node_id: &str,
        sequence: i64,
        offset: i64,
        event_time: i64,
        kafka_time: Option<i64>,
    ) -> Option<&mut Node> {
        self.newest = self.newest.max(kafka_time.unwrap_or(self.newest));
        let newest = self.newest;
        if !self.by_id.contains_key(node_id) {
            self.by_id.insert(node_id.into(), Node::new());
        }
        let node = self.by_id.get_mut(node_id)?;
        if newest - node.last_heard > RETENTION_MS {
            *node = Node::new();
        }
        node.last_heard = newest;
        if sequence <= node.last_sequence {
            return None;
        }
        node.last_sequence = sequence;
        let begin = event_time.div_euclid(MARK_MS) * MARK_MS;
        if node.marks.back().is_none_or(|(last, _)| *last != begin) {
            node.marks.push_back((begin, offset));
        }
        Some(node)
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
        assert!(nodes.accept("a", 5, 0, 0, Some(0)).is_some());
        assert!(nodes.accept("a", 5, 1, 0, Some(0)).is_none());
        assert!(nodes.accept("a", 4, 2, 0, Some(0)).is_none());
        assert!(nodes.accept("b", 4, 3, 0, Some(0)).is_some());
        assert!(nodes.accept("a", 6, 4, 0, Some(0)).is_some());
    }

    #[test]
    fn a_node_unheard_of_for_a_day_is_forgotten() {
        let mut nodes = Nodes::default();
        nodes.accept("a", 5, 0, 0, Some(0));
        nodes.accept("b", 5, 1, 0, Some(RETENTION_MS));
        assert!(nodes.accept("a", 5, 2, 0, Some(RETENTION_MS)).is_none());
        nodes.accept("b", 6, 3, 0, Some(2 * RETENTION_MS + 1));
        assert!(nodes.accept("a", 5, 4, 0, Some(2 * RETENTION_MS + 1)).is_some());
    }
}
