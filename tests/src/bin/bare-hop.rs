//! The bare consume-and-produce loop that the benchmark compares with.

use clap::Parser;
use tidegate_tests::bench::hop::{self, HopOptions};

#[derive(Debug, Parser)]
#[command(about = "Copies records from topic to topic until it is ended")]
struct Arguments {
    #[command(flatten)]
    options: HopOptions,
}

fn main() -> anyhow::Result<()> {
    hop::run(&Arguments::parse().options)
}
