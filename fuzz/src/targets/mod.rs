//! A target for every decoder of outside bytes, one file a family. Those that only the binary knows (settings, controls file,
//! policies, times) stand in `cli/src/fuzz.rs`.
//!
//! A new decoder gets a constant here and a place in [`TARGETS`]; its test bears its name.

#![expect(clippy::unwrap_used, reason = "helpers of tests, whose inputs are valid")]

mod admission;
mod artifacts;
mod checkpoints;
mod csv;
mod headers;
mod otlp;
mod recordings;
mod records;
mod registry;
mod remote_write;
mod rules;
mod samples;
mod steering;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    admission::ADMISSION_BODIES,
    artifacts::ARTIFACTS,
    artifacts::CARDS,
    checkpoints::CHECKPOINTS,
    csv::COMPRESSED_CSV,
    csv::CSV,
    headers::TRACE_HEADERS,
    otlp::OTLP_BODIES,
    otlp::OTLP_METRICS,
    recordings::RECORDED_BLOCKS,
    recordings::RECORDINGS,
    records::FOREIGN_SCHEMAS,
    records::OLDER_RECORDS,
    records::RECORDS,
    registry::REGISTRY_REQUESTS,
    remote_write::MAPPINGS,
    remote_write::WRITE_REQUESTS,
    remote_write::WRITE_REQUESTS_2,
    rules::RULE_FILES,
    steering::STEERING,
];
