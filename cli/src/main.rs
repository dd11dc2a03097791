//! `tidegate`: parses, dispatches, and turns errors into one sentence and an exit code.

mod args;
mod commands;
mod config;
mod event_time;
mod exit;
#[cfg(test)]
mod fuzz;
mod http;
mod pipeline;
mod policy_spec;
mod progress;
mod recorded_controls;
mod reports;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    match args::parse() {
        Ok(cli) => exit::report(commands::dispatch(cli)),
        Err(code) => code,
    }
}
