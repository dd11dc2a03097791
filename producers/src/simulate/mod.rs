//! The simulator: a made-up fleet whose reports come in the order of event time, over all nodes.
//!
//! ```text
//! pool (shared factor, crowds) ─┐
//! demand (own stream, blind) ───┴─> node (serves up to its quota, sheds the rest) ─> LoadReport
//!                                     ▲ apply_quota / apply_command
//! ```
//!
//! Each node has a phase of its own inside the interval, so that reports come evenly. The same options and the same
//! quotas at the same places give the same reports, on every host; a node's demand depends on the seed and the node's
//! number only, not on quotas nor on how many nodes there are.

mod demand;
mod draw;
mod drive;
mod node;
mod options;
mod pool;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use tidegate_schemas::records::{LoadReport, QuotaCommand, QuotaMode};

use crate::error::ProducerError;
use demand::Demand;
use node::{InForce, Node};
use pool::Pool;

pub use drive::{Driven, drive};
pub use options::{DEFAULT_START_MS, FleetOptions};

/// A fleet of simulated nodes.
#[derive(Debug)]
pub struct Fleet {
    options: FleetOptions,
    pools: Vec<Pool>,
    members: Vec<Member>,
    by_id: HashMap<String, usize>,
    /// Members in the order in which they report.
    order: Vec<usize>,
    /// Start of the current interval, Unix ms.
    tick_ms: i64,
    /// Place in `order`.
    at: usize,
}

#[derive(Debug)]
struct Member {
    id: String,
    /// Where in the interval it reports, ms.
    phase_ms: i64,
    demand: Demand,
    node: Node,
}

impl Fleet {
    /// A fleet at its start.
    ///
    /// # Errors
    /// [`ProducerError::Options`] names the option that cannot be.
    pub fn new(options: FleetOptions) -> Result<Self, ProducerError> {
        options.check()?;
        let FleetOptions { nodes, seed, interval_ms, start_ms, pools, .. } = options;
        let pools: Vec<_> = (0..pools).map(|index| Pool::new(seed, index, start_ms, interval_ms)).collect();
        let members: Vec<_> = (0..nodes)
            .map(|index| Member {
                id: format!("node-{index:04}"),
                phase_ms: phase(index, interval_ms),
                demand: Demand::new(seed, index, &pools, interval_ms),
                node: Node::new(seed, index, interval_ms),
            })
            .collect();
        let mut order: Vec<_> = (0..nodes).collect();
        order.sort_by_key(|&index| (members[index].phase_ms, index));
        let by_id = members.iter().enumerate().map(|(index, m)| (m.id.clone(), index)).collect();
        Ok(Self { options, pools, members, by_id, order, tick_ms: start_ms, at: 0 })
    }

    /// What the fleet was made from.
    #[must_use]
    pub fn options(&self) -> &FleetOptions {
        &self.options
    }

    /// Node ids with their pools (empty: the node stands alone), by number.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|m| (m.id.as_str(), m.demand.pool.map_or("", |p| self.pools[p].name.as_str())))
    }

    /// Event time of the next report, Unix ms.
    #[must_use]
    pub fn next_event_ms(&self) -> i64 {
        self.tick_ms + self.members[self.order[self.at]].phase_ms
    }

    /// The next report; event times never go back, and there is always a next one.
    pub fn next_report(&mut self) -> LoadReport {
        let now = self.next_event_ms();
        let member = &mut self.members[self.order[self.at]];
        let pool = member.demand.pool.map(|p| &self.pools[p]);
        let wanted = member.demand.next(now, pool.map(|p| p.at(now)));
        let mut report = LoadReport::new(member.id.as_str(), now, self.options.interval_ms, self.options.base_quota);
        if let Some(pool) = pool {
            report.pool.push_str(&pool.name);
        }
        member.node.measure(&wanted, &mut report);
        self.advance();
        report
    }

    /// Gives a node a quota that holds until a newer one comes, in units of the base quota. `false` where it changes
    /// nothing: the node is unknown, the quota is no finite number of at least 0, or a command as new is in force.
    pub fn apply_quota(&mut self, node_id: &str, quota: f64, sequence: i64) -> bool {
        self.apply(node_id, InForce { quota, sequence, valid_until: i64::MAX, enforced: true })
    }

    /// Gives a node the quota of a command, for as long as its lease holds; a recommendation takes the place of the command
    /// before it, and the base quota holds. `false` as in [`Fleet::apply_quota`].
    pub fn apply_command(&mut self, command: &QuotaCommand) -> bool {
        let QuotaCommand { quota, sequence, valid_until, .. } = *command;
        let enforced = command.mode == QuotaMode::Enforce;
        self.apply(&command.node_id, InForce { quota, sequence, valid_until, enforced })
    }

    fn apply(&mut self, node_id: &str, new: InForce) -> bool {
        let known = self.by_id.get(node_id).filter(|_| new.quota.is_finite() && new.quota >= 0.0);
        known.is_some_and(|&index| self.members[index].node.apply(new))
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.at == self.order.len() {
            self.at = 0;
            self.tick_ms += self.options.interval_ms;
            self.pools.iter_mut().for_each(Pool::advance);
        }
    }
}

/// Node number `index`'s place in the interval: multiples of the golden ratio spread evenly for any number of nodes.
fn phase(index: usize, interval_ms: i64) -> i64 {
    let turn = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((u128::from(turn) * interval_ms.unsigned_abs() as u128) >> 64) as i64
}
