//! `cargo xtask bench gateway`: progress to stderr, figures to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use clap::Parser;
use tidegate_tests::bench::gateway::{self, GatewayOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench gateway",
    about = "Measures one gateway with ten thousand edges: CPU, memory, and report to command at the edge"
)]
struct Arguments {
    #[command(flatten)]
    options: GatewayOptions,
}

fn main() -> anyhow::Result<()> {
    let options = Arguments::parse().options;
    let report = gateway::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
