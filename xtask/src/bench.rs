//! `cargo xtask bench …`: builds, then hands over to the benchmark, which stands with the tests and their Kafka.

use clap::{Args, Subcommand};

use crate::programs;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Reports to quota commands on a real Kafka, beside bare loops of librdkafka in the same run.
    Pipeline(Flags),
    /// One gateway with ten thousand edges: CPU, memory, and report to command at the edge.
    Gateway(Flags),
    /// A stage killed with a whole fleet in its state: how long until every node has decisions again.
    Restore(Flags),
    /// The alerts stage with the shipped rules, on one core, beside a bare decoding of the same records.
    Alerts(Flags),
    /// Spans onto a topic and off it again: CPU a span, beside the OpenTelemetry Collector.
    Spans(Flags),
    /// Bytes and latency over a slow link: JSON by HTTP/1.1, and the gateway.
    Wire(Flags),
}

/// Flags of the benchmark, passed on to it as they are: `cargo xtask bench pipeline --help` names them, e.g.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Flags {
    /// Passed on.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    pub(crate) flags: Vec<String>,
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let (program, flags) = match bench {
        Bench::Pipeline(flags) => ("bench-pipeline", flags),
        Bench::Gateway(flags) => ("bench-gateway", flags),
        Bench::Restore(flags) => ("bench-restore", flags),
        Bench::Alerts(flags) => ("bench-alerts", flags),
        Bench::Spans(flags) => ("bench-spans", flags),
        Bench::Wire(flags) => ("bench-wire", flags),
    };
    programs::build()?;
    programs::run(programs::built(program)?.args(&flags.flags))
}
