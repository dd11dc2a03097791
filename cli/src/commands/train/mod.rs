//! `tidegate train`: a model from recorded load.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_forecast::{Artifact, Series, TimeBudget, TrainOptions, TrainProgress, default_hold_out, train};
use tidegate_producers::csv::CsvOptions;

use super::backtest;
use crate::args::Common;
use crate::exit::{self, failure};
use crate::reports::{self, Loaded};
use crate::{progress, shutdown};

mod told;

/// Train a model on recorded load.
///
/// Learns the peak of the next 5 minutes (quantiles 0.5 and 0.9) and the path to it, for CPU and memory, from the first
/// part of each file's time, and measures it against the baselines on the rest. The same data, seed and steps give the
/// same file, byte for byte; a time budget that binds may take fewer steps.
#[derive(Debug, clap::Args)]
pub(crate) struct Train {
    /// CSV files (as for replay) and recordings of the load topic
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the model
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
    /// Name of the model, in forecasts and reasons
    #[arg(long, default_value = "tide-2")]
    name: String,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps for each network
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().steps)]
    steps: usize,
    /// Size of the LSTM's state, a multiple of 8 from 8 to 256
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().hidden)]
    hidden: usize,
    /// Networks a resource whose forecasts are averaged, 1 to 4, each taught something else: more are a little better and cost as
    /// many times the work
    #[arg(long, value_name = "N", default_value_t = TrainOptions::default().members)]
    members: usize,
    /// Learn nothing from this node and measure on it (may be repeated); `none`: learn from all. By default every fifth node of
    /// each file with 5 or more
    #[arg(long, value_name = "NODE")]
    hold_out: Vec<String>,
    /// Most time to spend
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    time_budget: Option<Duration>,
}

impl Train {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let stop = shutdown::on_signals()?;
        self.check_target()?;
        let mut series = Vec::new();
        for file in &self.files {
            series.extend(read(file)?);
        }
        self.check_held_out(&series)?;
        let started = Instant::now();
        let bar = progress::bar(1000, "{elapsed_precise} {wide_bar} {percent}%  {msg}  {eta} left");
        let mut watch = |p: TrainProgress| {
            bar.set_position((f64::from(p.fraction) * 1000.0) as u64);
            bar.set_message(format!(
                "{:?} {} step {} of {}, loss {:.4}",
                p.resource,
                p.member + 1,
                p.step,
                p.steps,
                p.loss
            ));
            !stop.is_set()
        };
        let (artifact, report) = train(&series, &self.options(&series, started), &mut watch)?;
        bar.finish_and_clear();
        self.write(&artifact)?;
        if common.json {
            return super::say_json(&serde_json::json!({
                "model": self.out,
                "checksum": artifact.checksum(),
                "seconds": started.elapsed().as_secs_f64(),
                "report": report,
            }));
        }
        told::tell(artifact.card(), &report)?;
        super::say(format!("{} written after {:.0} s", self.out.display(), started.elapsed().as_secs_f64()))
    }

    fn options(&self, series: &[Series], started: Instant) -> TrainOptions {
        let defaults = TrainOptions::default();
        TrainOptions {
            name: self.name.clone(),
            command: command_line(),
            seed: self.seed,
            steps: self.steps,
            hidden: self.hidden,
            members: self.members,
            held_out_nodes: self.held_out(series),
            time_budget: self
                .time_budget
                .map(|limit| TimeBudget { limit, elapsed: Arc::new(move || started.elapsed()) }),
            ..defaults
        }
    }

    /// The nodes of which nothing is learned.
    fn held_out(&self, series: &[Series]) -> Vec<String> {
        match self.hold_out.as_slice() {
            [] => default_hold_out(series),
            [none] if none == "none" => Vec::new(),
            named => named.to_vec(),
        }
    }

    /// Every node that is held out by name must be in the files.
    fn check_held_out(&self, series: &[Series]) -> anyhow::Result<()> {
        let held_out = self.held_out(series);
        match held_out.iter().find(|node| series.iter().all(|one| one.node_id != **node)) {
            Some(unknown) => {
                Err(failure(exit::USAGE, format!("--hold-out {unknown}: no file has a node of that name")))
            }
            None => Ok(()),
        }
    }

    /// Finds out before the training, not after it, that the model cannot be written.
    fn check_target(&self) -> anyhow::Result<()> {
        let folder = self.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if folder.is_dir() && !self.out.is_dir() {
            return Ok(());
        }
        Err(failure(exit::CANNOT_CREATE, format!("{} cannot be written: no such folder", self.out.display())))
    }

    fn write(&self, artifact: &Artifact) -> anyhow::Result<()> {
        let bytes = artifact.to_bytes()?;
        std::fs::write(&self.out, bytes)
            .map_err(|e| failure(exit::CANNOT_CREATE, format!("{} cannot be written: {e}", self.out.display())))
    }
}

/// The command as it was given, for the model's metadata.
fn command_line() -> String {
    let arguments = std::env::args().skip(1);
    std::iter::once("tidegate".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// The series of one file, a node each, in the order of its names.
fn read(path: &Path) -> anyhow::Result<Vec<Series>> {
    let Loaded { reports, left_out } = reports::read(path, CsvOptions::default().base_quota)?;
    let left_out: u64 = left_out.values().sum();
    if left_out > 0 {
        let (records, are) = if left_out == 1 { ("record", "is") } else { ("records", "are") };
        super::tell(format!("{}: {left_out} {records} gave no report and {are} left out", path.display()));
    }
    let source = backtest::file_name(path);
    let nodes = reports.samples().into_iter();
    Ok(nodes.map(|(node_id, samples)| Series { node_id, source: source.clone(), samples }).collect())
}
