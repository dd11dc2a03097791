//! The alerts stage alone: the shipped rules over a fleet's forecasts, beside a bare decoding of the same records in the same run.
//!
//! ```text
//! forecasts of a round, made before ─┬─> AlertsStage::process (decoded already)   CPU of the thread
//!                                    └─> Decoder::decode (its bytes)              CPU of the thread
//! ```
//!
//! No broker, one thread. Memory is what the process grew by while the stage took in the whole reach of its rules. Nothing here
//! asserts on time.

mod fleet;
mod report;

use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tidegate_alerts::{DEFAULT_FILE, Rules};
use tidegate_broker::Registry;
use tidegate_broker::{Received, Stage, Verdict};
use tidegate_schemas::records::{Alert, Forecast};
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, Topic};
use tidegate_stages::{AlertsStage, Firing};

use crate::process;
use fleet::Fleet;
pub use report::AlertsReport;

/// Records of a batch, as the driver's.
const BATCH: usize = 1_000;
/// Largest quota of the settings' default.
const MAX_SCALE: f64 = 2.0;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct AlertsOptions {
    /// Nodes, each of which reports every 10 s.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub nodes: u64,
    /// Minutes of event time that the stage takes in before it is measured: the reach of the rules.
    #[arg(long, default_value_t = 70, value_parser = clap::value_parser!(u64).range(1..))]
    pub before: u64,
    /// Minutes of event time that are measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub minutes: u64,
    /// Prints one object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What was counted.
#[derive(Debug, Default)]
struct Counted {
    stage_seconds: f64,
    decode_seconds: f64,
    reports: u64,
    alerts: u64,
    bytes: u64,
}

/// Runs it; `say` is told what is going on.
///
/// # Errors
/// Where the kernel tells no CPU times, or a record does not come out as it went in.
pub fn run(options: &AlertsOptions, say: &dyn Fn(&str)) -> anyhow::Result<AlertsReport> {
    let mut fleet = Fleet::new(options.nodes);
    let registry = Registry::new();
    let rules = Arc::new(Rules::parse([("default.yml", DEFAULT_FILE)])?);
    let mut stage = AlertsStage::new(rules, MAX_SCALE).with_metrics(Firing::new(&registry)?);
    // One round before, so that what the loop itself needs is there already.
    fleet.next_round();
    let empty = resident()?;
    say(&format!("{} minutes of {} nodes into the stage", options.before, options.nodes));
    let mut before = Counted::default();
    for _ in 0..options.before * fleet::ROUNDS_A_MINUTE {
        through_stage(&mut stage, fleet.next_round(), &mut before)?;
    }
    let grown = resident()?.saturating_sub(empty);
    say(&format!("{} minutes measured, stage and decoding in turn", options.minutes));
    let mut counted = Counted::default();
    for _ in 0..options.minutes * fleet::ROUNDS_A_MINUTE {
        let round = fleet.next_round();
        through_stage(&mut stage, round, &mut counted)?;
        through_decoder(round, &mut counted)?;
    }
    let alerts = before.alerts + counted.alerts;
    Ok(AlertsReport::new(options, &counted, alerts, evaluations(&registry), grown))
}

/// Evaluations of rules, as the stage's metrics tell.
fn evaluations(registry: &Registry) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "tidegate_alert_evaluations_total");
    family.and_then(|family| family.get_metric().first()).map_or(0, |metric| metric.get_counter().get_value() as u64)
}

fn through_stage(stage: &mut AlertsStage, round: &[Received<Forecast>], counted: &mut Counted) -> anyhow::Result<()> {
    let is_alert = |(_, verdict): &(usize, Verdict<Alert>)| matches!(verdict, Verdict::Output(_));
    let began = cpu_seconds()?;
    let mut alerts = 0;
    for batch in round.chunks(BATCH) {
        alerts += stage.process(batch).iter().filter(|verdict| is_alert(verdict)).count();
    }
    counted.stage_seconds += cpu_seconds()? - began;
    counted.reports += round.len() as u64;
    counted.alerts += alerts as u64;
    Ok(())
}

fn through_decoder(round: &[Received<Forecast>], counted: &mut Counted) -> anyhow::Result<()> {
    let kind = <Forecast as tidegate_schemas::records::Record>::KIND;
    let encoder = Encoder::new(Topic::Forecasts, kind, &CatalogueIds)?;
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(round.len()));
    let mut one = Vec::new();
    for received in round {
        encoder.encode(&received.record, &mut one)?;
        bytes.extend_from_slice(&one);
        ends.push(bytes.len());
    }
    let began = cpu_seconds()?;
    let (mut from, mut load) = (0, 0.0);
    for end in ends {
        let forecast: Forecast = decoder.decode(&bytes[from..end])?;
        load += forecast.current.cpu;
        from = end;
    }
    counted.decode_seconds += cpu_seconds()? - began;
    counted.bytes += bytes.len() as u64;
    let wanted: f64 = round.iter().map(|received| received.record.current.cpu).sum();
    anyhow::ensure!((load - wanted).abs() < 1e-6, "the records did not come out as they went in");
    Ok(())
}

/// CPU time of this thread so far.
fn cpu_seconds() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").context("/proc/thread-self/schedstat")?;
    let nanos: u64 = text.split_whitespace().next().context("it is empty")?.parse().context("its first number")?;
    Ok(nanos as f64 / 1e9)
}

/// Resident memory of this process, in bytes.
fn resident() -> anyhow::Result<u64> {
    Ok(1024 * process::status_kib(std::process::id(), "VmRSS:")?)
}
