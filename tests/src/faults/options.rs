//! Flags of the fault suite.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::kinds::Kind;

/// What the processes promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Guarantee {
    /// Outputs may be repeated, and have names.
    AtLeastOnce,
    /// Readers of committed records see each output once.
    ExactlyOnce,
}

impl Guarantee {
    /// As the setting `processing.guarantee` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::ExactlyOnce => "exactly_once",
        }
    }
}

/// What to do.
#[derive(Debug, Clone, Args)]
pub struct FaultOptions {
    /// The same seed gives the same faults, load and poison.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Faults to inject [default: 26, or as many as --minutes allows]
    #[arg(long)]
    pub faults: Option<usize>,
    /// No fault begins after so many minutes.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: Option<u64>,
    /// What the processes promise.
    #[arg(long, value_enum, default_value_t = Guarantee::AtLeastOnce)]
    pub guarantee: Guarantee,
    /// Each process follows the state of the others' partitions.
    #[arg(long)]
    pub standby: bool,
    /// Nodes that report.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub nodes: u64,
    /// Reports a second while faults are injected.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// Only these kinds.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub only: Vec<Kind>,
    /// Seconds without anything new after which what is missing counts as lost.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub patience: u64,
    /// Prints one object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Leaves the logs of all processes, the schedule and what was found in this folder.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Faults where neither a number nor a time is given: every kind twice.
const DEFAULT_FAULTS: usize = 26;
/// More than can be injected in a minute.
const MOST_A_MINUTE: usize = 60;

impl FaultOptions {
    /// How many faults to plan.
    #[must_use]
    pub fn count(&self) -> usize {
        match (self.faults, self.minutes) {
            (Some(count), _) => count,
            (None, Some(minutes)) => usize::try_from(minutes).unwrap_or(usize::MAX).saturating_mul(MOST_A_MINUTE),
            (None, None) => DEFAULT_FAULTS,
        }
    }

    /// For how long faults may begin.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        self.minutes.map(|minutes| Duration::from_secs(minutes * 60))
    }

    /// The command that repeats the run.
    #[must_use]
    pub fn repeat(&self) -> String {
        let mut words = format!("cargo xtask faults --seed {}", self.seed);
        if let Some(faults) = self.faults {
            words += &format!(" --faults {faults}");
        }
        if let Some(minutes) = self.minutes {
            words += &format!(" --minutes {minutes}");
        }
        if !self.only.is_empty() {
            let only: Vec<&str> = self.only.iter().map(|kind| kind.name()).collect();
            words += &format!(" --only {}", only.join(","));
        }
        if self.standby {
            words += " --standby";
        }
        words + &format!(" --guarantee {} --nodes {} --rate {}", self.guarantee.name(), self.nodes, self.rate)
    }
}
