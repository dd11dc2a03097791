//! From a forecast to a quota: policies and the guard rails round them. Pure: values in, values out, time as an argument.
//!
//! ```text
//! Inputs ─> policy (scale) ─> rails (bounds) ─> Decision (quota, reason, what bound, lease)
//! ```

mod decision;
mod error;
mod rails;
mod reason;
mod steps;
pub mod threshold;

pub use decision::{Decision, Inputs, Resource, Settings, decide, decide_in_steps};
pub use error::QuotaError;
pub use rails::Rails;
pub use steps::{Step, Steps};
