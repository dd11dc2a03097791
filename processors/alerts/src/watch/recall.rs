//! What was told before, taken back after a restart: which alerts fired, and since when.
//!
//! ```text
//! alerts topic ─> Watch::recall ─┐
//! reports of the reach, again ───┴─> evaluations; beside each, what had been told at its event time ─> Watch::settle
//! ```
//!
//! Pending alerts come back from the reports alone: the reach that is read again holds all of `for`. An alert that fires may have begun
//! long before it; that it does, and since when, is what had been told. What was told of evaluations after the last report that was read
//! again is left out: those evaluations come again, and tell the same.

use std::collections::{BTreeMap, VecDeque};

use super::{Active, Change, DELAY_MS, Watch, on_grid};
use crate::labels::{Key, Labels, NAMES, NONE};
use crate::series::{ABOUT, SERIES, Series};

/// A change that was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled<T> {
    /// As it was told.
    pub change: Change<T>,
}

#[derive(Debug)]
pub(super) struct Recall<T> {
    pub(super) in_the_middle: bool,
    /// Changes that were told, in the order of their event times.
    told: VecDeque<Change<T>>,
    /// Alerts that fired, of rules that are no more.
    orphans: BTreeMap<String, Change<T>>,
    /// Whether reports are being read again.
    again: bool,
}

impl<T> Default for Recall<T> {
    fn default() -> Self {
        Self { in_the_middle: false, told: VecDeque::new(), orphans: BTreeMap::new(), again: false }
    }
}

impl<T> Recall<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty() && self.orphans.is_empty()
    }
}

impl<T: Clone> Watch<T> {
    /// Takes what had been told of alerts, before any report; [`Watch::settle`] ends it.
    pub fn recall(&mut self, told: impl IntoIterator<Item = Recalled<T>>) {
        let mut told: Vec<Change<T>> = told.into_iter().map(|recalled| recalled.change).collect();
        told.sort_by_key(|change| change.at);
        self.recall.told = told.into();
        self.recall.again = true;
    }

    /// All reports that were taken before have come again: from now on changes are new.
    pub fn settle(&mut self) {
        self.recall.again = false;
        let Some(newest) = self.newest else { return };
        let horizon = newest.saturating_sub(DELAY_MS);
        self.take_told(|at| at <= horizon);
        self.recall.told.clear();
        let rules = &self.rules;
        for (next, group) in self.next.iter_mut().zip(&rules.groups) {
            // Where too little of the past is left on the topic, the next evaluation is made of what there is.
            *next = (*next).min(on_grid(horizon.saturating_add(1), group.interval_ms));
        }
    }

    /// Before an evaluation: what had been told of earlier ones.
    pub(super) fn recall_before(&mut self, at: i64) {
        if !self.recall.told.is_empty() {
            self.take_told(|told_at| told_at < at);
        }
    }

    /// After an evaluation that is made again, what had been told of it; after one that is new, alerts whose rule is no more are resolved.
    pub(super) fn recall_after(&mut self, at: i64, changes: &mut Vec<Change<T>>) {
        if self.recall.again {
            self.take_told(|told_at| told_at <= at);
            return;
        }
        self.recall.told.clear();
        for (_, told) in std::mem::take(&mut self.recall.orphans) {
            changes.push(Change { at, firing: false, ..told });
        }
    }

    fn take_told(&mut self, is_due: impl Fn(i64) -> bool) {
        while let Some(told) = self.recall.told.pop_front_if(|told| is_due(told.at)) {
            self.take(told);
        }
    }

    fn take(&mut self, told: Change<T>) {
        let key = self.key(&told.labels);
        let found = self.labels(key);
        let rules = self.rules.clone();
        let number = rules.all().position(|rule| rule.name == told.rule && rule.labels(&found) == told.labels);
        let Some(number) = number else {
            if told.firing {
                self.recall.orphans.insert(told.fingerprint.clone(), told);
            } else {
                self.recall.orphans.remove(&told.fingerprint);
            }
            return;
        };
        let known = self.active[number].get(&key).copied();
        let fired = known.is_some_and(|known| known.fired_at.is_some());
        if told.firing {
            let value = known.map_or(told.value, |known| known.value);
            let ceased_at = known.and_then(|known| known.ceased_at);
            let active = Active { since: told.active_at, fired_at: Some(told.fired_at), ceased_at, value };
            self.active[number].insert(key, active);
        } else {
            self.active[number].remove(&key);
        }
        let slot = key.node as usize;
        let Some(node) = self.nodes.get_mut(key.node) else { return };
        match (fired, told.firing) {
            (false, true) => node.firing += 1,
            (true, false) => node.firing = node.firing.saturating_sub(1),
            _ => {}
        }
        if node.last < told.reported_at {
            // It was last heard before the reach: what was told is all that is left of it.
            self.nodes.report_of_old(key.node, told.reported_at);
            if self.tags.len() <= slot {
                self.tags.resize(slot + 1, None);
            }
            self.tags[slot] = told.tag;
        }
    }

    /// The key of labels that were told.
    fn key(&mut self, labels: &Labels) -> Key {
        let label = |name: &str| labels.get(name).map_or("", String::as_str);
        let [node, pool, ..] = NAMES.map(label);
        let is_own = |series: &Series| series.label().is_some_and(|(name, value)| label(name) == value);
        let own = ABOUT[..SERIES].iter().map(|(series, ..)| *series).find(is_own);
        let number = if node.is_empty() { NONE } else { self.nodes.number(node, pool) };
        Key { node: number, pool: self.nodes.pool(pool), own }
    }
}
