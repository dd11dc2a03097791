//! The sums over a node's series, and the report that they make.

use tidegate_schemas::records::LoadReport;

use crate::mapping::{Kind, Measure};

/// Sums by measure.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Values([Option<f64>; 13]);

/// What a report is made of beside its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) node_id: &'a str,
    pub(super) pool: &'a str,
    pub(super) timestamp: i64,
    pub(super) interval_ms: i64,
    /// Requests, and those that failed, since the node was first seen.
    pub(super) totals: [Option<f64>; 2],
}

impl Values {
    /// Adds a series' value.
    pub(super) fn add(&mut self, measure: Measure, value: f64) {
        let sum = &mut self.0[measure as usize];
        *sum = Some(sum.unwrap_or(0.0) + value);
    }

    fn of(&self, measure: Measure) -> Option<f64> {
        self.0[measure as usize]
    }

    /// The report; `None` where there is neither CPU nor memory, or no base quota.
    pub(super) fn report(&self, kind: &Kind, frame: Frame<'_>) -> Option<LoadReport> {
        let capacity = |measure| self.of(measure).filter(|value| *value > 0.0);
        let cpu_capacity = capacity(Measure::CpuCapacity);
        let cpu = self.of(Measure::Cpu).or_else(|| Some(self.of(Measure::CpuUsed)? / cpu_capacity?));
        let memory = self.of(Measure::Memory).or_else(|| {
            let all = capacity(Measure::MemoryCapacity)?;
            let used = self.of(Measure::MemoryUsed).or_else(|| Some(all - self.of(Measure::MemoryAvailable)?))?;
            Some((used / all).max(0.0))
        });
        let millis = cpu_capacity.map(|cores| cores * 1000.0);
        let base_quota = capacity(Measure::BaseQuota).or(kind.base_quota).or(millis)?;
        if cpu.is_none() && memory.is_none() {
            return None;
        }
        let share = |value: f64| (value * 1e4).round() / 1e4;
        let whole = |measure| self.of(measure).map(f64::round);
        let count = |value: f64| value.round() as i64;
        Some(LoadReport {
            pool: frame.pool.into(),
            cpu: cpu.map(share),
            memory: memory.map(share),
            net_in: whole(Measure::NetIn),
            net_out: whole(Measure::NetOut),
            disk_io: whole(Measure::DiskIo),
            requests_total: frame.totals[0].map(count),
            requests_failed_total: frame.totals[1].map(count),
            ..LoadReport::new(frame.node_id, frame.timestamp, frame.interval_ms, base_quota)
        })
    }
}
