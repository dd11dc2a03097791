//! Spans: onto a topic of Kafka and off it again, by tidegate and by the OpenTelemetry Collector, for the same requests.
//!
//! ```text
//! Senders ══ OTLP/gRPC ══ receiver ─> topic      CPU of the receiver
//!                                       topic ─> exporter ══ OTLP/gRPC ══ Counting      CPU of the exporter
//!            edge               spans        run export              tidegate
//!            otlp ─> kafka      otlp_spans   kafka ─> otlp           Collector, as it comes and keyed by trace
//! ```
//!
//! Every way promises the same: a request is answered once Kafka has its spans, and an offset committed once the backend has taken
//! them; but for the Collector's batches, which it needs where it is keyed by trace. The ways take turns.

mod counting;
mod report;
mod sending;
mod traffic;
mod ways;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use crate::collector;
use crate::kafka::{Kafka, KafkaOptions};
use crate::process::cpu_seconds;
use counting::Counting;
use report::Hop;
use ways::{WAYS, Way};

pub use report::{Carried, SpansReport};

/// A way that does not move for so long has failed.
const STALL: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct SpansOptions {
    /// Spans of one round of one way.
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u64).range(20_000..))]
    pub spans: u64,
    /// Rounds; all ways take turns in each.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Requests that are on their way to the receiver at a time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub senders: u32,
    /// What exporters send without compression; by default all of them use gzip.
    #[arg(long)]
    pub uncompressed: bool,
    /// Prints one object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Runs it on a Kafka of its own; `say` is told what is going on.
///
/// # Errors
/// Where a part is missing, or a process ends early or does not move.
pub fn run(options: &SpansOptions, say: &dyn Fn(&str)) -> anyhow::Result<SpansReport> {
    say("the Collector (built once, some minutes)");
    let program = collector::built().map_err(anyhow::Error::msg)?;
    let kafka = Kafka::start(&KafkaOptions::default()).context("starting Kafka")?;
    let mut hops = Vec::new();
    for round in 0..options.rounds {
        for kind in WAYS {
            let way = Way::provision(kind, round, kafka.bootstrap(), &program, !options.uncompressed)?;
            say(&format!("{}: {} spans to {}", kind.name(), options.spans, way.topic()));
            hops.push(to_topic(&way, options)?);
            say(&format!("{}: from {}", kind.name(), way.topic()));
            hops.push(from_topic(&way, options)?);
        }
    }
    Ok(SpansReport::new(options, &hops))
}

/// Receiver to topic. The first requests open connections and warm it up.
fn to_topic(way: &Way<'_>, options: &SpansOptions) -> anyhow::Result<Hop> {
    let receiver = way.receiver()?;
    sending::send(receiver.address(), 0, options.spans / 10, options.senders)?;
    let (began, before) = (Instant::now(), cpu_seconds(receiver.pid())?);
    sending::send(receiver.address(), options.spans, options.spans, options.senders)?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(receiver.pid())? - before);
    way.check_topic(options.spans + options.spans / 10)?;
    Ok(Hop { kind: way.kind(), to_topic: true, spans: options.spans, seconds, cpu })
}

/// Topic to backend, from the first spans that come out on.
fn from_topic(way: &Way<'_>, options: &SpansOptions) -> anyhow::Result<Hop> {
    let all = options.spans + options.spans / 10;
    let counting = Counting::start()?;
    let exporter = way.exporter(counting.address())?;
    let first = counting.wait_for(1, STALL)?;
    let (began, before) = (Instant::now(), cpu_seconds(exporter.pid())?);
    let last = counting.wait_for(all, STALL)?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(exporter.pid())? - before);
    ensure!(last > first, "all {last} spans came at once: ask for more");
    Ok(Hop { kind: way.kind(), to_topic: false, spans: last - first, seconds, cpu })
}
