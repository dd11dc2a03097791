//! Was there more demand than quota?
//!
//! Load shows what was served. Where a node counts its requests, the demand behind it is
//! `load × Δrequests / (Δrequests − Δfailed)`, Δ being the growth since the node's last report; elsewhere it is the load. A
//! report whose demand cannot be told is left out: nothing measured, the first one with counters, or every request failed.

use tidegate_schemas::records::LoadReport;

use super::{ViolationsPercent, rounded};

/// Records carry four decimals, so a load that sits exactly on the quota may stand this far above it.
const ROUNDING: f64 = 1e-4;

/// Request counters of one report.
#[derive(Debug, Clone, Copy)]
struct Requests {
    total: i64,
    failed: i64,
}

/// One node's counters at its last report.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<Requests>,
}

/// Reports above their quotas, over the whole fleet.
#[derive(Debug, Default)]
pub(super) struct Shares {
    told: u64,
    above_base: u64,
    above_quota: u64,
}

impl Meter {
    pub(super) fn report(&mut self, report: &LoadReport, shares: &mut Shares) {
        let Some(demand) = self.demand(report) else { return };
        let quota = report.quota_in_force.unwrap_or(report.base_quota) / report.base_quota;
        shares.told += 1;
        shares.above_base += u64::from(demand > 1.0 + ROUNDING);
        shares.above_quota += u64::from(demand > quota + ROUNDING);
    }

    /// Demand as a fraction of the base quota; `None`: it cannot be told.
    fn demand(&mut self, report: &LoadReport) -> Option<f64> {
        let now = match (report.requests_total, report.requests_failed_total) {
            (Some(total), Some(failed)) => Some(Requests { total, failed }),
            _ => None,
        };
        let last = std::mem::replace(&mut self.last, now);
        if report.cpu.is_none() && report.memory.is_none() {
            return None;
        }
        let Some(now) = now else { return Some(report.load()) };
        let grown = now.since(last?);
        let served = grown.total.checked_sub(grown.failed)?;
        match grown.total {
            0 => Some(report.load()),
            total if served > 0 && grown.failed >= 0 => Some(report.load() * total as f64 / served as f64),
            _ => None,
        }
    }
}

impl Requests {
    /// Growth since `last`; counters that went down began again at 0.
    fn since(self, last: Self) -> Self {
        if self.total < last.total || self.failed < last.failed {
            return self;
        }
        Self { total: self.total.saturating_sub(last.total), failed: self.failed.saturating_sub(last.failed) }
    }
}

impl Shares {
    pub(super) fn percent(&self) -> ViolationsPercent {
        let percent = |above: u64| (self.told > 0).then(|| rounded(100.0 * above as f64 / self.told as f64));
        ViolationsPercent { fixed: percent(self.above_base), tidegate: percent(self.above_quota) }
    }
}
