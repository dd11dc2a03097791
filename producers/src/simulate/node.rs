//! One simulated node: it serves what its quota allows, sheds the rest, and reports what an edge agent would measure.

use tidegate_schemas::records::LoadReport;

use super::demand::Wanted;
use super::draw::Draws;

/// Streams of measurements are numbered from here: apart from those of demand, which no quota may touch.
const FIRST_STREAM: u64 = 1 << 62;

/// A quota that the node obeys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct InForce {
    pub(crate) quota: f64,
    pub(crate) sequence: i64,
    /// End of the lease, Unix ms; after it the node falls back to its base quota.
    pub(crate) valid_until: i64,
    /// Whether the node obeys it; else it is a recommendation, and the base quota holds.
    pub(crate) enforced: bool,
}

/// The measuring side of a node.
#[derive(Debug)]
pub(crate) struct Node {
    draws: Draws,
    quota: Option<InForce>,
    memory: f64,
    memory_idle: f64,
    memory_per_cpu: f64,
    /// Memory that leaks, fraction of the base quota in an hour.
    leak: f64,
    leaked: f64,
    /// Share of the way to its target that memory goes in an interval.
    memory_step: f64,
    requests_per_s: f64,
    error_rate: f64,
    bytes_in: f64,
    bytes_out: f64,
    disk_rate: f64,
    arrived: f64,
    failed: f64,
}

impl Node {
    /// Node number `index`.
    pub(crate) fn new(seed: u64, index: usize, interval_ms: i64) -> Self {
        let mut draws = Draws::new(seed, FIRST_STREAM + index as u64);
        let memory_idle = draws.between(0.06, 0.3);
        let memory_lag_s = draws.between(180.0, 1200.0);
        let step_s = interval_ms as f64 / 1000.0;
        Self {
            quota: None,
            memory: memory_idle + 0.15,
            memory_idle,
            memory_per_cpu: draws.between(0.2, 0.7),
            leak: (draws.between(-0.02, 0.01)).max(0.0),
            leaked: 0.0,
            memory_step: step_s / (step_s + memory_lag_s),
            requests_per_s: draws.between(40.0, 1500.0),
            error_rate: draws.between(0.0, 0.002),
            bytes_in: draws.between(500.0, 8_000.0),
            bytes_out: draws.between(2_000.0, 60_000.0),
            disk_rate: draws.between(50_000.0, 5_000_000.0),
            arrived: 0.0,
            failed: 0.0,
            draws,
        }
    }

    /// Takes a quota over; `false` where it is no newer than the one in force.
    pub(crate) fn apply(&mut self, new: InForce) -> bool {
        let newer = self.quota.is_none_or(|old| new.sequence > old.sequence);
        if newer {
            self.quota = Some(new);
        }
        newer
    }

    /// Serves one interval and writes what was measured to `report`, whose node, time and base quota are set.
    pub(crate) fn measure(&mut self, wanted: &Wanted, report: &mut LoadReport) {
        let in_force = self.quota.filter(|q| q.enforced && report.timestamp <= q.valid_until);
        let cap = in_force.map_or(1.0, |q| q.quota / report.base_quota);
        let seconds = report.interval_ms as f64 / 1000.0;
        if wanted.restarted {
            (self.arrived, self.failed, self.leaked) = (0.0, 0.0, 0.0);
            self.memory = self.memory_idle * 0.5;
        }
        let served = wanted.cpu.min(cap);
        let rate = served * self.requests_per_s;
        let shed = (wanted.cpu - served) * self.requests_per_s;
        self.arrived += (rate + shed) * seconds;
        self.failed += (rate * self.error_rate + shed) * seconds;
        let jitter = 0.9 + 0.2 * self.draws.unit();
        report.cpu = Some(capped(served, cap));
        report.memory = Some(capped(self.remember(served, wanted.up, seconds), cap));
        report.net_in = Some((rate * self.bytes_in * jitter).round());
        report.net_out = Some((rate * self.bytes_out * jitter).round());
        report.disk_io = Some((self.disk_rate * (served + wanted.disk) * wanted.up * jitter).round());
        report.requests_total = Some(self.arrived as i64);
        report.requests_failed_total = Some(self.failed as i64);
        report.quota_in_force = in_force.map(|q| q.quota);
        report.quota_sequence = in_force.map(|q| q.sequence);
    }

    /// Memory follows the load served, slowly, and leaks.
    fn remember(&mut self, served: f64, up: f64, seconds: f64) -> f64 {
        self.leaked += self.leak * seconds / 3600.0;
        let target = self.memory_idle * (0.5 + 0.5 * up) + self.memory_per_cpu * served + self.leaked;
        self.memory += self.memory_step * (target - self.memory);
        (self.memory + 0.002 * self.draws.normal()).max(0.0)
    }
}

/// Rounds to 1e-4, and never above the cap.
fn capped(load: f64, cap: f64) -> f64 {
    let rounded = (load.min(cap) * 1e4).round() / 1e4;
    if rounded > cap { (cap * 1e4).floor() / 1e4 } else { rounded }
}
