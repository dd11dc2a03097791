//! The command line: commands, the flags they share, and usage errors (exit code 64).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::commands::{
    backtest, completions, control, dead_letters, demo, doctor, edge, explain, gateway, record, replay, run, schemas,
    simulate, topics, trace, train, validate, watch, what_if,
};
use crate::config::{BodyCompression, Export, ExportProtocol, Share, Trace};
use crate::exit;

/// Moves the quotas of an edge fleet ahead of its load.
///
/// Edge nodes report their load to Apache Kafka; tidegate forecasts the next 5 minutes of each node, turns the forecast
/// into a quota within milliseconds, and sends it back. Start with `tidegate demo`: it needs nothing else.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Kafka brokers to begin with [default: localhost:9092]
    #[arg(long, global = true, value_name = "HOST:PORT,…", env = "TIDEGATE_BROKERS")]
    pub(crate) brokers: Option<String>,
    /// Prefix of topic and consumer group names [default: tidegate.]
    #[arg(long, global = true, env = "TIDEGATE_PREFIX")]
    pub(crate) prefix: Option<String>,
    /// Settings file (TOML); flags and TIDEGATE_… variables win over it
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Take schema ids from this registry instead of the built-in catalogue
    #[arg(long, global = true, value_name = "URL", env = "TIDEGATE_SCHEMA_REGISTRY_URL")]
    pub(crate) schema_registry_url: Option<String>,
    /// PEM file of the authorities that the certificates of registries, webhooks, Alertmanagers and OTLP backends must come from
    /// [default: the public ones]
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_HTTPS_CA")]
    pub(crate) https_ca: Option<PathBuf>,
    /// Print results as JSON: one object, or one a line for a stream
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more (twice: everything)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The flag of commands that serve their metrics.
#[derive(Debug, Args)]
pub(crate) struct MetricsFlag {
    /// Serve /metrics, /live and /ready here
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<String>,
}

/// The flag of commands that begin traces.
#[derive(Debug, Args)]
pub(crate) struct TraceFlag {
    /// Record the traces of this share of the reports, as 0.01 or 1% [default: 1%]
    #[arg(long, value_name = "SHARE", env = "TIDEGATE_TRACE_SAMPLE")]
    pub(crate) trace_sample: Option<Share>,
}

impl TraceFlag {
    /// The file's setting with this flag laid over it.
    pub(crate) fn lay_over(&self, trace: &mut Trace) {
        trace.sample = self.trace_sample.or(trace.sample);
    }
}

/// The flags of commands that send spans out.
#[derive(Debug, Args)]
pub(crate) struct ExportFlags {
    /// Transport to the OTLP backend, in the words of OTEL_EXPORTER_OTLP_PROTOCOL [default: http/protobuf]
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "http/protobuf|grpc",
        env = "TIDEGATE_OTLP_PROTOCOL"
    )]
    otlp_protocol: Option<ExportProtocol>,
    /// Compression of the requests to the OTLP backend [default: gzip]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "gzip|none", env = "TIDEGATE_OTLP_COMPRESSION")]
    otlp_compression: Option<BodyCompression>,
}

impl ExportFlags {
    /// The file's settings with these flags laid over them.
    pub(crate) fn lay_over(&self, export: &mut Export) {
        export.protocol = self.otlp_protocol.or(export.protocol);
        export.compression = self.otlp_compression.or(export.compression);
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Demo),
    Run(run::Run),
    Edge(Box<edge::Edge>),
    Gateway(gateway::Gateway),
    Simulate(simulate::Simulate),
    Replay(replay::Replay),
    Record(record::Record),
    Watch(watch::Watch),
    Train(train::Train),
    Backtest(backtest::Backtest),
    WhatIf(what_if::WhatIf),
    Explain(explain::Explain),
    Trace(trace::Trace),
    Control(control::Control),
    DeadLetters(dead_letters::DeadLetters),
    Validate(validate::Validate),
    Doctor(doctor::Doctor),
    Topics(topics::Topics),
    Schemas(schemas::Schemas),
    Completions(completions::Completions),
}

/// Parses the command line; help and version are not errors, everything else is a usage error.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|e| {
        // Nothing can be done about a closed terminal.
        e.print().unwrap_or_default();
        if e.use_stderr() && !matches!(e.kind(), clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
            ExitCode::from(exit::USAGE)
        } else {
            ExitCode::SUCCESS
        }
    })
}

/// The command's own description, for completions.
pub(crate) fn description() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::control::Control;
    use crate::commands::dead_letters::DeadLetters;

    #[test]
    fn the_command_line_is_well_formed() {
        description().debug_assert();
    }

    #[test]
    fn the_help_teaches() {
        let shown = description().mut_args(|argument| argument.hide_env_values(true));
        let help = shown.term_width(100).render_long_help().to_string();
        insta::assert_snapshot!("help", help);
    }

    #[test]
    fn only_what_serves_metrics_takes_an_address_for_them() {
        let mut all = description();
        all.build();
        let serves = |command: &&clap::Command| command.get_arguments().any(|a| a.get_id() == "metrics_listen");
        let mut names: Vec<&str> = all.get_subcommands().filter(serves).map(clap::Command::get_name).collect();
        names.sort_unstable();
        assert_eq!(names, ["demo", "edge", "gateway", "run"]);
    }

    #[test]
    fn the_help_of_control_teaches() {
        let mut control = Control::augment_args(clap::Command::new("control")).term_width(100);
        let set = control.find_subcommand_mut("set").unwrap().clone().term_width(100).render_long_help().to_string();
        let apply =
            control.find_subcommand_mut("apply").unwrap().clone().term_width(100).render_long_help().to_string();
        insta::assert_snapshot!("control_help", format!("{}\n{set}\n{apply}", control.render_long_help()));
    }

    #[test]
    fn the_help_of_dead_letters_teaches() {
        let mut letters = DeadLetters::augment_args(clap::Command::new("dead-letters")).term_width(100);
        let verbs = ["list", "show", "replay"].map(|verb| {
            letters.find_subcommand_mut(verb).unwrap().clone().term_width(100).render_long_help().to_string()
        });
        insta::assert_snapshot!("dead_letters_help", format!("{}\n{}", letters.render_long_help(), verbs.join("\n")));
    }
}
