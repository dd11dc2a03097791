//! `tidegate backtest`: recorded load through the stages, and what came of it.

mod text;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_backtest::{Dropped, Measures, Options, Report, Runner, html, predictions};
use tidegate_forecast::Model;
use tidegate_forecast::baseline::Linear;
use tidegate_stages::{ForecastStage, QuotaStage, primed};

use crate::args::Common;
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::policy_spec::{PolicySpec, Setting, Trial};
use crate::recorded_controls::{ControlsFlag, RecordedControls};
use crate::reports::{self, Loaded};
use crate::{pipeline, progress};

pub(crate) use text::{policy_rows, time};

/// Run recorded load through the forecast and quota stages and measure what came of it.
///
/// FILE is a CSV file (as for replay; `tidegate simulate --to FILE` makes one) or a recording of the load topic. No Kafka is needed: the stages are those of
/// `tidegate run`, and decide the same, byte for byte. The load of the file counts as demand: its nodes did not obey our quotas.
///
/// Beside the model stand persistence, the peak of the last 5 minutes, a weighted mean (EWMA) and a linear regression on
/// window statistics. The regression learns from what lies before --from, or from --fit FILE; with neither, each of
/// its forecasts knows what had passed before it. Warming nodes are left out of the forecasts' figures, not of the policy's.
#[derive(Debug, clap::Args)]
pub(crate) struct Backtest {
    /// CSV file or recording of the load topic
    file: PathBuf,
    /// Model to forecast with [default: the shipped one]
    #[arg(long, value_name = "FILE", env = "TIDEGATE_MODEL")]
    model: Option<PathBuf>,
    /// Policy that decides, as the setting quota.policy
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// A key of the quota settings, e.g. max_scale=2 or target=0.5% (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// Measure only from this event time on: RFC 3339 or ms; what lies before warms up
    #[arg(long, value_name = "TIME", value_parser = crate::event_time::parse)]
    from: Option<i64>,
    /// Fit the linear regression on this file instead
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    fit: Option<PathBuf>,
    /// Only this node (may be repeated) [default: all]
    #[arg(long, value_name = "NODE")]
    node: Vec<String>,
    /// CSV: base quota of rows that do not name theirs
    #[arg(long, value_name = "UNITS", default_value_t = 1000.0)]
    base_quota: f64,
    #[command(flatten)]
    controls: ControlsFlag,
    /// Write one CSV row a forecast
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Write a page: forecasts against outcomes, calibration, policies compared
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Backtest {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let model = Arc::new(load_model(common, self.model.as_deref())?);
        let trials = self.trials(common)?;
        let controls = self.controls.read()?;
        let mut loaded = reports::read(&self.file, self.base_quota)?;
        loaded.reports.keep_nodes(&self.node)?;
        let options = Options {
            from_ms: self.from,
            resource: trials[0].settings.resource,
            linear: self.fit.as_deref().map(|file| fit(file, self.base_quota)).transpose()?,
            traces: self.html.as_ref().map(|_| 0),
        };
        let mut sheet = self.predictions.as_deref().map(Sheet::create).transpose()?;
        let (mut measures, dropped) = measure(&model, &trials, controls, loaded, options, &mut |decided| {
            sheet.as_mut().map_or(Ok(()), |sheet| sheet.add(decided))
        })?;
        if let Some(sheet) = sheet {
            sheet.finish()?;
        }
        let report = measures.report(0, dropped);
        if report.reports == 0 {
            return Err(failure(exit::DATA, nothing(&self.file, self.from, &report)));
        }
        let name = file_name(&self.file);
        if let Some(path) = &self.html {
            write(path, &html::backtest(&name, &report, &mut measures))?;
        }
        if common.json {
            return super::say_json(&report);
        }
        text::tell(&name, &report)
    }

    /// The policy that decides, and those that the page compares it with.
    fn trials(&self, common: &Common) -> anyhow::Result<Vec<Trial>> {
        let own = self.policy.iter().map(|name| Setting::text("policy", name)).chain(self.set.iter().cloned());
        let own: Vec<Setting> = own.collect();
        let mut trials = vec![PolicySpec::new("", own.clone()).trial(common)?];
        for (name, beside) in self.html.iter().flat_map(|_| beside()) {
            let trial = PolicySpec::new(name, own.iter().cloned().chain(beside).collect()).trial(common)?;
            if trials.iter().all(|other| other.settings != trial.settings) {
                trials.push(trial);
            }
        }
        Ok(trials)
    }
}

/// The policies that a page compares.
fn beside() -> Vec<(String, Vec<Setting>)> {
    let mut all = vec![("threshold".to_owned(), vec![Setting::text("policy", "threshold")])];
    for percent in ["0.2%", "0.5%", "1%", "2%", "5%"] {
        let target = Setting { key: "target".into(), value: toml::Value::String(percent.into()) };
        all.push((format!("headroom, target {percent}"), vec![Setting::text("policy", "headroom"), target]));
    }
    all
}

/// The model that a flag, or else the settings, name.
pub(crate) fn load_model(common: &Common, model: Option<&Path>) -> anyhow::Result<Model> {
    let mut settings = Settings::load(common)?;
    if let Some(path) = model {
        settings.forecast.model = Some(path.to_owned());
    }
    pipeline::model(&settings)
}

/// Runs the reports through the stages with a progress bar; `also` sees every decision.
pub(crate) fn measure(
    model: &Arc<Model>,
    trials: &[Trial],
    controls: RecordedControls,
    loaded: Loaded,
    options: Options,
    also: &mut dyn FnMut(&tidegate_backtest::Decided) -> anyhow::Result<()>,
) -> anyhow::Result<(Measures, Dropped)> {
    let stage = |trial: &Trial| QuotaStage::new(primed(trial.settings.clone(), model));
    let stages = trials.iter().map(stage).collect();
    let mut runner = Runner::new(ForecastStage::new(Arc::clone(model)), stages);
    controls.give_to(&mut runner);
    let mut measures = Measures::new(options, trials.iter().map(|trial| trial.name.clone()).collect());
    let bar =
        progress::bar(loaded.reports.len() as u64, "{elapsed_precise} {wide_bar} {pos} of {len} reports  {eta} left");
    let (mut failed, mut count) = (None, 0_u64);
    let flow = runner.run(loaded.reports.into_inputs(), &mut |decided| {
        measures.take(&decided);
        count += 1;
        if count.is_multiple_of(1_000) {
            bar.set_position(count);
        }
        match also(&decided) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                failed = Some(e);
                ControlFlow::Break(())
            }
        }
    });
    bar.finish_and_clear();
    if let (ControlFlow::Break(()), Some(e)) = (flow, failed) {
        return Err(e);
    }
    measures.finish();
    let mut dropped = loaded.left_out;
    for (why, count) in runner.dropped() {
        *dropped.entry(why.clone()).or_default() += count;
    }
    Ok((measures, dropped))
}

/// The linear regression of a file.
fn fit(file: &Path, base_quota: f64) -> anyhow::Result<Linear> {
    let nodes = reports::read(file, base_quota)?.reports.samples();
    let nodes: Vec<&[tidegate_forecast::Sample]> = nodes.values().map(Vec::as_slice).collect();
    Ok(Linear::fitted(&nodes))
}

fn nothing(file: &Path, from: Option<i64>, report: &Report) -> String {
    let dropped: u64 = report.dropped.values().sum();
    let when = if from.is_some() { " from that time on" } else { "" };
    format!("{} has no report to decide on{when}; {dropped} records were left out", file.display())
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Writes a file that the user asked for.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).map_err(|e| cannot_write(path, &e))
}

fn cannot_write(path: &Path, e: &std::io::Error) -> anyhow::Error {
    failure(exit::CANNOT_CREATE, format!("{} cannot be written: {e}", path.display()))
}

/// The file of predictions.
struct Sheet {
    path: PathBuf,
    file: BufWriter<File>,
    row: String,
}

impl Sheet {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let mut file = BufWriter::new(File::create(path).map_err(|e| cannot_write(path, &e))?);
        writeln!(file, "{}", predictions::HEADER).map_err(|e| cannot_write(path, &e))?;
        Ok(Self { path: path.to_owned(), file, row: String::new() })
    }

    fn add(&mut self, decided: &tidegate_backtest::Decided) -> anyhow::Result<()> {
        self.row.clear();
        predictions::row(decided, &mut self.row);
        self.file.write_all(self.row.as_bytes()).map_err(|e| cannot_write(&self.path, &e))
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.file.flush().map_err(|e| cannot_write(&self.path, &e))
    }
}
