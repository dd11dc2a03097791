//! One input through a decoder: whether it panicked, and the most that it held at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What one input may cost beyond its own size, in bytes.
const BEYOND: u64 = 64 << 20;

/// What one input did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Whether it was accepted; `None`: it panicked.
    pub(crate) accepted: Option<bool>,
    /// Bytes held at a time, at most, by this thread.
    pub(crate) largest: u64,
}

/// What an input may make a decoder hold, in bytes: 64 MiB beyond its own size.
#[must_use]
pub fn allowed(input: &[u8]) -> u64 {
    BEYOND + input.len() as u64
}

/// Gives one input to a decoder.
pub(crate) fn run(decode: &mut impl FnMut(&[u8]) -> bool, input: &[u8]) -> Run {
    let mut accepted = None;
    let info = allocation_counter::measure(|| accepted = catch_unwind(AssertUnwindSafe(|| decode(input))).ok());
    Run { accepted, largest: info.bytes_max }
}
