//! `cargo xtask bench spans`: progress to stderr, figures to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use clap::Parser;
use tidegate_tests::bench::spans::{self, SpansOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench spans",
    about = "Measures the CPU that a span costs, onto a topic and off it again: tidegate, and the OpenTelemetry Collector"
)]
struct Arguments {
    #[command(flatten)]
    options: SpansOptions,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    let report = spans::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
