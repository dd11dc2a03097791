//! `cargo xtask …`: what developers and CI run. It starts cargo and the programs of this workspace, and knows no more.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it finds is for the terminal")]

mod arrows;
mod bench;
mod faults;
mod fuzz;
mod lint;
mod programs;
mod screenshot;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What developers and CI run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// All tests: units, the pipeline on both brokers, the Python consumer, the page, compose.
    Test(test::TestArguments),
    /// rustfmt, clippy, rustdoc, and who may use whom; warnings are errors.
    Lint,
    /// Damaged inputs for every decoder of outside bytes.
    Fuzz(fuzz::FuzzArguments),
    /// Measures; never asserts on time.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Harms the pipeline on three real brokers, and checks that nothing is lost; `--help` names its flags.
    Faults(bench::Flags),
    /// Runs the pipeline for minutes, and checks that memory, open files, threads and lag stay flat.
    Soak(bench::Flags),
    /// Writes the README's picture of the page from a running demo.
    Screenshot(screenshot::ScreenshotArguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Lint => lint::run(),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Bench(bench) => bench::run(&bench),
        Task::Faults(flags) => faults::faults(&flags),
        Task::Soak(flags) => faults::soak(&flags),
        Task::Screenshot(arguments) => screenshot::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
