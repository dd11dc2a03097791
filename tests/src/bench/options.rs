//! Flags of the benchmark.

use std::path::PathBuf;

use clap::Args;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct BenchOptions {
    /// Reports that stand on the load topic before the stages start.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub reports: u64,
    /// Nodes that send them in turn, every 10 s of event time.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub nodes: u64,
    /// Partitions of every topic.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: i32,
    /// Reports a second of the paced parts.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000])]
    pub rates: Vec<u64>,
    /// Seconds of each paced slice; the first is not counted. Each way has four slices at each rate.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(2..))]
    pub seconds: u64,
    /// Model for the forecast stage, where not the shipped one.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Share of the reports whose traces are recorded, 0 to 1.
    #[arg(long, default_value_t = 0.01)]
    pub trace_sample: f64,
    /// Also measures the stages under exactly_once, over the same reports.
    #[arg(long)]
    pub exactly_once: bool,
    /// Prints one object instead of tables.
    #[arg(long)]
    pub json: bool,
}

impl BenchOptions {
    /// Rounds of all nodes that the whole run takes, so that event time ends before now.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        let paced: u64 = self.rates.iter().map(|rate| rate * self.seconds * super::SLICES).sum();
        (self.reports + paced).div_ceil(self.nodes) + 1
    }
}
