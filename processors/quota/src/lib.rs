//! From a forecast to a quota: policies and the guard rails round them. Pure: values in, values out, time as an argument.
//!
//! ```text
//! Inputs ─> policy (scale) ─> rails (bounds) ─> Decision (quota, reason, what bound, lease)
//! ```

mod control;
mod decision;
mod error;
mod rails;
mod reason;
pub mod threshold;

pub use control::{InForce, Mode, PolicyName};
pub use decision::{Decision, Inputs, Resource, Settings, decide};
pub use error::QuotaError;
pub use rails::{Bound, Rails};
