//! One gateway with ten thousand edges: what it costs, and how long from a report to the command at its edge.
//!
//! ```text
//! edges (this process): a connection each ══ tidegate gateway ─> load ─> run forecast ─> run quota ─> quotas ─┐
//!        <═══════════════════════════════════════ commands <═════════════════════════════════════════════════┘
//! reference, before: the same rate straight to Kafka and back, through the same stages
//! ```

mod edges;
mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use super::BenchOptions;
use super::fleet::Fleet;
use super::paced::Slices;
use super::pipelines::{Pipeline, Running, Tidegate};
use crate::binary;
use crate::kafka::{Kafka, KafkaOptions};
use crate::process::{cpu_seconds, status_kib, wait_until};
use edges::Edges;

pub use report::GatewayReport;

/// Until the gateway answers, and until all edges are connected.
const START: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(180);

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct GatewayOptions {
    /// Edges, each with a connection of its own and one node.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=18_000))]
    pub edges: u32,
    /// Seconds between two reports of an edge.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
    /// Seconds to measure, after all are connected and have reported once.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    pub seconds: u64,
    /// Prints one object instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl GatewayOptions {
    /// Reports of all edges a second.
    fn rate(&self) -> u64 {
        u64::from(self.edges).div_ceil(self.interval)
    }
}

/// Runs it on a Kafka of its own; `say` is told what is going on.
///
/// # Errors
/// Where a part is missing, an edge loses its connection, or a process ends early.
pub fn run(options: &GatewayOptions, say: &dyn Fn(&str)) -> anyhow::Result<GatewayReport> {
    let kafka = Kafka::start(&KafkaOptions::default()).context("starting Kafka")?;
    let brokers = kafka.bootstrap();
    let stages = Tidegate::at_least_once(brokers, &of_stages(options))?;
    let running = stages.start()?;
    say(&format!("straight over Kafka: {} reports/s for {} s", options.rate(), options.seconds));
    let mut fleet = Fleet::new(u64::from(options.edges), of_stages(options).rounds(), options.interval * 1000);
    let mut straight = Slices::default();
    straight.measure(brokers, &running, &mut fleet, options.rate(), options.seconds)?;

    let mut gateway =
        binary::spawn(&["gateway", "--listen", "127.0.0.1:0", "--brokers", brokers, "--prefix", stages.prefix()]);
    let words = "gateway at http://";
    gateway.wait_for(words, START)?;
    let said = gateway.stderr();
    let at = said.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next());
    let url = format!("http://{}", at.context("the gateway tells no address")?);
    say(&format!("connecting {} edges to {url}", options.edges));
    let edges = Edges::start(&url, options.edges, Duration::from_secs(options.interval))?;
    wait_until(CONNECT, || edges.connected() == options.edges || edges.failed().is_some())?;
    // A round of all reports, so that every edge has had a command.
    std::thread::sleep(Duration::from_secs(options.interval + 2));
    say(&format!("all are connected; measuring for {} s", options.seconds));
    let costs = Costs::over(gateway.pid(), &running, Duration::from_secs(options.seconds), &edges)?;
    let found = edges.finish(Duration::from_secs(5))?;
    ensure!(found.sent > 0, "no edge has reported");
    Ok(GatewayReport::new(options, &costs, found, straight.latency()))
}

/// The stages' topics and the reference's event time, by the pipeline benchmark's options.
fn of_stages(options: &GatewayOptions) -> BenchOptions {
    BenchOptions {
        reports: options.rate() * options.seconds,
        nodes: u64::from(options.edges),
        partitions: 4,
        rates: Vec::new(),
        seconds: options.seconds,
        model: None,
        trace_sample: 0.01,
        exactly_once: false,
        json: false,
    }
}

/// What the processes took while it was measured.
struct Costs {
    seconds: f64,
    gateway_cores: f64,
    gateway_kib: u64,
    stages_cores: f64,
    edges_cores: f64,
}

impl Costs {
    fn over(gateway: u32, stages: &Running, time: Duration, edges: &Edges) -> anyhow::Result<Self> {
        let cpu = || -> anyhow::Result<[f64; 3]> {
            let of_stages = stages.processes().map(|(_, pid)| cpu_seconds(pid)).sum::<anyhow::Result<f64>>()?;
            Ok([cpu_seconds(gateway)?, of_stages, cpu_seconds(std::process::id())?])
        };
        let (began, before) = (Instant::now(), cpu()?);
        edges.measure(true);
        let mut gateway_kib = 0;
        while began.elapsed() < time {
            std::thread::sleep(Duration::from_millis(250));
            gateway_kib = gateway_kib.max(status_kib(gateway, "VmRSS:")?);
            if let Some(why) = edges.failed() {
                anyhow::bail!("an edge has ended: {why}");
            }
        }
        edges.measure(false);
        let (seconds, after) = (began.elapsed().as_secs_f64(), cpu()?);
        stages.check()?;
        let cores = |at: usize| (after[at] - before[at]) / seconds;
        Ok(Self { seconds, gateway_cores: cores(0), gateway_kib, stages_cores: cores(1), edges_cores: cores(2) })
    }
}
