//! From a forecast to a quota: policies and the guard rails round them. Pure: values in, values out, time as an argument.
//!
//! ```text
//! Inputs ─> policy (scale) ─> rails (bounds) ─> Decision (quota, reason, what bound, lease)
//!              ▲                ▲                  │
//!              └──── Before ────┴── InForce        └─> the node's next Before
//! ```

mod control;
mod decision;
mod error;
pub mod headroom;
mod inputs;
mod names;
mod rails;
mod reason;
mod rounding;
pub mod steering;
pub mod threshold;

#[cfg(test)]
mod tests;

pub use control::InForce;
pub use decision::{Decision, Settings, decide};
pub use error::QuotaError;
pub use headroom::Headroom;
pub use inputs::{Before, Figures, Inputs, Resource};
pub use names::{Counted, Mode, PolicyName, UnknownName};
pub use rails::{Bound, Rails};
pub use steering::Prior;
