//! Why a node got a quota: one command, explained from the log that led to it.
//!
//! ```text
//! records of the topics ─► Evidence (sorted by what they are) ─► Case (one command, its forecast, its stretch of load)
//!        Case ─► the production stages once more ─► Explanation: what was seen, said and decided; reproduced or not
//! a fingerprint ─► Search ─► Alarm: the node to explain, and the moment
//! ```
//!
//! The stages are those of production, so an explanation is the decision itself and not a second one. A decision depends on a
//! bounded stretch of the node's reports, the command before it and the controls, so that is all that a case holds. Pure:
//! whoever calls reads topics and recordings.

mod alerts;
mod case;
mod compare;
mod error;
mod evidence;
mod explanation;
mod held;
mod recompute;
mod steps;

pub use alerts::{AROUND_MS, Alarm, AlertState, AlertView, Search};
pub use case::{Case, Wanted, reach};
pub use error::ExplainError;
pub use evidence::Evidence;
pub use explanation::{
    ByResource, Decided, Difference, Explanation, Position, Reproduced, Said, Saw, StepView, Stretch, WhatModelSaid,
};
pub use recompute::Stages;
