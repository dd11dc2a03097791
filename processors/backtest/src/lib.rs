//! Recorded load through the production stages, and what came of it in figures.
//!
//! ```text
//! reports ─► Runner (ForecastStage ─► QuotaStage, one or several) ─► Decided ─┬─► Measures ─► Report
//!                                                                            ├─► predictions (CSV rows)
//!                                                                            └─► Comparison (what-if)
//! ```
//!
//! There is no second path: what decides here is what decides in production, so a command is the same, byte for byte. Pure: no
//! I/O, no clock; all figures follow from the reports.

pub mod compare;
mod demand;
pub mod html;
mod measure;
pub mod predictions;
mod report;
mod runner;

pub use measure::{Measures, Options, Trace, TracePoint};
pub use report::{
    ByForecaster, ByResource, ForecastErrors, LinearReport, MeanError, NodeReport, PeakErrors, PolicyReport, Report,
};
pub use runner::{Decided, Dropped, Input, Runner, made_up};

/// How far a decision is held against what came: 5 minutes, in milliseconds.
pub const HORIZON_MS: i64 = tidegate_forecast::HORIZON_MS;
