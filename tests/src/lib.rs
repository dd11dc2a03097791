//! What the tests through the whole pipeline stand on: the real parts, the built binary, and clients that know nothing of
//! tidegate's own.
//!
//! ```text
//!  kafka (Apache Kafka, fetched by Maven) ──┐
//!  broker (either of the two brokers) ──────┼──> tests/*.rs ──> binary (target/release/tidegate)
//!  python, receiver, client ────────────────┤
//!  pipeline (topics under a prefix, load) ──┘
//!                     bench: the same parts, with a clock
//!                     faults: the same parts, harmed
//!                     soak: the same parts, for long
//! ```
//!
//! A part that this machine can not have is named by [`parts`]: a failure in CI, a skip with its reason elsewhere.

pub mod alertmanager;
pub mod bench;
pub mod binary;
pub mod brokers;
pub mod cache;
pub mod certificates;
pub mod client;
pub mod collector;
pub mod compose_tools;
pub mod debian;
pub mod faults;
pub mod go;
pub mod groups;
pub mod kafka;
pub mod metrics;
pub mod node;
pub mod page;
pub mod parts;
pub mod pipeline;
pub mod places;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod python;
pub mod receiver;
pub mod removal;
pub mod soak;
