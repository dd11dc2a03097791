//! Expressions: PromQL read by `promql-parser`, held against what is supported, and evaluated.
//!
//! ```text
//! text ─> promql_parser::parse ─> compile.rs ─> Plan ─> evaluate.rs at an event time ─> Found (numbers with their labels)
//! ```
//!
//! Meaning is that of Prometheus 2.42, the version whose `promtool` the tests hold it against: a range `[5m]` takes samples at both of
//! its ends, and a sample counts for exactly 5 minutes. (Prometheus 3 leaves out the old end of both.)

mod aggregate;
mod binary;
mod compile;
mod durations;
mod evaluate;
mod over_time;
mod plan;
mod text;

pub(crate) use compile::Compiler;
pub(crate) use evaluate::{Found, Scene, evaluate};
pub(crate) use plan::Plan;

/// How long a sample counts where nothing newer came.
pub(crate) const LOOKBACK_MS: i64 = 300_000;
