//! What a node is asked to do: its demand over time, drawn from its own stream and its pool's, blind to any quota.
//!
//! ```text
//! level × day × week × drift + pool's factor and crowd + own crowd + job + noise (heavy tails), × warm-up after a restart
//! ```

use super::draw::{Draws, Wander};
use super::pool::{Point, Pool, crowd};
use super::shape::{self, Crowd, Job, MINUTE_MS, smooth};

/// A node meets a crowd of its own once in so many hours.
const CROWD_EVERY_H: f64 = 12.0;
/// A node restarts once in so many hours.
const RESTART_EVERY_H: f64 = 30.0;
const HOUR_MS: f64 = 60.0 * MINUTE_MS;
/// Seven nodes in ten belong to a pool.
const IN_A_POOL: f64 = 0.7;

/// What a node is asked to do in one interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// CPU demand, fraction of the base quota, ≥ 0.
    pub(crate) cpu: f64,
    /// How far it is up: 0 = down, 1 = warm.
    pub(crate) up: f64,
    /// It went down in this interval: its counters begin anew.
    pub(crate) restarted: bool,
    /// Disk work beside the usual, fraction of the disk's usual rate.
    pub(crate) disk: f64,
}

/// The demand of one node.
#[derive(Debug)]
pub(crate) struct Demand {
    draws: Draws,
    interval_ms: i64,
    /// Its pool, as an index; `None`: it stands alone.
    pub(crate) pool: Option<usize>,
    local_offset: i64,
    level: f64,
    day: f64,
    pool_weight: f64,
    noise: f64,
    job: Option<Job>,
    drift: Wander,
    quick: Wander,
    crowd: Option<Crowd>,
    restart: Option<Restart>,
}

#[derive(Debug, Clone, Copy)]
struct Restart {
    begins: i64,
    down: f64,
    warm_up: f64,
}

impl Demand {
    /// The demand of node number `index`; all that it is stays fixed by the seed and this number.
    pub(crate) fn new(seed: u64, index: usize, pools: &[Pool], interval_ms: i64) -> Self {
        let mut draws = Draws::new(seed, index as u64);
        let step_s = interval_ms as f64 / 1000.0;
        let (pooled, which) = (draws.chance(IN_A_POOL), draws.unit());
        let pool = (pooled && !pools.is_empty()).then_some((which * pools.len() as f64) as usize);
        let own_offset = draws.pick(&[-8, -5, 0, 1, 5, 8]) * 3_600_000;
        Self {
            pool,
            local_offset: pool.map_or(own_offset, |p| pools[p].local_offset),
            level: draws.between(0.2, 0.68),
            day: draws.between(0.15, 0.55),
            pool_weight: draws.between(0.5, 1.0),
            noise: draws.between(0.015, 0.06),
            job: job(&mut draws),
            drift: Wander::new(step_s, 5.0 * 3600.0, &mut draws),
            quick: Wander::new(step_s, 240.0, &mut draws),
            crowd: None,
            restart: None,
            interval_ms,
            draws,
        }
    }

    /// The demand of the interval that ends at `now`, with what its pool meets then. Called once an interval, in order.
    pub(crate) fn next(&mut self, now: i64, shared: Option<Point>) -> Wanted {
        let local = now + self.local_offset;
        let drift = 1.0 + 0.12 * self.drift.step(&mut self.draws);
        let usual = self.level * (1.0 + self.day * shape::day(local)) * shape::week(local) * drift;
        let pool = shared.map_or(0.0, |p| self.pool_weight * (0.05 * p.factor + p.crowd));
        let wander = 0.03 * self.quick.step(&mut self.draws);
        let noise = self.noise * self.draws.heavy();
        let job = self.job.as_ref().map_or(0.0, |j| j.at(now));
        let own = self.own_crowd(now);
        let (up, restarted) = self.uptime(now);
        let cpu = (usual + pool + wander + noise + own).max(0.01) + job;
        Wanted { cpu: cpu * up, up, restarted, disk: 3.0 * job + 0.1 * self.draws.unit() }
    }

    fn happens(&mut self, every_hours: f64) -> bool {
        self.draws.chance(self.interval_ms as f64 / (every_hours * HOUR_MS))
    }

    fn own_crowd(&mut self, now: i64) -> f64 {
        if self.happens(CROWD_EVERY_H) && self.crowd.is_none() {
            self.crowd = Some(crowd(&mut self.draws, now));
        }
        let added = self.crowd.as_ref().and_then(|c| c.at(now));
        if added.is_none() {
            self.crowd = None;
        }
        added.unwrap_or(0.0)
    }

    /// How far the node is up, and whether it went down just now.
    fn uptime(&mut self, now: i64) -> (f64, bool) {
        let falls = self.happens(RESTART_EVERY_H) && self.restart.is_none();
        if falls {
            // Down for an interval at least, so that one report shows it.
            let down = (self.draws.between(20.0, 90.0) * 1000.0).max(self.interval_ms as f64);
            let warm_up = self.draws.between(1.0, 5.0) * MINUTE_MS;
            self.restart = Some(Restart { begins: now, down, warm_up });
        }
        let Some(restart) = self.restart else { return (1.0, false) };
        let warm = ((now - restart.begins) as f64 - restart.down) / restart.warm_up;
        if warm >= 1.0 {
            self.restart = None;
        }
        (smooth(warm), falls)
    }
}

/// Half of the nodes have a job of 5 minutes to 2 hours, started at a fixed time of each period.
fn job(draws: &mut Draws) -> Option<Job> {
    let has_one = draws.chance(0.5);
    let period = draws.pick(&[5.0, 10.0, 15.0, 30.0, 60.0, 120.0]) * MINUTE_MS;
    let job = Job {
        period: period as i64,
        offset: (draws.unit() * period) as i64,
        length: (draws.between(0.1, 0.35) * period).clamp(MINUTE_MS, 20.0 * MINUTE_MS),
        height: draws.between(0.05, 0.25),
    };
    has_one.then_some(job)
}
