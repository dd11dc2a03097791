//! `cargo xtask bench restore`: progress to stderr, figures to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use clap::Parser;
use tidegate_tests::bench::restore::{self, RestoreOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench restore",
    about = "Kills the stages of a fleet by SIGKILL on a real Kafka, and measures the time until every node has a decision again"
)]
struct Arguments {
    #[command(flatten)]
    options: RestoreOptions,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    let report = restore::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
