//! What demotion costs or saves: errors of the peak with and without it, over recorded load.
//!
//! `zcat FILE.csv.gz | cargo run --release -p tidegate-forecast --example demotion -- INTERVAL_S [MODEL]`
//!
//! Reads `node_id,timestamp_ms,cpu,memory` sorted by time. Counted are forecasts after warm-up whose next 5 minutes are
//! at least half measured; errors are in points, 1 point = 0.01 of the base quota.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;

use tidegate_forecast::{
    Artifact, HORIZON_MS, Model, NodeState, Prediction, Resource, ResourceForecast, Sample, Status, baseline,
};

#[derive(Default)]
struct Sums {
    rows: usize,
    demoted: usize,
    without: f64,
    with: f64,
    baseline: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: i64 = arguments.next().ok_or("the interval in seconds is missing")?.parse()?;
    let model = match arguments.next() {
        Some(path) => Model::from_artifact(&Artifact::from_bytes(&std::fs::read(path)?)?)?,
        None => Model::shipped()?,
    };
    let alone = model.clone().without_demotion();
    let mut sums: [Sums; 2] = Default::default();
    for samples in read(seconds * 1_000)?.values() {
        node(&model, &alone, samples, &mut sums);
    }
    println!("model {}", model.name());
    for (resource, sums) in Resource::ALL.into_iter().zip(&sums).filter(|(_, sums)| sums.rows > 0) {
        let (rows, name) = (sums.rows as f64, resource.name());
        let [without, with, baseline] = [sums.without, sums.with, sums.baseline].map(|sum| 100.0 * sum / rows);
        let share = 100.0 * sums.demoted as f64 / rows;
        println!(
            "{name:6} {rows:7} forecasts, {share:6.2} % demoted: {without:.3} without, {with:.3} with, {baseline:.3} baseline"
        );
    }
    Ok(())
}

fn read(interval_ms: i64) -> Result<BTreeMap<String, Vec<Sample>>, Box<dyn Error>> {
    let mut nodes: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for line in std::io::stdin().lock().lines().skip(1) {
        let line = line?;
        let [node, time, cpu, memory] = line.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!("not four columns: {line}").into());
        };
        let load = |text: &str| text.parse().ok();
        let sample = Sample { timestamp_ms: time.parse()?, interval_ms, cpu: load(cpu), memory: load(memory) };
        nodes.entry(node.to_owned()).or_default().push(sample);
    }
    Ok(nodes)
}

fn node(model: &Model, alone: &Model, samples: &[Sample], sums: &mut [Sums; 2]) {
    let mut states = [NodeState::new(), NodeState::new()];
    for (at, sample) in samples.iter().enumerate() {
        let served = model.predict(&mut [(&mut states[0], *sample)])[0];
        let said = alone.predict(&mut [(&mut states[1], *sample)])[0];
        if served.status == Status::Warming {
            continue;
        }
        for resource in Resource::ALL {
            let Some(peak) = peak(samples, at, resource) else { continue };
            let sums = &mut sums[resource as usize];
            let error = |forecast: ResourceForecast| f64::from((forecast.peak.p50 - peak).abs());
            sums.rows += 1;
            sums.demoted += usize::from(states[0].is_demoted(resource));
            sums.without += error(of(&said, resource));
            sums.with += error(of(&served, resource));
            sums.baseline += error(baseline::peak_of_last_5_minutes(&states[0], resource));
        }
    }
}

fn of(prediction: &Prediction, resource: Resource) -> ResourceForecast {
    match resource {
        Resource::Cpu => prediction.cpu,
        Resource::Memory => prediction.memory,
    }
}

/// The highest load of the next 5 minutes.
fn peak(samples: &[Sample], at: usize, resource: Resource) -> Option<f32> {
    let now = &samples[at];
    resource.of(now)?;
    let ahead = samples[at + 1..].iter().take_while(|next| next.timestamp_ms <= now.timestamp_ms + HORIZON_MS);
    let measured: Vec<f32> = ahead.filter_map(|next| resource.of(next)).collect();
    let enough = 2 * measured.len() as i64 >= HORIZON_MS / now.interval_ms;
    if enough { measured.into_iter().reduce(f32::max) } else { None }
}
