//! What a mapping says: which series are a node's CPU, memory, requests and base quota, and which labels name it. Pure.
//!
//! ```text
//! TOML files, presets ─ parse ─> kinds of nodes, each with its rules ─ by metric ─> Match: kind, rule, node id, pool
//! ```
//!
//! A kind of node is a `[[node]]` table; its `[[node.series]]` are the rules. Envoy's buckets have `[[bucket]]` tables.

mod file;
mod matcher;
mod presets;
pub(crate) mod template;

use std::collections::HashMap;

use crate::Labels;
use crate::buckets::{Bucket, Rule, find};
use crate::error::SamplesError;
pub use file::{Measure, Reading};
use file::{NodeTable, SeriesTable};
use template::Template;

pub use presets::NAMES as PRESETS;

/// Bytes of a node id or a pool at most, as reports have it.
const MOST_NAME_BYTES: usize = 255;

/// One or more mappings together.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    kinds: Vec<Kind>,
    by_metric: HashMap<String, Vec<(usize, usize)>>,
    buckets: Vec<Rule>,
    replica_labels: Vec<String>,
    failover_ms: i64,
}

/// A kind of node.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    id: Template,
    pool: Option<Template>,
    pub(crate) base_quota: Option<f64>,
    pub(crate) interval_ms: Option<i64>,
    pub(crate) rules: Vec<SeriesTable>,
}

/// What a series is to a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match {
    /// Which kind of node.
    pub(crate) kind: usize,
    /// Which of its rules.
    pub(crate) rule: usize,
    pub(crate) node_id: String,
    pub(crate) pool: String,
}

impl Mapping {
    /// A preset by its name.
    ///
    /// # Errors
    /// [`SamplesError::Mapping`] names those that there are.
    pub fn preset(name: &str) -> Result<Self, SamplesError> {
        match presets::text(name) {
            Some(text) => Self::parse(name, text),
            None => Err(SamplesError::Mapping {
                name: name.into(),
                message: format!("there is no such preset; there are {}", PRESETS.join(", ")),
            }),
        }
    }

    /// A file's text.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(name: &str, text: &str) -> Result<Self, SamplesError> {
        let wrong = |message| SamplesError::Mapping { name: name.into(), message };
        let file = file::File::parse(text).map_err(wrong)?;
        let mut mapping =
            Self { failover_ms: file.failover_ms(), replica_labels: file.replica_labels, ..Self::default() };
        for table in file.node {
            mapping.kinds.push(Kind::of(table).map_err(wrong)?);
        }
        mapping.buckets = file.bucket.into_iter().map(Rule::of).collect::<Result<_, _>>().map_err(wrong)?;
        mapping.index();
        Ok(mapping)
    }

    /// This and another one: a series may be of use to both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.kinds.extend(other.kinds);
        self.buckets.extend(other.buckets);
        self.failover_ms = self.failover_ms.max(other.failover_ms);
        self.replica_labels.extend(other.replica_labels);
        self.replica_labels.sort_unstable();
        self.replica_labels.dedup();
        self.index();
        self
    }

    fn index(&mut self) {
        self.by_metric.clear();
        for (kind, of) in self.kinds.iter().enumerate() {
            for (rule, of) in of.rules.iter().enumerate() {
                self.by_metric.entry(of.metric.clone()).or_default().push((kind, rule));
            }
        }
    }

    /// What a quota bucket is; `None` where no table fits it.
    #[must_use]
    pub fn bucket<'a>(&self, domain: &'a str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Bucket> {
        find(&self.buckets, domain, pairs)
    }

    pub(crate) fn kind(&self, kind: usize) -> Option<&Kind> {
        self.kinds.get(kind)
    }

    /// Labels that only tell which of several senders it was.
    pub(crate) fn replica_labels(&self) -> &[String] {
        &self.replica_labels
    }

    /// How long the sender of a series must be silent before another is believed.
    pub(crate) fn failover_ms(&self) -> i64 {
        self.failover_ms
    }

    /// What a series is of use to; its replica labels are gone already.
    ///
    /// # Errors
    /// A name that is too long for a node or a pool.
    pub(crate) fn matches(&self, labels: &Labels<'_>) -> Result<Vec<Match>, String> {
        let mut found = Vec::new();
        for (kind, rule) in self.by_metric.get(labels.metric()).into_iter().flatten() {
            let of = &self.kinds[*kind];
            if !of.rules[*rule].fits(labels) {
                continue;
            }
            let Some(node_id) = of.id.render(labels) else { continue };
            let pool = of.pool.as_ref().and_then(|pool| pool.render(labels)).unwrap_or_default();
            if node_id.len().max(pool.len()) > MOST_NAME_BYTES {
                return Err(format!("the name of a node or a pool is longer than {MOST_NAME_BYTES} bytes"));
            }
            found.push(Match { kind: *kind, rule: *rule, node_id, pool });
        }
        Ok(found)
    }
}

impl Kind {
    fn of(table: NodeTable) -> Result<Self, String> {
        let id = table.id.clone();
        let has = |measure| table.series.iter().any(|rule| rule.is == measure);
        let share = |direct, used: &[Measure], capacity| has(direct) || (used.iter().any(|u| has(*u)) && has(capacity));
        let cpu = share(Measure::Cpu, &[Measure::CpuUsed], Measure::CpuCapacity);
        let memory_used = [Measure::MemoryUsed, Measure::MemoryAvailable];
        if !cpu && !share(Measure::Memory, &memory_used, Measure::MemoryCapacity) {
            return Err(format!(
                "the node {id:?} has no cpu and no memory: give one of them, or what is used and the capacity"
            ));
        }
        if table.base_quota.is_none() && !has(Measure::BaseQuota) && !has(Measure::CpuCapacity) {
            return Err(format!(
                "the node {id:?} has no base quota: give base_quota, or series of base_quota or cpu_capacity"
            ));
        }
        Ok(Self {
            id: Template::parse(&table.id)?,
            pool: table.pool.as_deref().map(Template::parse).transpose()?,
            base_quota: table.base_quota,
            interval_ms: table.interval_s.map(|s| i64::from(s) * 1000),
            rules: table.series,
        })
    }
}

#[cfg(test)]
mod tests;
