//! The nodes of a partition: their names and pools by number, and their samples.

use std::collections::HashMap;

use promql_parser::label::Matcher;

use crate::labels::NONE;
use crate::rules::Rules;
use crate::samples::Samples;
use crate::series::{Readings, SERIES, Series};
use crate::watch::Unit;

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
    /// Kafka time of its last report.
    pub(crate) heard: i64,
    /// Alerts of it that fire.
    pub(crate) firing: u32,
    /// What is evaluated of it alone.
    pub(crate) unit: Unit,
    /// By the number of the series among those that rules ask for.
    samples: Box<[Samples]>,
    /// By the number of a filter: whether it passes.
    passes: Box<[bool]>,
    gone: bool,
}

/// A pool with the numbers of its nodes, in order.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) name: Box<str>,
    pub(crate) members: Vec<u32>,
    /// What is evaluated of all of them together.
    pub(crate) unit: Unit,
    /// Members before this place are not waited for.
    pub(crate) checked: usize,
}

/// All of them. Numbers of nodes are given again once their node is forgotten.
#[derive(Debug)]
pub(crate) struct Nodes {
    slots: Vec<Node>,
    by_name: HashMap<Box<str>, u32>,
    free: Vec<u32>,
    pools: Vec<Pool>,
    pool_by_name: HashMap<Box<str>, u32>,
    filters: Vec<Vec<Matcher>>,
    /// The place of each series that is kept, and how far back it is looked at.
    kept: [Option<(usize, i64)>; SERIES],
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
        }
    }

    /// Takes the readings of a node; `next` is the oldest event time at which a rule will yet be evaluated of it.
    pub(crate) fn read(&mut self, number: u32, (at, heard): (i64, i64), readings: &Readings, next: i64) {
        let node = &mut self.slots[number as usize];
        (node.last, node.heard) = (at.max(node.last), heard.max(node.heard));
        for (kept, reading) in self.kept.iter().zip(readings) {
            if let (Some((place, depth)), Some(value)) = (kept, reading) {
                node.samples[*place].push(at, *value, next.saturating_sub(*depth));
            }
        }
        self.note_last(number, at, next);
    }

    /// A node was last heard at an event time that no report at hand has.
    pub(crate) fn was_heard(&mut self, number: u32, at: i64) {
        self.slots[number as usize].last = at;
        self.note_last(number, at, at);
    }

    fn note_last(&mut self, number: u32, at: i64, next: i64) {
        if let Some((place, depth)) = self.kept[Series::LastReport as usize] {
            let samples = &mut self.slots[number as usize].samples[place];
            samples.push(at, at as f64 / 1000.0, next.saturating_sub(depth));
        }
    }

    /// The number of a node that is known, in that pool.
    pub(crate) fn known(&self, name: &str, pool: &str) -> Option<u32> {
        let number = *self.by_name.get(name)?;
        (self.pool_name(self.slots[number as usize].pool) == pool).then_some(number)
    }

    /// The number of a node of that name, in whatever pool.
    pub(crate) fn named(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Whether a node has reported of that event time or a later one.
    pub(crate) fn has_heard(&self, name: &str, at: i64) -> bool {
        self.by_name.get(name).is_some_and(|number| self.slots[*number as usize].last >= at)
    }

    /// The number of a node that is new, or known in another pool: then it goes there and begins anew.
    pub(crate) fn add(&mut self, name: &str, pool: &str, unit: Unit) -> u32 {
        let pool_number = self.pool(pool);
        let node = Node {
            name: name.into(),
            pool: pool_number,
            last: i64::MIN / 2,
            heard: i64::MIN / 2,
            firing: 0,
            unit,
            samples: vec![Samples::default(); self.kept.iter().flatten().count()].into_boxed_slice(),
            passes: self.filters.iter().map(|filter| passes(filter, name, pool)).collect(),
            gone: false,
        };
        let known = self.by_name.get(name).copied();
        if let Some(number) = known {
            self.leave_pool(number);
        }
        let number = match known.or_else(|| self.free.pop()) {
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
        if let Some(pool) = self.pools.get_mut(pool_number as usize) {
            let place = pool.members.partition_point(|member| *member < number);
            pool.members.insert(place, number);
            pool.checked = 0;
        }
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
        self.pools.push(Pool { name: name.into(), ..Pool::default() });
        self.pool_by_name.insert(name.into(), number);
        number
    }

    /// The name of a pool.
    pub(crate) fn pool_name(&self, number: u32) -> &str {
        self.pools.get(number as usize).map_or("", |pool| &pool.name)
    }

    pub(crate) fn pool_mut(&mut self, number: u32) -> Option<&mut Pool> {
        self.pools.get_mut(number as usize)
    }

    pub(crate) fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// A node by its number; `None` for no node.
    pub(crate) fn get(&self, number: u32) -> Option<&Node> {
        self.slots.get(number as usize).filter(|node| !node.gone)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Node> {
        self.slots.get_mut(number as usize).filter(|node| !node.gone)
    }

    /// Numbers that nodes have or had.
    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        0..self.slots.len() as u32
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

    /// The name of a node, empty for none: sums are taken in this order, whoever reported first.
    pub(crate) fn name(&self, number: u32) -> &str {
        self.get(number).map_or("", |node| &node.name)
    }

    /// Forgets a node.
    pub(crate) fn forget(&mut self, number: u32) {
        self.leave_pool(number);
        let node = &mut self.slots[number as usize];
        node.gone = true;
        node.samples = Box::default();
        self.by_name.remove(&node.name);
        self.free.push(number);
    }

    fn leave_pool(&mut self, number: u32) {
        let pool = self.slots[number as usize].pool;
        if let Some(pool) = self.pools.get_mut(pool as usize) {
            pool.members.retain(|member| *member != number);
            pool.checked = 0;
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
