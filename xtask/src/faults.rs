//! `cargo xtask faults`, `cargo xtask soak`: builds, then hands over to what stands with the tests and their Kafka.

use crate::bench::Flags;
use crate::programs;

/// The fault suite.
pub(crate) fn faults(flags: &Flags) -> anyhow::Result<()> {
    hand_over("fault-suite", flags)
}

/// The soak.
pub(crate) fn soak(flags: &Flags) -> anyhow::Result<()> {
    hand_over("soak", flags)
}

fn hand_over(program: &str, flags: &Flags) -> anyhow::Result<()> {
    programs::build()?;
    programs::run(programs::built(program)?.args(&flags.flags))
}
