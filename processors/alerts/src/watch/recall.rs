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

use super::state::Active;
use super::unit::{Scope, Unit};
use super::{Change, SWEEP_MS, Watch};
use crate::labels::{Key, Labels, NONE};
use crate::series::{ABOUT, Series};

/// A change that was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled<T> {
    /// As it was told.
    pub change: Change<T>,
}

/// A node or, with an empty name, a pool.
type Whose = (String, String);

#[derive(Debug)]
pub(super) struct Recall<T> {
    pub(super) in_the_middle: bool,
    /// Changes that were told of each node and pool, in the order of their event times.
    told: BTreeMap<Whose, VecDeque<Change<T>>>,
    /// Alerts that fired, of rules that are no more.
    orphans: BTreeMap<String, Change<T>>,
    /// Whether reports are being read again.
    again: bool,
}

impl<T> Default for Recall<T> {
    fn default() -> Self {
        Self { in_the_middle: false, told: BTreeMap::new(), orphans: BTreeMap::new(), again: false }
    }
}

impl<T: Clone> Watch<T> {
    /// Takes what had been told of alerts, before any report; [`Watch::settle`] ends it.
    pub fn recall(&mut self, told: impl IntoIterator<Item = Recalled<T>>) {
        let mut told: Vec<Change<T>> = told.into_iter().map(|recalled| recalled.change).collect();
        told.sort_by_key(|change| change.at);
        self.recall.again = true;
        let rules = self.rules.clone();
        for change in told {
            let label = |name: &str| change.labels.get(name).cloned().unwrap_or_default();
            let (node, pool) = (label("node"), label("pool"));
            let rule = rules.all().find(|rule| rule.labels(&own_labels(&change.labels)) == change.labels);
            let Some(rule) = rule.filter(|rule| rule.name == change.rule) else {
                if change.firing {
                    self.recall.orphans.insert(change.fingerprint.clone(), change);
                } else {
                    self.recall.orphans.remove(&change.fingerprint);
                }
                continue;
            };
            // What is evaluated of a pool is the pool's, though it has the label of a node.
            let whose = if rule.plan.is_of_a_node() || pool.is_empty() { (node, pool) } else { (String::new(), pool) };
            self.recall.told.entry(whose).or_default().push_back(change);
        }
    }

    /// All reports that were taken before have come again: from now on changes are new.
    pub fn settle(&mut self) {
        self.recall.again = false;
        let Some(newest) = self.newest else { return };
        let horizon = self.looked_at(newest);
        let told = std::mem::take(&mut self.recall.told);
        for ((node, pool), mut told) in told {
            let members = self.members(&node, &pool);
            if let Some((mut unit, evaluated)) = members.and_then(|whose| self.take_unit(whose)) {
                let until = if evaluated >= self.begin { evaluated } else { horizon };
                told.into_iter().filter(|told| told.at <= until).for_each(|told| self.take(&mut unit, told));
                self.put_unit(members, unit);
            } else if !node.is_empty() {
                self.add_unheard((&node, &pool), horizon, &mut told);
            }
        }
        self.begin_now(horizon);
    }

    /// Before an evaluation: what had been told of earlier ones.
    pub(super) fn recall_before(&mut self, unit: &mut Unit, members: &[u32], scope: Scope, at: i64) {
        self.take_told(unit, members, scope, |told_at| told_at < at);
    }

    /// After an evaluation that is made again, what had been told of it.
    pub(super) fn recall_after(&mut self, unit: &mut Unit, members: &[u32], scope: Scope, at: i64) {
        if self.recall.again {
            self.take_told(unit, members, scope, |told_at| told_at <= at);
        }
    }

    /// Alerts whose rule is no more are resolved.
    pub(super) fn resolve_orphans(&mut self, at: i64, changes: &mut Vec<Change<T>>) {
        if !self.recall.again && !self.recall.orphans.is_empty() {
            let orphans = std::mem::take(&mut self.recall.orphans);
            changes.extend(orphans.into_values().map(|told| Change { at, firing: false, ..told }));
        }
    }

    fn take_told(&mut self, unit: &mut Unit, members: &[u32], scope: Scope, is_due: impl Fn(i64) -> bool) {
        if self.recall.told.is_empty() {
            return;
        }
        let Some(first) = members.first().and_then(|number| self.nodes.get(*number)) else { return };
        let node = if scope == Scope::Pool { String::new() } else { first.name.to_string() };
        let whose = (node, self.nodes.pool_name(first.pool).to_owned());
        while let Some(told) = self.recall.told.get_mut(&whose).and_then(|told| told.pop_front_if(|t| is_due(t.at))) {
            self.take(unit, told);
        }
    }

    /// Takes what was told into the state of its unit.
    fn take(&mut self, unit: &mut Unit, told: Change<T>) {
        let key = self.key(&told.labels);
        let rules = self.rules.clone();
        let own = own_labels(&told.labels);
        let Some(rule) = rules.all().find(|rule| rule.name == told.rule && rule.labels(&own) == told.labels) else {
            return;
        };
        let known = unit.active.get(&(rule.number, key)).copied();
        let fired = known.is_some_and(|known| known.fired_at.is_some());
        if told.firing {
            let value = known.map_or(told.value, |known| known.value);
            let ceased_at = known.and_then(|known| known.ceased_at);
            let active = Active { since: told.active_at, fired_at: Some(told.fired_at), ceased_at, value };
            unit.active.insert((rule.number, key), active);
        } else {
            unit.active.remove(&(rule.number, key));
        }
        self.count(rule.number, key, i32::from(told.firing) - i32::from(fired));
    }

    /// A node that is heard of for the first time within the reach: where an alert of it fires, it had been silent, and known.
    pub(super) fn know_again(&mut self, node: &str, pool: &str, at: i64) {
        if !self.recall.again {
            return;
        }
        let whose = (node.to_owned(), pool.to_owned());
        if let Some(mut told) = self.recall.told.remove(&whose) {
            // What was told of later is of reports that are still to come: their backlog is behind that of others.
            let horizon = self.looked_at(at).min(at - 1);
            self.add_unheard((node, pool), horizon, &mut told);
            self.recall.told.insert(whose, told);
        }
    }

    /// Event time up to which silent nodes were evaluated.
    fn looked_at(&self, or: i64) -> i64 {
        if self.swept > i64::MIN / 4 { self.swept - SWEEP_MS } else { or }
    }

    /// Adds a silent node of which an alert fires by what had been told up to an event time.
    fn add_unheard(&mut self, (node, pool): (&str, &str), horizon: i64, told: &mut VecDeque<Change<T>>) {
        if !any_fires(told.iter().filter(|told| told.at <= horizon)) {
            return;
        }
        let number = self.add(node, pool, horizon.saturating_add(1));
        let Some((mut unit, _)) = self.take_unit((number, NONE)) else { return };
        while let Some(told) = told.pop_front_if(|told| told.at <= horizon) {
            // It was last heard before the reach: what was told is all that is left of it.
            if self.nodes.get(number).is_some_and(|node| node.last < told.reported_at) {
                self.nodes.was_heard(number, told.reported_at);
                if let Some(tag) = told.tag.clone() {
                    self.tag(number, tag);
                }
            }
            self.take(&mut unit, told);
        }
        // The last evaluations that were made of it are made again, for the values that they found.
        let rules = self.rules.clone();
        unit.skip_to(&rules, horizon.saturating_add(1).max(self.begin));
        unit.step_back(&rules, self.begin);
        self.put_unit(Some((number, NONE)), unit);
        self.run_node(number, horizon, &mut Vec::new());
    }

    /// Where too little of the past is left on the topic, the next evaluations are made of what there is.
    fn begin_now(&mut self, horizon: i64) {
        if self.begin <= horizon {
            return;
        }
        let rules = self.rules.clone();
        for number in self.nodes.numbers() {
            if let Some(node) = self.nodes.get_mut(number) {
                let from = node.last.min(horizon).saturating_add(1);
                node.unit.skip_to(&rules, from);
            }
        }
        for number in 0..self.nodes.pools().len() as u32 {
            if let Some(pool) = self.nodes.pool_mut(number) {
                pool.unit.skip_to(&rules, horizon.saturating_add(1));
            }
        }
        self.begin = horizon;
    }

    /// The number of a node that is known, or of a pool; the other is [`NONE`].
    fn members(&mut self, node: &str, pool: &str) -> Option<(u32, u32)> {
        if node.is_empty() {
            return Some((NONE, self.nodes.pool(pool)));
        }
        self.nodes.known(node, pool).map(|number| (number, NONE))
    }

    fn take_unit(&mut self, (node, pool): (u32, u32)) -> Option<(Unit, i64)> {
        let unit = match self.nodes.get_mut(node) {
            Some(node) => std::mem::take(&mut node.unit),
            None => std::mem::take(&mut self.nodes.pool_mut(pool)?.unit),
        };
        let evaluated = unit.evaluated(&self.rules)?;
        Some((unit, evaluated))
    }

    fn put_unit(&mut self, whose: Option<(u32, u32)>, unit: Unit) {
        let Some((node, pool)) = whose else { return };
        if let Some(node) = self.nodes.get_mut(node) {
            node.unit = unit;
        } else if let Some(pool) = self.nodes.pool_mut(pool) {
            pool.unit = unit;
        }
    }

    /// The key of labels that were told.
    fn key(&mut self, labels: &Labels) -> Key {
        let label = |name: &str| labels.get(name).map_or("", String::as_str);
        let is_own = |series: &Series| series.label().is_some_and(|(name, value)| label(name) == value);
        let own = ABOUT.iter().map(|(series, ..)| *series).find(is_own);
        let (node, pool) = (label("node"), label("pool"));
        let number = if node.is_empty() { None } else { self.nodes.known(node, pool) };
        Key { node: number.unwrap_or(NONE), pool: self.nodes.pool(pool), own }
    }
}

/// Whether an alert fires by the last of what was told of it.
fn any_fires<'t, T: 't>(told: impl Iterator<Item = &'t Change<T>>) -> bool {
    let mut fires = BTreeMap::new();
    fires.extend(told.map(|told| (&told.fingerprint, told.firing)));
    fires.into_values().any(|fires| fires)
}

/// Of an alert's labels those that come from its series.
fn own_labels(labels: &Labels) -> Labels {
    labels
        .iter()
        .filter(|(name, _)| crate::labels::NAMES.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}
