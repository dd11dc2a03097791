//! `cargo xtask fuzz`: the fuzz targets, with as many damaged inputs as asked for.
//!
//! ```text
//! TIDEGATE_FUZZ_… ──> cargo test (fuzz/tests/decoders, cli/src/fuzz.rs) ──> one line a target, or the input that failed
//! ```

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Args;

use crate::programs::cargo;

/// What to run, and how long.
#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// Only this target, e.g. `records`; its name is that of its test.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Damaged inputs for each target; without it as many as `cargo test` runs.
    #[arg(long, value_name = "N")]
    inputs: Option<u64>,
    /// Which sequence of inputs.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Index of the first input.
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Keep the input being decoded in this file: for what ends the process at once. Slow; wants --target.
    #[arg(long, value_name = "FILE", requires = "target")]
    keep: Option<PathBuf>,
}

pub(crate) fn run(arguments: &FuzzArguments) -> anyhow::Result<()> {
    let name = arguments.target.as_deref().unwrap_or_default();
    // The target's file comes before its name, which may be that of other files too.
    let decoders = if name.is_empty() { String::new() } else { format!("::{name}") };
    let (mut told, mut well) = (0, true);
    for (part, filter) in [(["--test", "decoders"], decoders), (["--bin", "tidegate"], format!("fuzz::{name}"))] {
        // The whole workspace: a part of it would want other features, and all would be built again.
        let mut command = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
        command.args(part).args(["--", "--nocapture", &filter]);
        well &= counted(set(&mut command, arguments), &mut told)?;
    }
    ensure!(well, "an input failed; the lines above say which and how to run it again");
    ensure!(told > 0, "there is no target {name}");
    Ok(())
}

fn set<'a>(command: &'a mut Command, arguments: &FuzzArguments) -> &'a mut Command {
    let numbers = [("SEED", Some(arguments.seed)), ("FIRST", Some(arguments.first)), ("INPUTS", arguments.inputs)];
    for (name, number) in numbers {
        if let Some(number) = number {
            command.env(format!("TIDEGATE_FUZZ_{name}"), number.to_string());
        }
    }
    if let Some(path) = &arguments.keep {
        command.env("TIDEGATE_FUZZ_KEEP", path);
    }
    command
}

/// Passes the targets' lines through and counts them; says whether the command did well.
fn counted(command: &mut Command, told: &mut usize) -> anyhow::Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no stdout")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading cargo test's output")?;
        // libtest writes what a test says behind the test's name.
        if let Some(at) = line.find("fuzz ").filter(|_| line.contains(" inputs, ")) {
            *told += 1;
            println!("{}", &line[at..]);
        }
    }
    Ok(child.wait()?.success())
}
