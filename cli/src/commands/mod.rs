//! One file per command; each takes its arguments and the common ones.

pub(crate) mod backtest;
pub(crate) mod completions;
pub(crate) mod control;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod edge;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod schemas;
pub(crate) mod simulate;
pub(crate) mod topics;
pub(crate) mod trace;
pub(crate) mod train;
pub(crate) mod validate;
pub(crate) mod watch;
pub(crate) mod what_if;

use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use tidegate_broker::{BrokerError, KafkaSettings, Publisher};

use crate::args::{Cli, Command};
use crate::telemetry;

/// How long a command waits for a broker before it says that there is none.
pub(crate) const BROKER_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command.
pub(crate) fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let service = matches!(cli.command, Command::Run(_) | Command::Edge(_) | Command::Gateway(_));
    let traced = service || matches!(cli.command, Command::Demo(_) | Command::Simulate(_) | Command::Replay(_));
    telemetry::start_log(cli.common.verbose, service, traced);
    let common = cli.common;
    match cli.command {
        Command::Demo(demo) => demo.run(&common),
        Command::Run(run) => run.run(&common),
        Command::Edge(edge) => edge.run(&common),
        Command::Gateway(gateway) => gateway.run(&common),
        Command::Simulate(simulate) => simulate.run(&common),
        Command::Replay(replay) => replay.run(&common),
        Command::Record(record) => record.run(&common),
        Command::Watch(watch) => watch.run(&common),
        Command::Explain(explain) => explain.run(&common),
        Command::Trace(trace) => trace.run(&common),
        Command::Train(train) => train.run(&common),
        Command::Backtest(backtest) => backtest.run(&common),
        Command::WhatIf(what_if) => what_if.run(&common),
        Command::Control(control) => control.run(&common),
        Command::DeadLetters(letters) => letters.run(&common),
        Command::Validate(validate) => validate.run(&common),
        Command::Doctor(doctor) => doctor.run(&common),
        Command::Topics(topics) => topics.run(&common),
        Command::Schemas(schemas) => schemas.run(&common),
        Command::Completions(completions) => completions.run(),
    }
}

/// `1 node`, `2 nodes`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Prints a line of results; a reader that went away (`| head`) is no error of ours.
pub(crate) fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// Prints a result as one JSON object.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string(value)?)
}

/// Tells the user something on stderr, beside results and log.
#[expect(clippy::print_stderr, reason = "for people, beside the results on stdout")]
pub(crate) fn tell(line: impl std::fmt::Display) {
    eprintln!("{line}");
}

/// Checks that a broker answers, once, before a command begins.
pub(crate) fn reach(kafka: &KafkaSettings) -> Result<(), BrokerError> {
    kafka.check_reachable(BROKER_PATIENCE)
}

/// Waits until everything sent is acknowledged, as long as the broker needs; `false` where `stopped` said to give up.
pub(crate) fn drain(publisher: &Publisher, stopped: impl Fn() -> bool) -> anyhow::Result<bool> {
    let patience = if stopped() { Duration::from_secs(8) } else { Duration::from_secs(1) };
    loop {
        match publisher.flush(patience) {
            Ok(()) => return Ok(true),
            Err(BrokerError::NotAcknowledged { pending, .. }) if stopped() => {
                tell(format!("stopped with {pending} records that the broker has not acknowledged"));
                return Ok(false);
            }
            Err(BrokerError::NotAcknowledged { .. }) => {}
            Err(e) => return Err(e.into()),
        }
    }
}
