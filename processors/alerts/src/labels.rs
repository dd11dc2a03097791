//! Labels of what an expression yields. There are four, so a set of them is a few numbers ([`Key`]), not texts.

use std::collections::BTreeMap;

use crate::series::Series;

/// Names of the labels that series have.
pub(crate) const NAMES: [&str; 4] = ["node", "pool", "quantile", "state"];

/// No node, no pool.
pub(crate) const NONE: u32 = u32::MAX;

/// A set of labels: a node and a pool by number, and the series whose own label is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) node: u32,
    pub(crate) pool: u32,
    /// `quantile` or `state`: no series has both.
    pub(crate) own: Option<Series>,
}

/// Which labels stay in an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) node: bool,
    pub(crate) pool: bool,
    pub(crate) quantile: bool,
    pub(crate) state: bool,
}

impl Kept {
    /// The labels of a group that `key` falls in.
    pub(crate) fn of(self, key: Key) -> Key {
        let own = key.own.filter(|series| match series.label() {
            Some(("quantile", _)) => self.quantile,
            Some(_) => self.state,
            None => false,
        });
        Key { node: if self.node { key.node } else { NONE }, pool: if self.pool { key.pool } else { NONE }, own }
    }
}

/// Labels as texts.
pub type Labels = BTreeMap<String, String>;

/// The fingerprint of a set of labels, as Alertmanager makes it (FNV-1a), so that both name an alert alike.
#[must_use]
pub fn fingerprint(labels: &Labels) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    for (name, value) in labels {
        add(name.as_bytes());
        add(&[0xff]);
        add(value.as_bytes());
        add(&[0xff]);
    }
    format!("{hash:016x}")
}
