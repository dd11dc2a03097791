//! `cargo xtask faults`: progress to stderr, figures to stdout, exit code 1 where anything is lost, out of order or wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::process::ExitCode;

use clap::Parser;
use tidegate_tests::faults::{self, FaultOptions, Program};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask faults",
    about = "Harms the pipeline on three real brokers by a seeded schedule, and checks that nothing is lost, repeated, out of \
             order or wrong"
)]
struct Arguments {
    #[command(flatten)]
    options: FaultOptions,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Arguments::parse().options;
    let outcome = faults::run(&options, Program::Tidegate, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&outcome.report)?);
    } else {
        print!("{}", outcome.report);
    }
    for line in &outcome.wrong {
        eprintln!("wrong: {line}");
    }
    for (kind, why) in &outcome.impossible {
        eprintln!("{kind} was left out: {why}");
    }
    eprintln!("again: {}", options.repeat());
    Ok(if outcome.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
