//! The edge agent's parts: what this host uses, which quota holds, and how both are told.
//!
//! ```text
//! host (sysinfo, cgroup files) ─ Reading ─> rates ─ Usage ─> report ─ LoadReport ─> ReportSink
//! QuotaCommand ─> state (newest wins; lease; local policy) ─┬─> quota_file ─┐
//!                                                           ├─> cache ──────┴─> replaced_file
//!                                                           └─> metrics
//! quota in force ─> group_limit ─> cpu.max, memory.high of a control group
//! LoadReport ─> outbox (until a gateway acknowledges) <─ breaker (whether the way to it is tried)
//! ```
//!
//! `cgroup`'s parsers, `rates`, `report`, `lease`, `local`, `state`, `breaker` and `outbox` are pure; the caller's loop brings the clock and Kafka.

mod breaker;
mod cache;
mod cgroup;
mod group_limit;
mod host;
mod lease;
mod limits;
mod local;
mod metrics;
mod outbox;
mod quota_file;
mod rates;
mod replaced_file;
mod report;
mod state;

pub use breaker::{Breaker, BreakerState, Permission, Transition};
pub use cache::CacheFile;
pub use group_limit::{GroupLimit, GroupUnits};
pub use host::{Capacity, Sampler};
pub use lease::{Heard, Moment};
pub use local::LocalPolicy;
pub use metrics::EdgeMetrics;
pub use outbox::{Outbox, Parcel};
pub use quota_file::QuotaFile;
pub use rates::{Cpu, Reading, Usage};
pub use report::{Identity, Reporter};
pub use state::{Applied, EdgeState, InForce, Saved, Source};

#[cfg(test)]
pub(crate) use state::tests;
