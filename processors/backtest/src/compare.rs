//! Two policies over the same forecasts: where their commands differ, and whether they are those that were recorded.
//!
//! ```text
//! Decided (two commands) ─► Comparison ─► nodes and commands that differ, the largest moves and when
//! recorded quotas ────────► Recorded ───► identical, different, missing
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tidegate_schemas::records::QuotaCommand;
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, SchemaError, Topic};

use crate::report::rounded;
use crate::runner::Decided;

/// Quotas closer than this, in resource units, are the same.
const SAME: f64 = 1e-9;

/// Sums of two policies, by node.
#[derive(Debug, Default)]
pub struct Comparison {
    nodes: BTreeMap<String, Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    commands: u64,
    differing: u64,
    difference: f64,
    largest: Option<Move>,
}

/// Where two policies differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differences {
    /// Nodes with at least one command that differs.
    pub nodes: usize,
    /// Commands with another quota.
    pub commands: u64,
    /// Their share, %.
    pub percent: f64,
}

/// One node under two policies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeDifference {
    /// The node.
    pub node_id: String,
    /// Its commands.
    pub commands: u64,
    /// Those with another quota.
    pub differing: u64,
    /// Mean of the tried quota less the one it is held against, points of the base quota.
    pub mean_difference: f64,
    /// Where they lie farthest apart.
    pub largest: Option<Move>,
}

/// A decision where two policies differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Move {
    /// The node.
    pub node_id: String,
    /// Event time, Unix ms.
    pub timestamp_ms: i64,
    /// The report's sequence.
    pub sequence: i64,
    /// Quotas, × base quota.
    pub against: f64,
    /// Quotas, × base quota.
    #[serde(rename = "try")]
    pub tried: f64,
    /// Reason of the first.
    pub against_reason: String,
    /// Reason of the second.
    pub try_reason: String,
}

impl Comparison {
    /// Takes a decision with two commands; others say nothing.
    pub fn take(&mut self, decided: &Decided) {
        let [against, tried] = decided.commands.as_slice() else { return };
        if !self.nodes.contains_key(&against.node_id) {
            self.nodes.insert(against.node_id.clone(), Sums::default());
        }
        let Some(node) = self.nodes.get_mut(&against.node_id) else { return };
        let difference = (tried.quota - against.quota) / against.base_quota;
        node.commands += 1;
        node.difference += difference;
        if (tried.quota - against.quota).abs() <= SAME {
            return;
        }
        node.differing += 1;
        let farthest = node.largest.as_ref().map_or(0.0, |largest| (largest.tried - largest.against).abs());
        if difference.abs() > farthest {
            node.largest = Some(Move::of(against, tried));
        }
    }

    /// The sums over all nodes.
    #[must_use]
    pub fn differences(&self) -> Differences {
        let commands: u64 = self.nodes.values().map(|node| node.differing).sum();
        let all: u64 = self.nodes.values().map(|node| node.commands).sum();
        Differences {
            nodes: self.nodes.values().filter(|node| node.differing > 0).count(),
            commands,
            percent: if all > 0 { rounded(100.0 * commands as f64 / all as f64) } else { 0.0 },
        }
    }

    /// Node by node, the one with the largest move first.
    #[must_use]
    pub fn by_node(&self) -> Vec<NodeDifference> {
        let mut nodes: Vec<NodeDifference> = self.nodes.iter().map(|(id, sums)| difference(id, sums)).collect();
        let size = |node: &NodeDifference| node.largest.as_ref().map_or(0.0, |m| (m.tried - m.against).abs());
        nodes.sort_by(|a, b| size(b).total_cmp(&size(a)));
        nodes
    }
}

fn difference(node_id: &str, sums: &Sums) -> NodeDifference {
    NodeDifference {
        node_id: node_id.to_owned(),
        commands: sums.commands,
        differing: sums.differing,
        mean_difference: rounded(100.0 * sums.difference / sums.commands.max(1) as f64),
        largest: sums.largest.clone(),
    }
}

impl Move {
    fn of(against: &QuotaCommand, tried: &QuotaCommand) -> Self {
        Self {
            node_id: against.node_id.clone(),
            timestamp_ms: against.timestamp,
            sequence: against.sequence,
            against: rounded(against.quota / against.base_quota),
            tried: rounded(tried.quota / tried.base_quota),
            against_reason: against.reason.clone(),
            try_reason: tried.reason.clone(),
        }
    }
}

/// The commands of a recorded quotas topic, by node and sequence.
#[derive(Debug)]
pub struct Recorded {
    commands: HashMap<(String, i64), Vec<u8>>,
    decoder: Decoder,
    encoder: Encoder,
    /// What each policy made of them.
    matches: Vec<Matches>,
}

/// Commands of a run beside the recorded ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Matches {
    /// The same bytes.
    pub identical: u64,
    /// Other bytes.
    pub different: u64,
    /// Decided now, and not recorded.
    pub not_recorded: u64,
    /// Event time of the first command with other bytes, Unix ms.
    pub first_different_ms: Option<i64>,
}

impl Recorded {
    /// No commands yet, to hold so many policies against.
    ///
    /// # Errors
    /// None in practice: the catalogue's own schemas are known.
    pub fn new(policies: usize) -> Result<Self, SchemaError> {
        let kind = <QuotaCommand as tidegate_schemas::records::Record>::KIND;
        Ok(Self {
            commands: HashMap::new(),
            decoder: Decoder::new(Arc::new(CatalogueIds)),
            encoder: Encoder::new(Topic::Quotas, kind, &CatalogueIds)?,
            matches: vec![Matches::default(); policies],
        })
    }

    /// Takes a recorded value and gives its command; of one that was recorded twice the last counts.
    ///
    /// # Errors
    /// Where it is no quota command.
    pub fn add(&mut self, value: &[u8]) -> Result<QuotaCommand, SchemaError> {
        let command: QuotaCommand = self.decoder.decode(value)?;
        self.commands.insert((command.node_id.clone(), command.sequence), value.to_vec());
        Ok(command)
    }

    /// Commands recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Holds the commands of a decision against the recorded ones. The five bytes of framing before the datum do not count:
    /// they name the schema's id, which a registry may have given.
    ///
    /// # Errors
    /// Where a command does not fit its schema.
    pub fn take(&mut self, decided: &Decided) -> Result<(), SchemaError> {
        let mut bytes = Vec::new();
        for (command, matches) in decided.commands.iter().zip(&mut self.matches) {
            let Some(recorded) = self.commands.get(&(command.node_id.clone(), command.sequence)) else {
                matches.not_recorded += 1;
                continue;
            };
            self.encoder.encode(command, &mut bytes)?;
            if bytes.get(FRAMING..) == recorded.get(FRAMING..) {
                matches.identical += 1;
            } else {
                matches.different += 1;
                let first = matches.first_different_ms.unwrap_or(i64::MAX);
                matches.first_different_ms = Some(first.min(command.timestamp));
            }
        }
        Ok(())
    }

    /// What each policy made of them, in their order.
    #[must_use]
    pub fn matches(&self) -> &[Matches] {
        &self.matches
    }
}

/// Magic byte and schema id.
const FRAMING: usize = 5;
