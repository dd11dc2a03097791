//! `cargo xtask bench wire`: progress to stderr, figures to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use clap::Parser;
use tidegate_tests::bench::wire::{self, WireOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench wire",
    about = "Measures bytes and report-to-acknowledgement latency over a slow link: JSON by HTTP/1.1, and tidegate's gateway"
)]
struct Arguments {
    #[command(flatten)]
    options: WireOptions,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    let report = wire::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
