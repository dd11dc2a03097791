//! A target for every decoder of outside bytes, one file a family. Those that only the binary knows (settings, controls file,
//! policies, times) stand in `cli/src/fuzz.rs`.
//!
//! A new decoder gets a function here: `fuzz("name", usual, &corpus, |bytes| …accepted?)`.

#![expect(clippy::unwrap_used, reason = "helpers of tests, whose inputs are valid")]

mod artifacts;
mod checkpoints;
mod csv;
mod headers;
mod recordings;
mod records;
mod registry;
mod samples;
mod steering;
