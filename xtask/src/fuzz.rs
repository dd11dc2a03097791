//! `cargo xtask fuzz`: the fuzz targets, with as many damaged inputs as asked for.
//!
//! ```text
//! TIDEGATE_FUZZ_… ──> cargo test (fuzz/src/targets, cli/src/fuzz.rs) ──> one line a target, or the input that failed
//!   --guided      ──> cargo fuzz (fuzz/guided): the same targets, inputs led by coverage, on nightly Rust
//! ```

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Args;

use crate::programs::{self, cargo, repository};

/// What to run, and how long.
#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// Only this target, e.g. `records`.
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
    /// Inputs led by the code's coverage (libFuzzer); wants nightly Rust, a C++ compiler, cargo-fuzz, and --target.
    /// Without --inputs it runs until it is stopped.
    #[arg(long, requires = "target", conflicts_with_all = ["first", "keep"])]
    guided: bool,
}

pub(crate) fn run(arguments: &FuzzArguments) -> anyhow::Result<()> {
    if let (true, Some(target)) = (arguments.guided, &arguments.target) {
        return guided(target, arguments);
    }
    let mut told = 0;
    // The whole workspace: a part of it would want other features, and all would be built again.
    let mut command = cargo(&["test", "--release", "--workspace", "--lib", "--no-fail-fast", "--", "--nocapture"]);
    match &arguments.target {
        Some(name) => command.arg(format!("tests::fuzz_{name}")),
        None => command.arg("tests::fuzz_"),
    };
    let well = counted(set(&mut command, arguments), &mut told)?;
    ensure!(well, "an input failed; the lines above say which and how to run it again");
    ensure!(told > 0, "there is no target {}", arguments.target.as_deref().unwrap_or_default());
    Ok(())
}

/// Runs one target under libFuzzer. What was found worth keeping stays in `fuzz/guided/corpus/`.
fn guided(target: &str, arguments: &FuzzArguments) -> anyhow::Result<()> {
    let corpus = repository().join("fuzz/guided/corpus").join(target);
    std::fs::create_dir_all(&corpus).with_context(|| format!("making {}", corpus.display()))?;
    let mut command = Command::new("cargo");
    command.current_dir(repository()).args(["+nightly", "fuzz", "run", "--fuzz-dir", "fuzz/guided"]);
    // No address sanitizer: code of ours is all safe, and the parts it would watch take an hour to build with it.
    command.args(["--sanitizer", "none", "decoders"]).arg(&corpus);
    command.args(["--", "-rss_limit_mb=2048", "-max_len=65536", "-print_final_stats=1"]);
    command.arg(format!("-seed={}", arguments.seed));
    if let Some(inputs) = arguments.inputs {
        command.arg(format!("-runs={inputs}"));
    }
    programs::run(command.env("TIDEGATE_FUZZ_TARGET", target))
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
