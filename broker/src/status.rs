//! What a running stage or sink tells of itself within its process: to `/ready` and the demo's page.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Counters of one stage or sink, readable while it runs.
#[derive(Debug, Default)]
pub struct WorkStatus {
    pub(crate) records: AtomicU64,
    pub(crate) outputs: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) dead_letters: AtomicU64,
    pub(crate) restored: AtomicU64,
    pub(crate) lag: AtomicI64,
    pub(crate) assigned: AtomicI64,
    /// Whether the group has said which partitions are ours, none included.
    pub(crate) joined: AtomicBool,
    /// Whether the lag of all partitions held is known.
    pub(crate) lag_known: AtomicBool,
    pub(crate) restoring: AtomicI64,
    pub(crate) restore_left: AtomicU64,
}

impl WorkStatus {
    /// Records processed, those read only to rebuild state excluded.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
    /// Outputs published.
    #[must_use]
    pub fn outputs(&self) -> u64 {
        self.outputs.load(Ordering::Relaxed)
    }
    /// Records dropped as repeated.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
    /// Records set aside.
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }
    /// Records read to rebuild state.
    #[must_use]
    pub fn restored(&self) -> u64 {
        self.restored.load(Ordering::Relaxed)
    }
    /// Records that wait on the input topic, over all partitions held, as of the last second.
    #[must_use]
    pub fn lag(&self) -> i64 {
        self.lag.load(Ordering::Relaxed)
    }
    /// Partitions held whose state is not back yet: nothing of them is processed so long.
    #[must_use]
    pub fn restoring(&self) -> i64 {
        self.restoring.load(Ordering::Relaxed)
    }
    /// Whether it has its share of the partitions, which is none where others hold them all, the state of all of them, and at
    /// most `most_lag` records that wait.
    #[must_use]
    pub fn is_ready(&self, most_lag: i64) -> bool {
        let has_all = self.joined.load(Ordering::Relaxed) && self.restoring() == 0;
        let is_near = self.lag_known.load(Ordering::Relaxed) && self.lag() <= most_lag;
        has_all && (self.assigned() == 0 || is_near)
    }
    /// Partitions held.
    #[must_use]
    pub fn assigned(&self) -> i64 {
        self.assigned.load(Ordering::Relaxed)
    }
}
