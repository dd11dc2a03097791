//! `cargo xtask lint`: everything that a tool can find without running the program.

use crate::arrows;
use crate::programs::{self, cargo};

/// Runs all checks and stops at the first that fails. All use the profile of the tests, so that dependencies are
/// prepared once.
pub(crate) fn run() -> anyhow::Result<()> {
    programs::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    arrows::check()?;
    programs::run(&mut cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    programs::run(
        cargo(&["doc", "--release", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings"),
    )
}
