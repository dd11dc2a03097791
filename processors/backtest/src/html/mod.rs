//! The pages of `--html`: one self-contained file each, inline SVG, a small script that reads values out.
//!
//! ```text
//! Report, PolicyReport × n ─► policies, errors, calibration ─┐
//! Trace of some nodes ──────► band (all of it, worst hours) ─┴─► page
//! ```

mod band;
mod forecasts;
mod page;
mod policies;

use crate::compare::{Differences, NodeDifference};
use crate::measure::{Measures, Trace, TracePoint};
use crate::report::Report;
pub use page::escape;
use page::{SENTENCE, page, table};

/// Nodes drawn from each end.
const ENDS: usize = 2;
/// Decisions in the close view.
const CLOSE: i64 = 360;
/// Nodes in the table of moves.
const MOVES: usize = 15;

/// The page of a backtest; the first policy is the one that was asked for.
#[must_use]
pub fn backtest(file: &str, report: &Report, measures: &mut Measures) -> String {
    let all = measures.policies();
    let letters: Vec<String> = ('A'..='Z').map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    let mut body = policies::section(&all, &letters, measures);
    body.push_str(&forecasts::errors(report));
    body.push_str(&forecasts::calibration(report));
    body.push_str(&nodes(report, measures));
    page(&format!("Backtest of {file}"), &lead(report), &body)
}

/// The page of a comparison: the policy tried comes first.
#[must_use]
pub fn what_if(
    file: &str,
    report: &Report,
    differing: &Differences,
    by_node: &[NodeDifference],
    measures: &mut Measures,
) -> String {
    let mut all = measures.policies();
    all.reverse();
    let mut body = policies::section(&all, &["TRY", "AGAINST"], measures);
    body.push_str(&format!(
        "<h2>Where they differ</h2>\n<p>{} of {} nodes, {} commands ({:.2} %). One move a node, the largest first; quotas are multiples of the base quota.</p>\n",
        differing.nodes, report.nodes, differing.commands, differing.percent
    ));
    let rows: Vec<Vec<String>> = by_node
        .iter()
        .filter_map(|node| {
            let largest = node.largest.as_ref()?;
            Some(vec![
                escape(&node.node_id),
                node.differing.to_string(),
                format!("{:+.2}", node.mean_difference),
                time(largest.timestamp_ms),
                format!("{:.2}", largest.against),
                format!("{:.2}", largest.tried),
                format!("{SENTENCE}{}", escape(&largest.try_reason)),
            ])
        })
        .take(MOVES)
        .collect();
    let head = ["Node", "Commands", "Mean move, points", "Largest at", "Against", "Try", "\u{2028}Reason tried"];
    body.push_str(&table("Largest moves", &head, &rows, None));
    body.push_str(&nodes(report, measures));
    page(&format!("What if: {file}"), &lead(report), &body)
}

fn lead(report: &Report) -> String {
    let dropped: u64 = report.dropped.values().sum();
    let states = &report.states;
    format!(
        "<p class=\"soft\">{} reports of {} nodes, {} to {}. Forecast by {}: {} ready, {} warming, {} demoted. {dropped} records left out. \
         Load that counts: {}.</p>\n",
        report.reports,
        report.nodes,
        report.from_ms.map_or("–".to_owned(), time),
        report.to_ms.map_or("–".to_owned(), time),
        escape(&report.model),
        states.ready,
        states.warming,
        states.demoted,
        escape(&report.resource)
    )
}

/// The nodes that were forecast worst and best.
fn nodes(report: &Report, measures: &mut Measures) -> String {
    let mut traces: Vec<(f64, Trace)> =
        measures.traces().into_iter().filter_map(|trace| Some((loss(&trace)?, trace))).collect();
    traces.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut html = "<h2>Nodes: forecast band against outcome</h2>\n<p>The nodes with the largest and the smallest loss at p90, as \
                    fractions of the base quota. The close view is round the decision that was missed most.</p>\n"
        .to_owned();
    let last_best = traces.len().saturating_sub(ENDS);
    for (rank, (loss, trace)) in traces.iter().enumerate() {
        let end = if rank < ENDS { "worst" } else { "best" };
        if rank >= ENDS && rank < last_best {
            continue;
        }
        html.push_str(&format!("<h3>{}, {end}: pinball {loss:.3} points</h3>\n", escape(&trace.node_id)));
        html.push_str(&band::chart(&format!("{}, all of it", trace.node_id), &trace.points, report.interval_ms));
        let close = close_view(&trace.points, report.interval_ms);
        if close.len() < trace.points.len() {
            html.push_str(&band::chart(&format!("{}, close", trace.node_id), close, report.interval_ms));
        }
    }
    html
}

/// Mean pinball loss at 0.9 of a node, points; `None` where it never was ready.
fn loss(trace: &Trace) -> Option<f64> {
    let ready: Vec<f64> = trace.points.iter().filter(|point| !point.warming).map(missed).collect();
    (!ready.is_empty()).then(|| ready.iter().sum::<f64>() / ready.len() as f64)
}

fn missed(point: &TracePoint) -> f64 {
    let miss = 100.0 * f64::from(point.peak - point.p90);
    (0.9 * miss).max(-0.1 * miss)
}

/// The decisions round the one that was missed most.
fn close_view(points: &[TracePoint], interval_ms: i64) -> &[TracePoint] {
    let worst = points.iter().filter(|point| !point.warming).max_by(|a, b| missed(a).total_cmp(&missed(b)));
    let Some(worst) = worst else { return points };
    let half = CLOSE / 2 * interval_ms.max(1);
    let from = points.partition_point(|point| point.at_ms < worst.at_ms.saturating_sub(half));
    let to = points.partition_point(|point| point.at_ms <= worst.at_ms.saturating_add(half));
    points.get(from..to.max(from)).unwrap_or(points)
}

/// A time for people: date, hour and minute in UTC.
fn time(at_ms: i64) -> String {
    let minutes = at_ms.div_euclid(60_000);
    let (days, minute) = (minutes.div_euclid(1_440), minutes.rem_euclid(1_440));
    let (year, month, day) = civil(days);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

/// Date of a day since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(time(0), "1970-01-01 00:00");
        assert_eq!(time(1_767_571_260_000), "2026-01-05 00:01");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00");
    }
}
