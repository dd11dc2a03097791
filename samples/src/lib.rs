//! Samples that other systems sent become load reports. Pure: no I/O, no clock.
//!
//! ```text
//! body ─ remote_write (block, proto), otlp ─> labels, samples ─┐
//!                               mapping (TOML: what is what) ─┴─> Collector ─> LoadReport, one a node and scrape
//! ```
//!
//! The collector keeps the last sample of each series that the mapping wants, within bounds. Who may speak for a node, and
//! whether a report has reached Kafka, it is told.

pub mod buckets;
pub mod collect;
mod error;
mod labels;
pub mod mapping;
pub mod otlp;
pub mod remote_write;

pub use collect::{Bounds, Collector, Counts, ReportName, Taken};
pub use error::SamplesError;
pub use labels::Labels;
pub use mapping::Mapping;

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Event time, ms since the Unix epoch.
    pub at_ms: i64,
    /// Its value; [`STALE`] says that the series has ended.
    pub value: f64,
}

/// Prometheus' stale marker: a NaN of its own.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

impl Sample {
    /// Whether the series has ended with it.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.value.to_bits() == STALE.to_bits()
    }
}
