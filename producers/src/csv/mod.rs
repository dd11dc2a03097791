//! Load reports from CSV, and to it ([`CsvFile`]): rows in, reports or errors that name file, line and column out; nothing is guessed.
//!
//! ```text
//! file ─> open (gzip, snappy by its first bytes) ─> lines (bounded) ─> columns + row ─> Rows ─> merge (by time)
//! ```
//!
//! The header names the columns, in any order: `node_id`, `timestamp_ms` and one of `cpu` and `memory` must be there;
//! `pool`, `interval_ms`, `sequence`, `net_in`, `net_out`, `disk_io`, `requests_total`, `requests_failed_total`,
//! `base_quota`, `quota_in_force` and `quota_sequence` may be. An empty field means: not measured. Fields may be quoted
//! (RFC 4180), but may not span lines.

mod columns;
mod interval;
mod lines;
mod merge;
mod open;
mod row;
mod rows;
mod write;

pub use columns::{Column, Columns};
pub use merge::by_time;
pub use open::{Format, Progress, open};
pub use row::RowError;
pub use rows::{CsvOptions, Rows};
pub use write::CsvFile;

pub(crate) use open::open_file;
