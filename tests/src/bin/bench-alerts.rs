//! `cargo xtask bench alerts`: progress to stderr, figures to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use clap::Parser;
use tidegate_tests::bench::alerts::{self, AlertsOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench alerts",
    about = "Measures the alerts stage with the shipped rules, on one core, beside a bare decoding of the same records"
)]
struct Arguments {
    #[command(flatten)]
    options: AlertsOptions,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    let report = alerts::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
