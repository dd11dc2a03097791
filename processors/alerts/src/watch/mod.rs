//! The watch over one partition: reports in, changes of alerts out.
//!
//! ```text
//! report ─> samples of its node
//!        ─> an event time passed that is a multiple of a group's interval? ─> each rule of the group:
//!               evaluate ─> who is active ─> pending ─ for ─> firing ─ keep_firing_for ─> resolved
//! ```
//!
//! The clock is the newest event time of the partition, [`DELAY_MS`] behind: reports of the nodes come a little out of step, and whoever
//! is on time is heard before the evaluation. So it tells that a node is silent only while another of the partition speaks.

mod recall;
mod state;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

pub use recall::Recalled;

use crate::expr::evaluate;
use crate::labels::{Key, Labels, fingerprint};
use crate::nodes::Nodes;
use crate::rules::{Rule, Rules};
use crate::series::{Readings, Series};
use recall::Recall;
use state::{Active, Step};

/// How far an evaluation stays behind the newest event time, in ms.
pub const DELAY_MS: i64 = 10_000;

/// A report as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'r> {
    /// Node.
    pub node: &'r str,
    /// Its pool; empty: none.
    pub pool: &'r str,
    /// Event time in ms.
    pub at: i64,
    /// What it says.
    pub readings: &'r Readings,
}

/// An alert that began to fire, or was resolved; one that fires on is told again once a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T> {
    /// Event time of the evaluation.
    pub at: i64,
    /// Whether it fires now.
    pub firing: bool,
    /// Name of the rule.
    pub rule: String,
    /// Names the alert.
    pub fingerprint: String,
    /// The alert's labels.
    pub labels: Labels,
    /// Text for people.
    pub annotations: Labels,
    /// Value of the expression when it last held.
    pub value: f64,
    /// Event time at which the expression began to hold.
    pub active_at: i64,
    /// Event time since which it fires.
    pub fired_at: i64,
    /// Event time of the node's last report, where the alert is about a node; else of the partition's.
    pub reported_at: i64,
    /// What the caller gave with that report.
    pub tag: Option<T>,
}

/// The watch. `T` is what the caller wants told back of a node's last report.
#[derive(Debug)]
pub struct Watch<T> {
    rules: Arc<Rules>,
    nodes: Nodes,
    /// By the number of the node.
    tags: Vec<Option<T>>,
    /// Newest event time, and the tag of the last report taken.
    newest: Option<i64>,
    last_tag: Option<T>,
    /// Next evaluation of each group.
    next: Vec<i64>,
    /// Alerts that are pending or firing, by the number of the rule.
    active: Vec<BTreeMap<Key, Active>>,
    recall: Recall<T>,
    evaluations: u64,
}

impl<T: Clone> Watch<T> {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            nodes: Nodes::new(&rules),
            tags: Vec::new(),
            newest: None,
            last_tag: None,
            next: Vec::new(),
            active: vec![BTreeMap::new(); rules.all().count()],
            recall: Recall::default(),
            evaluations: 0,
            rules,
        }
    }

    /// Before the first report: it is not the first of all, so that no evaluation whose past was not seen counts.
    pub fn begin_in_the_middle(&mut self) {
        self.recall.in_the_middle = true;
    }

    /// Takes a report; gives what changed by the evaluations that it led to, or `None` where the node has reported of that event
    /// time or a later one before.
    pub fn observe(&mut self, report: &Report<'_>, tag: T) -> Option<Vec<Change<T>>> {
        if self.nodes.has_heard(report.node, report.at) {
            return None;
        }
        if self.newest.is_none() {
            self.begin(report.at);
        }
        let oldest = self.next.iter().copied().min().unwrap_or(i64::MAX);
        let number = self.nodes.report((report.node, report.pool), report.at, report.readings, oldest);
        let slot = number as usize;
        if self.tags.len() <= slot {
            self.tags.resize(slot + 1, None);
        }
        self.tags[slot] = Some(tag.clone());
        self.last_tag = Some(tag);
        let newest = self.newest.map_or(report.at, |newest| newest.max(report.at));
        self.newest = Some(newest);
        let until = newest.saturating_sub(DELAY_MS);
        Some(if oldest > until { Vec::new() } else { self.advance(until) })
    }

    /// Alerts that fire, by the number of the rule in [`Rules::names`].
    pub fn firing(&self) -> impl Iterator<Item = usize> {
        self.active.iter().map(|active| active.values().filter(|a| a.fired_at.is_some()).count())
    }

    /// The alerts that fire, as they would be told now.
    pub fn alerts(&self) -> impl Iterator<Item = Change<T>> {
        self.rules.all().zip(&self.active).flat_map(move |(rule, active)| {
            let fires = active.iter().filter(|(_, active)| active.fired_at.is_some());
            fires.map(move |(key, active)| {
                let step = Step { firing: true, is_new: false, active: *active };
                self.change(rule, *key, &step, active.fired_at.unwrap_or(active.since))
            })
        })
    }

    /// Evaluations of rules so far.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// What was given with the last report.
    #[must_use]
    pub fn last_tag(&self) -> Option<&T> {
        self.last_tag.as_ref()
    }

    /// Newest event time.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Nodes that are remembered.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn begin(&mut self, at: i64) {
        let at = if self.recall.in_the_middle { at.saturating_add(self.rules.look_ms()) } else { at };
        self.next = self.rules.groups.iter().map(|group| on_grid(at, group.interval_ms)).collect();
    }

    /// Evaluates all groups up to an event time.
    fn advance(&mut self, until: i64) -> Vec<Change<T>> {
        let mut changes = Vec::new();
        loop {
            let due = (0..self.next.len()).min_by_key(|group| self.next[*group]);
            let Some(group) = due.filter(|group| self.next[*group] <= until) else { break };
            let at = self.next[group];
            if self.is_idle() {
                // Nobody is left: whatever the gap, nothing happens in it.
                for (next, group) in self.next.iter_mut().zip(&self.rules.groups) {
                    *next = on_grid(until.saturating_add(1), group.interval_ms);
                }
                break;
            }
            self.recall_before(at);
            self.evaluate(group, at, &mut changes);
            self.recall_after(at, &mut changes);
            self.next[group] = at + self.rules.groups[group].interval_ms;
            if at % 60_000 == 0 {
                let held: HashSet<u32> =
                    self.active.iter().flat_map(|active| active.keys().map(|key| key.node)).collect();
                self.nodes.forget(at, self.rules.patience_ms(), |number| held.contains(&number));
            }
        }
        changes
    }

    fn is_idle(&self) -> bool {
        self.nodes.len() == 0 && self.recall.is_empty() && self.active.iter().all(BTreeMap::is_empty)
    }

    fn evaluate(&mut self, group: usize, at: i64, changes: &mut Vec<Change<T>>) {
        self.nodes.rank();
        let rules = Arc::clone(&self.rules);
        let interval = rules.groups[group].interval_ms;
        let first: usize = rules.groups[..group].iter().map(|group| group.rules.len()).sum();
        for (number, rule) in (first..).zip(&rules.groups[group].rules) {
            self.evaluations += 1;
            let found = evaluate(&rule.plan, &self.nodes, at);
            let steps = state::step(&mut self.active[number], rule, &found, (at, interval));
            let before = changes.len();
            for (key, step) in steps {
                let change = self.change(rule, key, &step, at);
                if let Some(node) = self.nodes.get_mut(key.node) {
                    node.firing = node.firing.saturating_add_signed(step.more());
                }
                changes.push(change);
            }
            // Numbers of nodes depend on who was heard first; the order of what is told must not.
            changes[before..].sort_by(|a, b| a.labels.cmp(&b.labels));
        }
    }

    fn change(&self, rule: &Rule, key: Key, step: &Step, at: i64) -> Change<T> {
        let found = self.labels(key);
        let labels = rule.labels(&found);
        let node = self.nodes.get(key.node);
        Change {
            at,
            firing: step.firing,
            rule: rule.name.clone(),
            fingerprint: fingerprint(&labels),
            annotations: rule.annotations(&found, step.active.value),
            labels,
            value: step.active.value,
            active_at: step.active.since,
            fired_at: step.active.fired_at.unwrap_or(at),
            reported_at: node.map_or(self.newest.unwrap_or(at), |node| node.last),
            tag: match node {
                Some(_) => self.tags.get(key.node as usize).cloned().flatten(),
                None => self.last_tag.clone(),
            },
        }
    }

    /// The labels of a key as texts.
    fn labels(&self, key: Key) -> Labels {
        let mut labels = Labels::new();
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                labels.insert(name.to_owned(), value.to_owned());
            }
        };
        put("node", self.nodes.get(key.node).map_or("", |node| &node.name));
        put("pool", self.nodes.pool_name(key.pool));
        if let Some((name, value)) = key.own.and_then(Series::label) {
            put(name, value);
        }
        labels
    }
}

/// The first multiple of an interval at or after an event time.
fn on_grid(at: i64, interval: i64) -> i64 {
    let past = at.rem_euclid(interval);
    if past == 0 { at } else { at.saturating_add(interval - past) }
}
