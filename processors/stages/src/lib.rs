//! Thin adapters between topics and the pure cores: records in, values to the core, records out.
//!
//! ```text
//! load ─> ForecastStage (tidegate-forecast) ─> forecasts ─> QuotaStage (tidegate-quota) ─> quotas
//!                                               controls ─> ControlTable ──┘
//!                                           └─> AlertsStage (tidegate-alerts) ─> alerts
//! ```
//!
//! No Kafka, no clock: the driver in `tidegate-broker` carries the stages, and so does a test over a recorded file.

mod alerts;
mod checked;
mod checkpoints;
mod controls;
mod forecast;
mod forecast_metrics;
mod nodes;
mod prior;
mod quota;
mod quota_metrics;
mod readings;

pub use alerts::{AlertsStage, Firing};
pub use controls::ControlTable;
pub use forecast::{ForecastStage, sample};
pub use forecast_metrics::ForecastErrors;
pub use prior::primed;
pub use quota::QuotaStage;
pub use quota_metrics::QuotaMetrics;
