//! The edge agent's parts: what this host uses, which quota holds, and how both are told.
//!
//! ```text
//! host (sysinfo, cgroup files) ─ Reading ─> rates ─ Usage ─> report ─ LoadReport ─> ReportSink
//! QuotaCommand ─> state (newest wins, lease) ─┬─> quota_file (JSON, replaced atomically)
//!                                             └─> metrics
//! ```
//!
//! `cgroup`'s parsers, `rates`, `report` and `state` are pure; the caller's loop brings the clock and Kafka.

mod cgroup;
mod host;
mod limits;
mod metrics;
mod quota_file;
mod rates;
mod report;
mod state;

pub use host::{Capacity, Sampler};
pub use metrics::EdgeMetrics;
pub use quota_file::QuotaFile;
pub use rates::{Cpu, Reading, Usage};
pub use report::{Identity, Reporter};
pub use state::{Applied, EdgeState, InForce};

#[cfg(test)]
pub(crate) use state::tests;
