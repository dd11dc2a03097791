//! `cargo xtask soak`: progress to stderr, figures to stdout, exit code 1 where something is not flat.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::process::ExitCode;

use clap::Parser;
use tidegate_tests::soak::{self, SoakOptions};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask soak",
    about = "Runs the whole pipeline under a steady load, and checks that memory, open files, threads and lag stay flat"
)]
struct Arguments {
    #[command(flatten)]
    options: SoakOptions,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Arguments::parse().options;
    let report = soak::run(&options, &|what| eprintln!("{what}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.flat { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
