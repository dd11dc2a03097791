//! A `run` that breaks a promise, for the fault suite's own test.

use clap::Parser;
use tidegate_tests::faults::broken::{self, BrokenOptions};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: BrokenOptions,
}

fn main() -> anyhow::Result<()> {
    broken::run(&Arguments::parse().options)
}
