//! Whether a request is let through: the quota in force as a rate of requests, asked for one request at a time.
//!
//! ```text
//! quota in force ─ set_quota ─> Admission (Bucket, by crate governor) ─┐
//! request ─> Ask ─ ask ─> Gate (the clock) ────────────────────────────┴─> Verdict ─> fields of an HTTP answer
//!                           │
//!                           ├─> asked for, since the last report ─> Demand ─> load of the report
//!                           └─> RequestCounts (by service) ─> /metrics, counters of the report
//! ```
//!
//! All but `gate` is pure; that one brings the clock. Who serves it, by HTTP or as Envoy's rate limit service, stands above.

mod ask;
mod bucket;
mod counts;
mod demand;
mod fields;
mod gate;
mod level;
mod metrics;
mod rate;

pub use ask::{Ask, AskError, MOST_COST};
pub use bucket::{Bucket, Verdict};
pub use counts::RequestCounts;
pub use demand::Demand;
pub use fields::{POLICY, allowance, limit, policy, retry_after, why};
pub use gate::Gate;
pub use metrics::AdmissionMetrics;
pub use rate::Admission;
