//! What a demo came to: one JSON object, or a few lines.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tidegate_broker::KafkaSettings;

use super::feed::Feed;
use super::observe::Observer;
use crate::commands;
use crate::pipeline::Running;

/// The summary, as `--json` prints it.
pub(crate) struct Summary(Value);

/// Sums up.
pub(crate) fn of(kafka: &KafkaSettings, observer: &Observer, running: &[Running], feed: &Feed) -> Summary {
    let scorecard = observer.scorecard.lock().unwrap_or_else(PoisonError::into_inner);
    let score = scorecard.score();
    let round = |ms: Option<f64>| ms.map(|ms| (ms * 1000.0).round() / 1000.0);
    Summary(json!({
        "broker": kafka.brokers,
        "nodes": scorecard.nodes(),
        "reports": feed.sent,
        "forecasts": observer.forecasts.load(Ordering::Relaxed),
        "forecasts_by_state": score.forecasts_by_state,
        "quota_commands": observer.commands.load(Ordering::Relaxed),
        "dead_letters": running.iter().map(|r| r.status.dead_letters()).sum::<u64>(),
        "latency_ms": {
            "p50": round(observer.latency.quantile_ms(0.5)),
            "p99": round(observer.latency.quantile_ms(0.99)),
        },
        "peak_error": score.peak_error,
        "violations_percent": score.violations_percent,
        "bytes": { "json": feed.json_bytes, "wire": feed.publisher.wire_bytes() },
    }))
}

impl Summary {
    pub(crate) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return commands::say_json(&self.0);
        }
        text(&self.0).lines().try_for_each(commands::say)
    }
}

/// A number with so many decimals; a dash where there is none.
fn number(value: &Value, decimals: usize) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |x| format!("{x:.decimals$}"))
}

fn text(s: &Value) -> String {
    let states = &s["forecasts_by_state"];
    let peak = |resource: &str| {
        let e = &s["peak_error"][resource];
        format!(
            "{} points (persistence {}, peak of the last 5 minutes {})",
            number(&e["model"], 2),
            number(&e["persistence"], 2),
            number(&e["max_last_5m"], 2)
        )
    };
    let (json, wire) = (s["bytes"]["json"].as_f64().unwrap_or(0.0), s["bytes"]["wire"].as_f64().unwrap_or(0.0));
    let saved = if json > 0.0 { 100.0 * (1.0 - wire / json) } else { 0.0 };
    format!(
        "{} reports of {} nodes -> {} forecasts ({} ready, {} warming, {} demoted) -> {} quota commands, {} dead letters\n\
         report to quota command: p50 {} ms, p99 {} ms\n\
         error of the CPU peak: {}\n\
         error of the memory peak: {}\n\
         demand above the quota: {} % of reports, {} % with static quotas\n\
         bytes on the wire: {:.1} MB, {saved:.0} % fewer than the reports as JSON",
        s["reports"],
        s["nodes"],
        s["forecasts"],
        states["READY"],
        states["WARMING"],
        states["DEMOTED"],
        s["quota_commands"],
        s["dead_letters"],
        number(&s["latency_ms"]["p50"], 1),
        number(&s["latency_ms"]["p99"], 1),
        peak("cpu"),
        peak("memory"),
        number(&s["violations_percent"]["tidegate"], 2),
        number(&s["violations_percent"]["static"], 2),
        wire / 1e6,
    )
}
