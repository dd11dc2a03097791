//! Flags of the soak.

use std::time::Duration;

use clap::Args;

/// What to watch, and for how long.
#[derive(Debug, Clone, Args)]
pub struct SoakOptions {
    /// Minutes to watch, after the warm-up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: u64,
    /// Reports a second.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,
    /// Nodes that send them in turn, every minute of event time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub nodes: u64,
    /// Minutes in the middle for which the broker of the outputs is away, while the input goes on.
    #[arg(long)]
    pub outage: Option<u64>,
    /// Prints one object instead of charts.
    #[arg(long)]
    pub json: bool,
}

/// Rounds of reports before the watch: longer than all that a node's state depends on (79 hours).
const WARM_ROUNDS: u64 = 4_800;

impl SoakOptions {
    /// Time to watch.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.minutes * 60)
    }

    /// When the outage begins and ends, from the begin of the watch.
    #[must_use]
    pub fn outage(&self) -> Option<(Duration, Duration)> {
        let outage = Duration::from_secs(self.outage? * 60);
        let begin = self.time().saturating_sub(outage) / 2;
        Some((begin, begin + outage))
    }

    /// Reports of the warm-up.
    #[must_use]
    pub fn warm_reports(&self) -> u64 {
        WARM_ROUNDS * self.nodes
    }

    /// Rounds of the whole run, with some to spare.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        WARM_ROUNDS + (self.rate * (self.minutes + 10) * 60).div_ceil(self.nodes)
    }
}
