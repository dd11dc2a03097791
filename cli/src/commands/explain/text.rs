//! An explanation for people: from the report down to the quota, a part a paragraph.

use std::fmt::Write;

use tidegate_explain::{ByResource, Explanation, Said, StepView, WhatModelSaid};
use tidegate_forecast::{ResourceView, ScoreView, Status};
use tidegate_schemas::records::QuotaMode;

use crate::event_time;

/// Width of the names on the left.
const NAME: usize = 11;

/// The whole text.
pub(super) fn of(explanation: &Explanation) -> String {
    let mut text = Text(String::new());
    if let Some(alert) = &explanation.alert {
        alerts::asked(alert, &explanation.node_id, &mut text);
    }
    head(explanation, &mut text);
    report(explanation, &mut text);
    saw(explanation, &mut text);
    said(&explanation.said, &mut text);
    decided(explanation, &mut text);
    alerts::beside(&explanation.alerts, &mut text);
    reproduced::of(&explanation.reproduced, &mut text);
    text.0
}

/// Lines with a name on the left where one begins a part.
struct Text(String);

impl Text {
    fn line(&mut self, name: &str, words: impl std::fmt::Display) {
        // Writing to a String does not fail.
        writeln!(self.0, "{}", format!("{name:NAME$}{words}").trim_end()).unwrap_or_default();
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }
}

fn head(explanation: &Explanation, text: &mut Text) {
    let Explanation { node_id, sequence, timestamp, report, trace_id, .. } = explanation;
    let pool = if report.pool.is_empty() { String::new() } else { format!(" of pool {}", report.pool) };
    text.line("node", format!("{node_id}{pool}, sequence {sequence}, {}", event_time::show(*timestamp)));
    let trace = trace_id.as_ref().map(|id| format!("{id}; its spans, where it was sampled: tidegate trace {id}"));
    text.line("trace", trace.unwrap_or_else(|| "none: the report began none".to_owned()));
    text.gap();
}

fn report(explanation: &Explanation, text: &mut Text) {
    let Explanation { cause, report, stretch, .. } = explanation;
    text.line("report", format!("{}/{}/{}", cause.topic, cause.partition, cause.offset));
    let load = |load: Option<f64>| load.map_or_else(|| "not measured".to_owned(), percent);
    text.line(
        "",
        format!(
            "CPU {}, memory {} of the base quota, {}",
            load(report.cpu),
            load(report.memory),
            number(report.base_quota)
        ),
    );
    if let Some(quota) = report.quota_in_force {
        let command = report.quota_sequence.map(|sequence| format!(", by command {sequence}")).unwrap_or_default();
        text.line("", format!("quota in force at the edge {}{command}", number(quota)));
    }
    let left_out =
        if stretch.left_out > 0 { format!(", {} of them left out", stretch.left_out) } else { String::new() };
    text.line(
        "",
        format!("depends on {} reports since {}{left_out}", stretch.reports, event_time::show(stretch.since)),
    );
    if let Some(missing) = &stretch.missing {
        text.line("", format!("! {missing}"));
    }
    text.gap();
}

fn saw(explanation: &Explanation, text: &mut Text) {
    let resources = [("CPU", &explanation.saw.cpu), ("memory", &explanation.saw.memory)];
    let mut name = "seen";
    for (resource, view) in resources.into_iter().filter_map(|(name, view)| Some((name, view.as_ref()?))) {
        let past = view
            .past
            .iter()
            .map(|past| format!("{} min {:.1} ({:.1})", past.minutes, 100.0 * past.mean, 100.0 * past.max));
        let past = past.collect::<Vec<_>>().join(", ");
        text.line(name, format!("{resource:7}now {}; mean (highest) of {past} %", percent(view.current)));
        text.line(
            "",
            format!(
                "       known since {}, own scale {:.2} points",
                event_time::show(view.begun_ms),
                100.0 * view.scale
            ),
        );
        if let Some(correction) = &view.correction {
            let [p50, p90] = [correction.peak_p50, correction.peak_p90].map(|load| 100.0 * load);
            text.line("", format!("       its own past moves p50 by {p50:+.2}, p90 by {p90:+.2} points"));
        }
        text.line("", format!("       {}", score(view)));
        name = "";
    }
    text.gap();
}

/// How the model stands beside the baseline.
fn score(view: &ResourceView) -> String {
    let windows: Vec<String> = view.scores.iter().filter(|score| score.outcomes > 0).map(window).collect();
    let stands = match view.status {
        Status::Warming => "warming up: no whole hour seen yet",
        Status::Ready => "the model forecasts",
        Status::Demoted => "demoted: the baseline forecasts",
    };
    if windows.is_empty() {
        return format!("{stands}; no outcomes to score it by yet");
    }
    format!("{stands}; error of the peak, model / baseline: {}", windows.join(", "))
}

fn window(score: &ScoreView) -> String {
    let mean = |x: Option<f64>| x.map_or_else(|| "–".to_owned(), |x| format!("{x:.2}"));
    let begun = event_time::show(score.begun_ms);
    let clock = begun.get(11..16).unwrap_or(&begun);
    format!("{} / {} from {clock}", mean(score.model), mean(score.baseline))
}

fn said(said: &Said, text: &mut Text) {
    let state = match said.state {
        Status::Warming => "WARMING: the baseline forecasts until a whole hour was seen",
        Status::Ready => "READY: the model forecasts",
        Status::Demoted => "DEMOTED: the model lost to the baseline, which forecasts",
    };
    text.line("forecast", format!("{state} ({})", said.model));
    text.line("", format!("CPU    {}", forecast(&said.cpu)));
    text.line("", format!("memory {}", forecast(&said.memory)));
    if let Some(ByResource { cpu, memory }) = &said.underneath {
        text.line("", "the model alone would have said");
        text.line("", format!("CPU    {}", forecast(cpu)));
        text.line("", format!("memory {}", forecast(memory)));
    }
    text.gap();
}

fn forecast(said: &WhatModelSaid) -> String {
    let path: Vec<String> = said.path.iter().map(|load| format!("{:.1}", 100.0 * load)).collect();
    let (p50, p90) = (percent(said.peak_p50), percent(said.peak_p90));
    format!("peak of the next 5 min {p50}, 9 times in 10 below {p90}; by the minute {} %", path.join(" "))
}

fn decided(explanation: &Explanation, text: &mut Text) {
    let decided = &explanation.decided;
    let command = &decided.command;
    let before = decided.before.as_ref().map_or_else(
        || "the command before it is not there".to_owned(),
        |before| format!("goes on from command {}: {}", before.sequence, number(before.quota)),
    );
    text.line("decision", format!("policy {}; {before}", command.policy));
    text.line(
        "",
        format!(
            "peak that counts {} (p50), {} (p90); current load {}",
            percent(command.predicted_load),
            percent(command.forecast_p90),
            percent(command.current_load)
        ),
    );
    for (at, StepView { name, before, after, why }) in (1..).zip(&decided.steps) {
        text.line("", format!("{at}. {name:18} {before:.4} → {after:.4}  {why}"));
    }
    let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join("; ") };
    text.line("", format!("guard rails that bound: {}", list(&command.limits_hit)));
    text.line("", format!("controls in force: {}", list(&decided.controls)));
    text.gap();
    let (quota, base) = (number(command.quota), number(command.base_quota));
    text.line(
        "quota",
        format!(
            "{quota} of {base} ({:.2} × base), until {}",
            command.scale_factor,
            event_time::show(command.valid_until)
        ),
    );
    text.line("", &command.reason);
    if command.mode == QuotaMode::Recommend {
        text.line("", "recommended: edges do not enforce it");
    }
    text.gap();
}

fn percent(load: f64) -> String {
    format!("{:.1} %", 100.0 * load)
}

/// A quota without needless decimals.
fn number(x: f64) -> String {
    format!("{x:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

mod alerts;
mod reproduced;
#[cfg(test)]
mod tests;
