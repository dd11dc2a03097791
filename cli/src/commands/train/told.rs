//! What `tidegate train` prints: what it learned from, what it left out, and the table against the baselines.

use tidegate_forecast::{Card, Dropped, FileCard, TrainReport};

use crate::commands::{counted, say};

/// Prints all of it on stdout.
pub(super) fn tell(card: &Card, report: &TrainReport) -> anyhow::Result<()> {
    for file in &report.files {
        say(learned_from(file))?;
    }
    for dropped in &report.dropped {
        say(left_out(dropped))?;
    }
    let nodes = &report.held_out_nodes;
    say(match nodes.as_slice() {
        [] => "held out whole: no node".to_owned(),
        nodes => format!("held out whole: {}", nodes.join(", ")),
    })?;
    let intervals: Vec<String> = card.intervals_ms.iter().map(|ms| format!("{} s", ms / 1_000)).collect();
    let simulated = card.data.simulated_nodes;
    say(format!("learned intervals: {} ({simulated} simulated nodes included)", intervals.join(", ")))?;
    for (network, step) in &report.kept {
        say(format!("{network}: weights of step {step} kept"))?;
    }
    table(report)
}

fn learned_from(file: &FileCard) -> String {
    let days = file.to_ms.saturating_sub(file.from_ms) as f64 / 86_400_000.0;
    let nodes = counted(file.nodes as u64, "node");
    format!("learned from {}: {nodes}, {} reports over {days:.1} days", file.source, file.samples)
}

fn left_out(dropped: &Dropped) -> String {
    let place = [dropped.source.as_str(), dropped.node_id.as_str()].map(str::trim).join(" ");
    // What concerns no node is of all of them.
    let place = if place.trim().is_empty() { String::new() } else { format!("{}: ", place.trim()) };
    let reports = counted(dropped.samples as u64, "report");
    format!("left out: {place}{} ({reports})", dropped.why)
}

fn table(report: &TrainReport) -> anyhow::Result<()> {
    say(format!(
        "{:<24} {:<7} {:<7} {:<12} {:>9} {:>9} {:>9} {:>9}",
        "FILE", "PART", "OF", "FORECASTER", "MAE", "PIN.5", "PIN.9", "COVER.9"
    ))?;
    for s in &report.scores {
        say(format!(
            "{:<24} {:<7} {:<7} {:<12} {:>9.3} {:>9.3} {:>9.3} {:>9.3}",
            s.source,
            s.part,
            s.resource.name(),
            s.forecaster,
            s.peak_mae,
            s.pinball_q50,
            s.pinball_q90,
            s.coverage_q90
        ))?;
    }
    say("errors of the peak over the next 5 minutes, in points (1 point = 0.01 of the base quota)")
}
