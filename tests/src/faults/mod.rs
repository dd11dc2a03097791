//! The fault suite: the built binary on three real brokers, harmed in every way that Kafka's users meet, and a judge that
//! does not trust our own bookkeeping.
//!
//! ```text
//! seed ─> schedule ─> lanes ─> inject ─┐ harm, and whether it came about
//!                                      ▼
//! sender ─> load ─> tidegate run ×3 ─> forecasts, quotas ─> tidegate run deliver ─> webhook, folder
//!   │ list of what was sent                 │                                          │
//!   │                watch: commits ────────┤                                          │
//!   └──────────> checker <── calm: the same load, undisturbed                          │
//!                   │   <──────────────────────────────────────────────────────────────┘
//!                   └─> report
//! ```

pub mod answers;
pub mod broken;
pub mod calm;
pub mod checker;
pub mod clock;
pub mod commits;
pub mod delivery;
pub mod findings;
pub mod inject;
pub mod kinds;
pub mod lanes;
pub mod load;
pub mod member;
pub mod options;
mod place;
pub mod poison;
pub mod proxy;
pub mod reading;
pub mod report;
mod run;
pub mod schedule;
pub mod sender;
pub mod site;
pub mod stream;
mod unplaced;
pub mod watch;

pub use options::{FaultOptions, Guarantee};
pub use place::Program;
pub use run::{Outcome, run};
