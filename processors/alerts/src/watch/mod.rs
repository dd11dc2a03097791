//! The watch over one partition: reports in, changes of alerts out.
//!
//! ```text
//! report ─> samples of its node
//!        ─> did its event time pass a multiple of a group's interval? ─> each rule of the group, of the node or its pool:
//!               evaluate ─> who is active ─> pending ─ for ─> firing ─ keep_firing_for ─> resolved
//! ```
//!
//! Each node has its own clock, its reports: after an outage the backlog of some nodes comes hours of event time before that of
//! others, and must not make them look silent. A node that has not been heard of for [`IDLE_MS`] of Kafka time, outages left out, goes by the newest event
//! time of the partition instead; so that it is silent is told while another speaks. A pool waits for those of its nodes that are
//! heard of. All of this is a function of the log.

mod recall;
mod state;
mod unit;

use std::sync::Arc;

pub use recall::Recalled;
pub(crate) use unit::Unit;

use crate::expr::{Scene, evaluate};
use crate::labels::{Key, Labels, NONE, fingerprint};
use crate::nodes::{FIRING_SILENCE_MS, Nodes};
use crate::rules::{Rule, Rules};
use crate::series::{Readings, Series};
use recall::Recall;
use state::Step;
use unit::Scope;

/// A node that was not heard of for longer, in ms of Kafka time, is not waited for.
pub const IDLE_MS: i64 = 30_000;
/// As much of the Kafka time between two records counts: in an outage nobody is heard of, and it says nothing of anybody.
const MOST_BETWEEN_MS: i64 = 10_000;
/// Those who are not heard of are looked at so often, and as they were so long ago, in ms of event time: whoever is back gets that time to say so.
const SWEEP_MS: i64 = 5_000;

/// A report as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'r> {
    /// Node.
    pub node: &'r str,
    /// Its pool; empty: none.
    pub pool: &'r str,
    /// Event time in ms.
    pub at: i64,
    /// Kafka time in ms.
    pub heard: i64,
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
    has_pools: bool,
    nodes: Nodes,
    /// By the number of the node.
    tags: Vec<Option<T>>,
    last_tag: Option<T>,
    /// Newest event time.
    newest: Option<i64>,
    /// Newest Kafka time.
    kafka: Option<i64>,
    /// Kafka time that counts so far.
    heard: i64,
    /// Newest event time when those who are not heard of were last looked at.
    swept: i64,
    /// No evaluation is of an event time before this.
    begin: i64,
    firing: Vec<usize>,
    recall: Recall<T>,
    evaluations: u64,
}

impl<T: Clone> Watch<T> {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            has_pools: rules.have_pools(),
            nodes: Nodes::new(&rules),
            tags: Vec::new(),
            last_tag: None,
            newest: None,
            kafka: None,
            heard: 0,
            swept: i64::MIN / 2,
            begin: i64::MIN / 2,
            firing: vec![0; rules.all().count()],
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
        if self.newest.is_none() && self.recall.in_the_middle {
            self.begin = report.at.saturating_add(self.rules.look_ms());
        }
        let passed = self.kafka.map_or(0, |kafka| report.heard.saturating_sub(kafka));
        self.heard += passed.clamp(0, MOST_BETWEEN_MS);
        self.kafka = self.kafka.max(Some(report.heard));
        let newest = self.newest.map_or(report.at, |newest| newest.max(report.at));
        self.newest = Some(newest);
        if self.nodes.known(report.node, report.pool).is_none() {
            self.know_again(report.node, report.pool, report.at);
        }
        let mut changes = Vec::new();
        let number = match self.nodes.known(report.node, report.pool) {
            Some(number) => number,
            None => {
                self.leave(report.node, report.at, &mut changes);
                self.add(report.node, report.pool, report.at)
            }
        };
        self.pass_over_a_long_gap(number, report.at, &mut changes);
        let next = self.oldest_due(number);
        self.nodes.read(number, (report.at, self.heard), report.readings, next);
        self.tag(number, tag.clone());
        self.last_tag = Some(tag);
        self.run_node(number, report.at, &mut changes);
        self.run_pool_of(number, report.at, &mut changes);
        if newest.div_euclid(SWEEP_MS) > self.swept.div_euclid(SWEEP_MS) {
            self.sweep(newest, &mut changes);
            self.swept = newest;
        }
        self.resolve_orphans(newest, &mut changes);
        // Numbers of nodes depend on who was heard first; the order of what is told must not.
        changes.sort_by(|a, b| (a.at, &a.labels).cmp(&(b.at, &b.labels)));
        Some(changes)
    }

    /// The alerts that fire, as they would be told now.
    pub fn alerts(&self) -> Vec<Change<T>> {
        let nodes = self.nodes.numbers().filter_map(|number| Some(&self.nodes.get(number)?.unit));
        let pools = self.nodes.pools().iter().map(|pool| &pool.unit);
        let rules: Vec<&Rule> = self.rules.all().collect();
        let mut alerts = Vec::new();
        for ((number, key), active) in nodes.chain(pools).flat_map(|unit| &unit.active) {
            if let Some(fired_at) = active.fired_at {
                let step = Step { firing: true, is_new: false, active: *active };
                alerts.push(self.change(rules[*number as usize], *key, &step, fired_at));
            }
        }
        alerts
    }

    /// How many alerts of each rule fire, in the order of [`Rules::names`].
    #[must_use]
    pub fn firing(&self) -> &[usize] {
        &self.firing
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

    /// Event time before which nothing is evaluated any more: of the node or pool that is furthest behind.
    #[must_use]
    pub fn oldest(&self) -> i64 {
        let nodes = self.nodes.numbers().filter_map(|number| Some(self.nodes.get(number)?.unit.due().0));
        let pools = self.nodes.pools().iter().filter(|pool| !pool.members.is_empty()).map(|pool| pool.unit.due().0);
        nodes.chain(pools).min().unwrap_or(i64::MAX).min(self.newest.unwrap_or(i64::MAX))
    }

    /// Nodes that are remembered.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A node that goes to another pool is another one to all rules: what fires of it is resolved.
    fn leave(&mut self, name: &str, at: i64, changes: &mut Vec<Change<T>>) {
        let Some(number) = self.nodes.named(name) else { return };
        let unit = self.nodes.get_mut(number).map(|node| std::mem::take(&mut node.unit)).unwrap_or_default();
        let rules = Arc::clone(&self.rules);
        for ((rule, key), active) in unit.active {
            let Some(rule) = rules.all().nth(rule as usize).filter(|_| active.fired_at.is_some()) else { continue };
            changes.push(self.change(rule, key, &Step { firing: false, is_new: true, active }, at));
            self.count(rule.number, key, -1);
        }
    }

    fn add(&mut self, node: &str, pool: &str, at: i64) -> u32 {
        let scope = if pool.is_empty() { Scope::Alone } else { Scope::Node };
        let from = at.max(self.begin);
        let number = self.nodes.add(node, pool, Unit::new(&self.rules, scope, from));
        let rules = &self.rules;
        if let Some(pool) = self.nodes.get(number).map(|node| node.pool).and_then(|pool| self.nodes.pool_mut(pool))
            && pool.unit.next.is_empty()
        {
            pool.unit = Unit::new(rules, Scope::Pool, from);
        }
        number
    }

    fn tag(&mut self, number: u32, tag: T) {
        let slot = number as usize;
        if self.tags.len() <= slot {
            self.tags.resize(slot + 1, None);
        }
        self.tags[slot] = Some(tag);
    }

    /// The oldest event time at which something will yet be evaluated of a node.
    fn oldest_due(&mut self, number: u32) -> i64 {
        let Some(node) = self.nodes.get(number) else { return i64::MAX };
        let (due, pool) = (node.unit.due().0, node.pool);
        due.min(self.nodes.pool_mut(pool).map_or(i64::MAX, |pool| pool.unit.due().0))
    }

    /// A node that comes back after so long that nothing is left of it: the time between is not gone through in steps.
    fn pass_over_a_long_gap(&mut self, number: u32, at: i64, changes: &mut Vec<Change<T>>) {
        let Some(last) = self.nodes.get(number).map(|node| node.last) else { return };
        let end = last.saturating_add(FIRING_SILENCE_MS + self.rules.afterlife_ms());
        if last < 0 || at <= end {
            return;
        }
        self.run_node(number, end, changes);
        let rules = Arc::clone(&self.rules);
        if let Some(node) = self.nodes.get_mut(number).filter(|node| node.unit.active.is_empty()) {
            node.unit.skip_to(&rules, at);
        }
    }

    /// Evaluates a node up to an event time.
    fn run_node(&mut self, number: u32, until: i64, changes: &mut Vec<Change<T>>) {
        let Some(node) = self.nodes.get_mut(number).filter(|node| node.unit.due().0 <= until) else { return };
        let scope = if node.pool == NONE { Scope::Alone } else { Scope::Node };
        let mut unit = std::mem::take(&mut node.unit);
        while unit.due().0 <= until {
            self.evaluate(&mut unit, scope, &[number], changes);
        }
        if let Some(node) = self.nodes.get_mut(number) {
            node.unit = unit;
        }
    }

    fn run_pool_of(&mut self, number: u32, at: i64, changes: &mut Vec<Change<T>>) {
        if !self.has_pools {
            return;
        }
        let Some(pool) = self.nodes.get(number).map(|node| node.pool).filter(|pool| *pool != NONE) else { return };
        if let Some(pool) = self.nodes.pool_mut(pool).filter(|pool| at < pool.unit.due().0) {
            // It is behind: whoever was before it in the list may have been passed over as idle.
            pool.checked = 0;
        }
        self.run_pool(pool, changes);
    }

    /// Evaluates a pool as far as those of its nodes that are heard of have come.
    fn run_pool(&mut self, number: u32, changes: &mut Vec<Change<T>>) {
        let newest = self.newest.unwrap_or(i64::MIN);
        loop {
            let Some(pool) = self.nodes.pool_mut(number) else { return };
            let due = pool.unit.due().0;
            if due > newest || pool.members.is_empty() {
                return;
            }
            let (mut unit, mut checked) = (std::mem::take(&mut pool.unit), pool.checked);
            let members = std::mem::take(&mut pool.members);
            let (nodes, heard) = (&self.nodes, self.heard);
            let may_be_back = due > newest.saturating_sub(SWEEP_MS);
            let is_waited_for = |member: &u32| {
                let node = nodes.get(*member);
                node.is_some_and(|node| node.last < due && (may_be_back || heard - node.heard <= IDLE_MS))
            };
            while members.get(checked).is_some_and(|member| !is_waited_for(member)) {
                checked += 1;
            }
            let ready = checked >= members.len();
            if ready {
                self.evaluate(&mut unit, Scope::Pool, &members, changes);
                checked = 0;
            }
            if let Some(pool) = self.nodes.pool_mut(number) {
                (pool.unit, pool.members, pool.checked) = (unit, members, checked);
            }
            if !ready {
                return;
            }
        }
    }

    /// Evaluates those that are not heard of up to the newest event time, and forgets those that were silent for too long.
    fn sweep(&mut self, newest: i64, changes: &mut Vec<Change<T>>) {
        let patience = self.rules.patience_ms();
        for number in self.nodes.numbers() {
            let Some(node) = self.nodes.get(number).filter(|node| self.heard - node.heard > IDLE_MS) else { continue };
            let is_old = newest - node.last > patience;
            self.run_node(number, newest.saturating_sub(SWEEP_MS), changes);
            let is_done = |node: &crate::nodes::Node| node.firing == 0 && node.unit.active.is_empty();
            if is_old && self.nodes.get(number).is_some_and(is_done) {
                self.nodes.forget(number);
            }
        }
        if self.has_pools {
            (0..self.nodes.pools().len() as u32).for_each(|pool| self.run_pool(pool, changes));
        }
    }

    /// Makes the next evaluation of a unit.
    fn evaluate(&mut self, unit: &mut Unit, scope: Scope, members: &[u32], changes: &mut Vec<Change<T>>) {
        let (at, group) = unit.due();
        let rules = Arc::clone(&self.rules);
        let Some(group_rules) = rules.groups.get(group) else { return };
        self.recall_before(unit, members, scope, at);
        for rule in group_rules.rules.iter().filter(|rule| scope.has(rule)) {
            self.evaluations += 1;
            let found = evaluate(&rule.plan, Scene { nodes: &self.nodes, members }, at);
            if found.is_empty() && unit.active.is_empty() {
                continue;
            }
            for (key, step) in state::step(&mut unit.active, rule, &found, (at, group_rules.interval_ms)) {
                changes.push(self.change(rule, key, &step, at));
                self.count(rule.number, key, step.more());
            }
        }
        self.recall_after(unit, members, scope, at);
        unit.next[group] = at + group_rules.interval_ms;
    }

    /// Counts alerts that fire, of a rule and of a node.
    fn count(&mut self, rule: u32, key: Key, more: i32) {
        let firing = &mut self.firing[rule as usize];
        *firing = firing.saturating_add_signed(more as isize);
        if let Some(node) = self.nodes.get_mut(key.node) {
            node.firing = node.firing.saturating_add_signed(more);
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
        put("node", self.nodes.name(key.node));
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
