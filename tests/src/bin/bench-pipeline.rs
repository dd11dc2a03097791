//! `cargo xtask bench pipeline`: progress to stderr, figures to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use clap::Parser;
use tidegate_tests::bench::{self, BenchOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench pipeline",
    about = "Measures reports to quota commands on a real Kafka, beside bare loops of librdkafka in the same run"
)]
struct Arguments {
    #[command(flatten)]
    options: BenchOptions,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    let report = bench::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
