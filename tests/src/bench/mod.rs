//! The benchmark: reports to quota commands through a real Kafka, beside bare loops of librdkafka in the same run.
//!
//! ```text
//! throughput   load (filled before) ─> run forecast ─> run quota ─> quotas      reports/s, CPU of each process
//!              load (the same)      ─> bare hop     ─> bare hop  ─> bare topic  records/s
//! paced        produce at a rate ─> the same three topics ─> consume            p50, p99 of each way
//! ```
//!
//! Each way is three hops through the broker with the same client settings. Nothing here asserts on time.

pub mod alerts;
mod drain;
pub(crate) mod fleet;
pub mod gateway;
pub mod hop;
mod options;
mod paced;
mod pipelines;
mod report;
pub mod restore;
mod settings;
pub mod spans;
pub mod wire;

use anyhow::Context;

use crate::kafka::{Kafka, KafkaOptions};

pub use options::BenchOptions;
pub use report::Report;

use drain::Drain;
use fleet::Fleet;
use paced::Slices;
use pipelines::{Bare, Pipeline, Tidegate};

/// Event time between two reports of a node.
const INTERVAL_MS: u64 = 10_000;
/// The two ways take turns, so that what else the machine does meets both.
pub(crate) const SLICES: u64 = 4;

/// Runs the whole benchmark on a Kafka of its own; `say` is told what is going on.
///
/// # Errors
/// Where a part is missing or one of the pipelines ends early.
pub fn run(options: &BenchOptions, say: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let kafka = Kafka::start(&KafkaOptions::default()).context("starting Kafka")?;
    let tidegate = Tidegate::at_least_once(kafka.bootstrap(), options)?;
    let mut fleet = filled(&kafka, &tidegate, options, say)?;

    // The bare loops run before and after, so that a warmer broker favours nobody; the faster run counts.
    let bare_before = bare_throughput(&kafka, &tidegate, options, "before", say)?;
    say("tidegate run forecast, tidegate run quota");
    let running = tidegate.start()?;
    let ours = drain::drain(&kafka, &running, options.reports)?;
    let bare_after = bare_throughput(&kafka, &tidegate, options, "after", say)?;
    let mut once = options.exactly_once.then(|| ExactlyOnce::drained(&kafka, options, say)).transpose()?;

    let bare = Bare::provision(kafka.bootstrap(), options, "paced", None)?;
    let bare_running = bare.start()?;
    let mut paced = Vec::new();
    for rate in &options.rates {
        say(&format!("{rate} reports/s, {SLICES} × {} s of each way in turn", options.seconds));
        let (mut of_ours, mut of_bare, mut of_once) = (Slices::default(), Slices::default(), Slices::default());
        for _ in 0..SLICES {
            of_bare.measure(kafka.bootstrap(), &bare_running, &mut fleet.clone(), *rate, options.seconds)?;
            of_ours.measure(kafka.bootstrap(), &running, &mut fleet, *rate, options.seconds)?;
            if let Some(once) = &mut once {
                of_once.measure(kafka.bootstrap(), &once.running, &mut once.fleet, *rate, options.seconds)?;
            }
        }
        let of_once = once.as_ref().map(|_| of_once.latency());
        paced.push(report::Paced::new(*rate, of_ours.latency(), of_bare.latency(), of_once));
    }
    Ok(Report::new(options, &ours, &[bare_before, bare_after], once.map(|once| once.drain).as_ref(), paced))
}

/// The stages under exactly_once.
struct ExactlyOnce {
    running: pipelines::Running,
    drain: Drain,
    fleet: Fleet,
}

impl ExactlyOnce {
    /// At full speed, as the others.
    fn drained(kafka: &Kafka, options: &BenchOptions, say: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let tidegate = Tidegate::exactly_once(kafka.bootstrap(), options)?;
        let fleet = filled(kafka, &tidegate, options, say)?;
        say("tidegate run forecast, tidegate run quota, exactly once");
        let running = tidegate.start()?;
        let drain = drain::drain(kafka, &running, options.reports)?;
        Ok(Self { running, drain, fleet })
    }
}

/// The fleet that has filled the load topic.
fn filled(kafka: &Kafka, tidegate: &Tidegate, options: &BenchOptions, say: &dyn Fn(&str)) -> anyhow::Result<Fleet> {
    let mut fleet = Fleet::new(options.nodes, options.rounds(), INTERVAL_MS).with_sampled(options.trace_sample);
    say(&format!("filling {} with {} reports of {} nodes", tidegate.input(), options.reports, options.nodes));
    fleet::fill(kafka.bootstrap(), tidegate.input(), &mut fleet, options.reports)?;
    Ok(fleet)
}

/// The two bare hops over the same load topic, as two processes of their own.
fn bare_throughput(
    kafka: &Kafka,
    tidegate: &Tidegate,
    options: &BenchOptions,
    name: &str,
    say: &dyn Fn(&str),
) -> anyhow::Result<Drain> {
    say(&format!("bare hops, {name}"));
    let bare = Bare::provision(kafka.bootstrap(), options, name, Some(tidegate.input()))?;
    drain::drain(kafka, &bare.start()?, options.reports)
}
