//! The nodes of a partition: their names and pools by number, and their samples.

use std::collections::HashMap;

use promql_parser::label::Matcher;

use crate::labels::{Key, NONE};
use crate::rules::Rules;
use crate::samples::Samples;
use crate::series::{Readings, SERIES, Series};

/// A silent node of which an alert fires is remembered so long, in ms of event time.
pub(crate) const FIRING_SILENCE_MS: i64 = 24 * 3_600_000;

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: Box<str>,
    /// Its pool's number, or [`NONE`].
    pub(crate) pool: u32,
    /// Event time of its last report.
    pub(crate) last: i64,
    /// Alerts of it that fire.
    pub(crate) firing: u32,
    /// By the number of the series among those that rules ask for.
    samples: Box<[Samples]>,
    /// By the number of a filter: whether it passes.
    passes: Box<[bool]>,
    gone: bool,
}

/// All of them. Numbers of nodes are given again once their node is forgotten.
#[derive(Debug)]
pub(crate) struct Nodes {
    slots: Vec<Node>,
    by_name: HashMap<Box<str>, u32>,
    free: Vec<u32>,
    pools: Vec<Box<str>>,
    pool_by_name: HashMap<Box<str>, u32>,
    filters: Vec<Vec<Matcher>>,
    /// The place of each series that is kept, and how far back it is looked at.
    kept: [Option<(usize, i64)>; SERIES],
    /// Each node's place in the order of names, where it is known.
    ranks: Option<Vec<u32>>,
}

impl Nodes {
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut kept = [None; SERIES];
        let depths = rules.depth_ms.iter().enumerate().filter_map(|(series, depth)| Some((series, (*depth)?)));
        for (place, (series, depth)) in depths.enumerate() {
            kept[series] = Some((place, depth));
        }
        Self {
            slots: Vec::new(),
            by_name: HashMap::new(),
            free: Vec::new(),
            pools: Vec::new(),
            pool_by_name: HashMap::new(),
            filters: rules.filters.clone(),
            kept,
            ranks: None,
        }
    }

    /// Takes a report of a node; `next` is the oldest event time at which a rule will yet be evaluated.
    pub(crate) fn report(&mut self, (name, pool): (&str, &str), at: i64, readings: &Readings, next: i64) -> u32 {
        let number = self.number(name, pool);
        let Node { samples, last, .. } = &mut self.slots[number as usize];
        *last = at.max(*last);
        for (kept, reading) in self.kept.iter().zip(readings) {
            if let (Some((place, depth)), Some(value)) = (kept, reading) {
                samples[*place].push(at, *value, next - depth);
            }
        }
        if let Some((place, depth)) = self.kept[Series::LastReport as usize] {
            samples[place].push(at, at as f64 / 1000.0, next - depth);
        }
        number
    }

    /// Whether a node has reported of that event time or a later one.
    pub(crate) fn has_heard(&self, name: &str, at: i64) -> bool {
        self.by_name.get(name).is_some_and(|number| self.slots[*number as usize].last >= at)
    }

    /// A node was last heard at an event time that no report at hand has.
    pub(crate) fn report_of_old(&mut self, number: u32, at: i64) {
        let node = &mut self.slots[number as usize];
        node.last = at;
        if let Some((place, depth)) = self.kept[Series::LastReport as usize] {
            node.samples[place].push(at, at as f64 / 1000.0, at - depth);
        }
    }

    /// The number of a node, which is new or known; one that went to another pool begins anew.
    pub(crate) fn number(&mut self, name: &str, pool: &str) -> u32 {
        let known = self.by_name.get(name).copied();
        if let Some(number) = known
            && self.pool_name(self.slots[number as usize].pool) == pool
        {
            return number;
        }
        let pool_number = self.pool(pool);
        let passes = self.filters.iter().map(|filter| passes(filter, name, pool)).collect();
        if let Some(number) = known {
            let node = &mut self.slots[number as usize];
            (node.pool, node.passes) = (pool_number, passes);
            node.samples.iter_mut().for_each(Samples::clear);
            return number;
        }
        let samples = vec![Samples::default(); self.kept.iter().flatten().count()].into_boxed_slice();
        let node =
            Node { name: name.into(), pool: pool_number, last: i64::MIN / 2, firing: 0, samples, passes, gone: false };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = node;
                number
            }
            None => {
                self.slots.push(node);
                self.slots.len() as u32 - 1
            }
        };
        self.by_name.insert(name.into(), number);
        self.ranks = None;
        number
    }

    /// The number of a pool; an empty name is no pool.
    pub(crate) fn pool(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return NONE;
        }
        if let Some(number) = self.pool_by_name.get(name) {
            return *number;
        }
        let number = self.pools.len() as u32;
        self.pools.push(name.into());
        self.pool_by_name.insert(name.into(), number);
        number
    }

    /// The name of a pool.
    pub(crate) fn pool_name(&self, number: u32) -> &str {
        self.pools.get(number as usize).map_or("", |name| name)
    }

    /// A node by its number; `None` for no node.
    pub(crate) fn get(&self, number: u32) -> Option<&Node> {
        self.slots.get(number as usize).filter(|node| !node.gone)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Node> {
        self.slots.get_mut(number as usize).filter(|node| !node.gone)
    }

    /// Numbers and nodes, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Node)> {
        (0..).zip(&self.slots).filter(|(_, node)| !node.gone)
    }

    /// Nodes that are known.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The samples of a node that a rule asks for, and how long the last counts.
    pub(crate) fn samples<'n>(&self, node: &'n Node, series: Series) -> Option<(&'n Samples, i64)> {
        let (place, _) = self.kept[series as usize]?;
        let remembered = series == Series::LastReport && node.firing > 0;
        Some((&node.samples[place], if remembered { FIRING_SILENCE_MS } else { series.lookback_ms() }))
    }

    /// Puts the ranks right before an evaluation: sums are taken in the order of names, whoever reported first.
    pub(crate) fn rank(&mut self) {
        if self.ranks.is_none() {
            let mut order: Vec<u32> = self.iter().map(|(number, _)| number).collect();
            order.sort_by(|a, b| self.slots[*a as usize].name.cmp(&self.slots[*b as usize].name));
            let mut ranks = vec![NONE; self.slots.len()];
            for (rank, number) in (0..).zip(order) {
                ranks[number as usize] = rank;
            }
            self.ranks = Some(ranks);
        }
    }

    /// The place of what has these labels in the order of names.
    pub(crate) fn rank_of(&self, key: Key) -> (u32, &str, Option<Series>) {
        let rank = self.ranks.as_ref().and_then(|ranks| ranks.get(key.node as usize)).copied();
        (rank.unwrap_or(NONE), self.pool_name(key.pool), key.own)
    }

    /// Forgets nodes that have been silent for longer than `patience_ms` by `now`, those in `held` excepted.
    pub(crate) fn forget(&mut self, now: i64, patience_ms: i64, held: impl Fn(u32) -> bool) {
        for number in 0..self.slots.len() as u32 {
            let node = &mut self.slots[number as usize];
            if node.gone || now.saturating_sub(node.last) <= patience_ms || held(number) {
                continue;
            }
            node.gone = true;
            node.samples = Box::default();
            self.by_name.remove(&node.name);
            self.free.push(number);
            self.ranks = None;
        }
    }
}

fn passes(filter: &[Matcher], name: &str, pool: &str) -> bool {
    filter.iter().all(|matcher| matcher.is_match(if matcher.name == "node" { name } else { pool }))
}

impl Node {
    pub(crate) fn passes(&self, filter: Option<usize>) -> bool {
        filter.is_none_or(|filter| self.passes[filter])
    }
}
