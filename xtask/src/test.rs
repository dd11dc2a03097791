//! `cargo xtask test`: builds, runs every test of the workspace, and says at the end what ran.
//!
//! ```text
//! cargo build ──> cargo test ──> its lines, passed through and counted ──┐
//!                    │ tests that lack a real part ──> file of skips ────┴──> N passed, N failed, N skipped
//! ```

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::programs::{build, cargo};

/// What to test.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Only `unit` (tests within the crates) or one test executable, e.g. `pipeline`, `page`, `compose`.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Only tests whose name holds this.
    filter: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

pub(crate) fn run(arguments: &TestArguments) -> anyhow::Result<()> {
    build()?;
    let skips = skips_file()?;
    let mut command = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    match arguments.only.as_deref() {
        Some("unit") => command.args(["--lib", "--bins"]),
        Some(name) => command.args(["--test", name]),
        None => &mut command,
    };
    command.args(&arguments.filter).env("TIDEGATE_SKIPS", &skips);
    let (counts, success) = counted(&mut command)?;
    if !success && counts.failed == 0 {
        std::fs::remove_file(&skips)?;
        bail!("cargo test ended before all tests had run");
    }
    summarise(&counts, &skips)?;
    ensure!(counts.failed == 0, "{} tests failed", counts.failed);
    Ok(())
}

/// An empty file for the names of skipped tests, of this run alone.
fn skips_file() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding the build's folder")?;
    let file = own.with_file_name(format!("skipped-tests-{}", std::process::id()));
    std::fs::write(&file, "").with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

fn counted(command: &mut Command) -> anyhow::Result<(Counts, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no stdout")?;
    let mut counts = Counts::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading cargo test's output")?;
        println!("{line}");
        count(&line, &mut counts);
    }
    Ok((counts, child.wait()?.success()))
}

/// Adds up a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; …`.
fn count(line: &str, counts: &mut Counts) {
    let Some((_, numbers)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else { return };
    for part in numbers.split("; ") {
        let Some((number, what)) = part.split_once(' ') else { continue };
        let number = number.parse().unwrap_or(0);
        match what {
            "passed" => counts.passed += number,
            "failed" => counts.failed += number,
            "ignored" => counts.ignored += number,
            _ => {}
        }
    }
}

/// The closing lines. A test that lacked a part has passed for libtest; here it counts as skipped.
fn summarise(counts: &Counts, skips: &Path) -> anyhow::Result<()> {
    let mut lines: Vec<String> = std::fs::read_to_string(skips)?.lines().map(ToOwned::to_owned).collect();
    std::fs::remove_file(skips)?;
    lines.sort();
    lines.dedup();
    for line in &lines {
        println!("skipped {line}");
    }
    // One test may lack several parts.
    let mut tests: Vec<&str> =
        lines.iter().map(|line| line.split_once(": ").map_or(line.as_str(), |(test, _)| test)).collect();
    tests.dedup();
    let passed = counts.passed.saturating_sub(tests.len());
    println!("{passed} passed, {} failed, {} skipped", counts.failed, tests.len() + counts.ignored);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_executables_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            count(line, &mut counts);
        }
        assert_eq!((counts.passed, counts.failed, counts.ignored), (5, 1, 1));
    }
}
