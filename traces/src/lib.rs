//! Spans of our own: what tidegate does with a report, hop by hop, as one trace.
//!
//! ```text
//! producer, gateway, driver, edge ─> Hop, Batch ─ tracing ─> layer (layer.rs) ─> SDK, batches ─> Export ─> whoever takes them
//!     for records whose trace is sampled      with the derived ids (ids.rs)                          e.g. the topic spans
//! ```
//!
//! A record's place in its trace stands in its headers ([`tidegate_schemas::trace`]), and the span of a hop has the very id that the
//! headers of its outputs name. Where nobody takes spans, or a record is not sampled, nothing is made.
//! Names and attributes: OpenTelemetry semantic conventions for messaging and Kafka.

mod export;
mod hop;
mod ids;
mod layer;
mod origin;

pub use export::TakeSpans;
pub use hop::{Batch, Hop, Operation, Step};
pub use layer::{Connected, connect, counter, layer};
pub use origin::Origin;

/// Target of our spans: the log passes them over.
pub const TARGET: &str = "otel::tidegate";
