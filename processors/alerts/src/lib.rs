//! Alert rules over the stream: Prometheus' rule files, and their meaning, in event time.
//!
//! ```text
//! rule file ─> yaml ─> file ─┬─> expr (PromQL ─> Plan)  ─┐
//!                            └─> template               ─┴─> Rules
//! reports ─> Watch ─> nodes, samples ─> at each event time on a group's grid: expr::evaluate ─> pending, firing, resolved ─> Change
//! ```
//!
//! Pure: no I/O and no clock; time is the event time of the reports. The same reports in the same order give the same changes,
//! whatever was forgotten and read again in between.

mod duration;
mod error;
mod expr;
mod file;
mod labels;
mod nodes;
#[cfg(test)]
mod refusals;
mod rules;
mod samples;
mod series;
mod template;
mod watch;
mod yaml;

pub use error::{AlertsError, Place, Problem};
pub use labels::{Labels, fingerprint};
pub use rules::{DEFAULT_FILE, Rules};
pub use series::{ABOUT, Readings, SERIES, SILENCE_MS, Series};
pub use watch::{Change, IDLE_MS, Recalled, Report, Watch};
