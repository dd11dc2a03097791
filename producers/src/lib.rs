//! What puts records on topics: the simulated fleet, the replay of files, and the edge agent.
//!
//! ```text
//! simulate (a made-up fleet) ───────┐
//! csv ──┐                           ├─ LoadReport ─> ReportSink ─┐
//!       ├─> replay ─────────────────┤                            ├─> publish ─> tidegate-broker's Publisher
//! recording ─┘                      └─ Recording ──> RecordSink ─┘
//! edge (this host, its quota) ──────── LoadReport ─> ReportSink ─┘
//! spans (OTLP requests) ────────────── Span ────────────────────────> tidegate-broker's Publisher
//! admission (requests of this host) ── counts, demand ─> LoadReport
//! ```
//!
//! `simulate`, `pacing`, `csv` and most of `edge` and `admission` are pure: time and readers are arguments. Kafka is met in `publish`
//! and `spans` alone; files, the host's counters and the clock in `csv::open`, `edge::host`, `edge::replaced_file` and `clock`.

pub mod admission;
pub mod clock;
pub mod csv;
pub mod edge;
pub mod error;
pub mod pacing;
pub mod publish;
pub mod replay;
pub mod simulate;
pub mod sink;
pub mod spans;

pub use error::ProducerError;
pub use pacing::{Clock, Pacer, Speed};
pub use publish::{RecordPublisher, ReportPublisher};
pub use sink::{RecordSink, ReportSink};
