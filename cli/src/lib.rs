//! The program `tidegate`: parses, dispatches, and turns errors into one sentence and an exit code.
//!
//! A library only so that the fuzz targets of what it alone decodes can be reached (`fuzz/guided/`).

mod admit_http;
mod args;
mod commands;
mod config;
mod event_time;
mod exit;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod http;
mod otlp_http;
mod own_spans;
mod pipeline;
mod policy_spec;
mod progress;
mod recorded_controls;
mod reports;
mod shutdown;
mod telemetry;
mod watchdog;

use std::process::ExitCode;

/// Runs the command that this process was given.
#[must_use]
pub fn main() -> ExitCode {
    match args::parse() {
        Ok(cli) => exit::report(commands::dispatch(cli)),
        Err(code) => code,
    }
}
