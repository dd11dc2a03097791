//! A chart of one node over time: the forecast band (p50 to p90), the peak that came, the quota.
//!
//! Decisions are put into about 360 columns of equal length and averaged in each, so that a chart has the same size
//! whatever the file. A gap of more than an hour is drawn as a narrow blank, however long it was.

use std::fmt::Write;

use super::page::escape;
use crate::measure::TracePoint;

const COLUMNS: usize = 360;
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 30.0;
/// A longer time without a decision is a gap, ms.
const GAP_MS: i64 = 3_600_000;
/// Width of a gap, as a share of the time that has decisions.
const BLANK: f64 = 0.02;
/// Columns without a decision beyond which a line is broken.
const BREAK: f64 = 3.0;

/// Averages over one column.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    at_ms: f64,
    /// Place on the axis, ms of time that has decisions.
    place: f64,
    p50: f64,
    p90: f64,
    peak: f64,
    quota: f64,
    against: Option<f64>,
    count: f64,
}

/// The chart as a figure; `name` says what it shows.
pub(super) fn chart(name: &str, points: &[TracePoint], interval_ms: i64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let places = places(points);
    let span = places.last().copied().unwrap_or(0.0).max(1.0);
    let width = (span / COLUMNS as f64).max(interval_ms.max(1) as f64);
    let columns = columns(points, &places, width);
    let top =
        columns.iter().map(|c| c.p90.max(c.peak).max(c.quota).max(c.against.unwrap_or(0.0))).fold(0.1, f64::max) * 1.05;
    let x = |place: f64| LEFT + (WIDTH - LEFT - RIGHT) * place / span;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / top);
    let compared = first.against.is_some();
    let mut svg = axes(first.at_ms, last.at_ms, top, &y);
    for stretch in columns.chunk_by(|a, b| b.place - a.place <= BREAK * width) {
        let line = |pick: &dyn Fn(&Column) -> f64| -> String {
            stretch.iter().map(|c| format!("{:.1},{:.1} ", x(c.place), y(pick(c)))).collect()
        };
        let back: String = stretch.iter().rev().map(|c| format!("{:.1},{:.1} ", x(c.place), y(c.p50))).collect();
        let mut put = |class: &str, tag: &str, places: &str| {
            svg.write_fmt(format_args!("<{tag} class=\"{class}\" points=\"{}\"/>\n", places.trim()))
                .unwrap_or_default();
        };
        put("band", "polygon", &format!("{}{back}", line(&|c| c.p90)));
        put("median", "polyline", &line(&|c| c.p50));
        if compared {
            put("static", "polyline", &line(&|c| c.against.unwrap_or(c.quota)));
        }
        put("quota", "polyline", &line(&|c| c.quota));
        put("outcome", "polyline", &line(&|c| c.peak));
    }
    let averaged = if columns.len() < points.len() { ", averages" } else { "" };
    format!(
        "<figure>\n<figcaption>{name}{averaged}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" tabindex=\"0\" \
         aria-label=\"{label}; arrow keys read the values\" data-chart=\"{data}\">\n{svg}\
         <line class=\"cursor\" y1=\"{TOP}\" y2=\"{bottom}\" x1=\"0\" x2=\"0\"/>\n</svg>\n<output aria-live=\"polite\"></output>\n<ul class=\"legend\">{LEGEND}{against}</ul>\n</figure>\n",
        against = if compared { AGAINST } else { "" },
        name = escape(name),
        label = escape(name),
        data = escape(&data(&columns, &x)),
        bottom = HEIGHT - BOTTOM,
    )
}

const LEGEND: &str = "\
<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><line class=\"outcome\" x2=\"26\" y1=\"6\" y2=\"6\"/></svg>peak that came</li>\
<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><rect class=\"band\" width=\"26\" height=\"12\"/><line class=\"median\" x2=\"26\" y1=\"11\" y2=\"11\"/></svg>forecast p50 to p90</li>\
<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><line class=\"quota\" x2=\"26\" y1=\"6\" y2=\"6\"/></svg>quota</li>";
const AGAINST: &str = "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><line class=\"static\" x2=\"26\" y1=\"6\" y2=\"6\"/></svg>quota it is held against</li>";

/// Where on the axis each decision stands: event time from the first one on, gaps made narrow.
fn places(points: &[TracePoint]) -> Vec<f64> {
    let steps: Vec<i64> = points.windows(2).map(|pair| pair[1].at_ms.saturating_sub(pair[0].at_ms).max(0)).collect();
    let filled: i64 = steps.iter().filter(|step| **step <= GAP_MS).sum();
    let blank = BLANK * filled as f64;
    let mut place = 0.0;
    let rest = steps.into_iter().map(|step| {
        place += if step > GAP_MS { blank } else { step as f64 };
        place
    });
    std::iter::once(0.0).chain(rest).collect()
}

fn columns(points: &[TracePoint], places: &[f64], width: f64) -> Vec<Column> {
    let first_ms = points.first().map_or(0, |point| point.at_ms);
    let mut columns: Vec<Column> = Vec::new();
    let placed: Vec<(&TracePoint, f64)> = points.iter().zip(places.iter().copied()).collect();
    for group in placed.chunk_by(|a, b| (a.1 / width).floor() == (b.1 / width).floor()) {
        let mut sum = Column::default();
        for (point, place) in group {
            sum.at_ms += point.at_ms.saturating_sub(first_ms) as f64;
            sum.place += place;
            sum.p50 += f64::from(point.p50);
            sum.p90 += f64::from(point.p90);
            sum.peak += f64::from(point.peak);
            sum.quota += f64::from(point.quota);
            sum.against = point.against.map(|quota| sum.against.unwrap_or(0.0) + f64::from(quota));
            sum.count += 1.0;
        }
        columns.push(Column {
            at_ms: first_ms as f64 + sum.at_ms / sum.count,
            place: sum.place / sum.count,
            p50: sum.p50 / sum.count,
            p90: sum.p90 / sum.count,
            peak: sum.peak / sum.count,
            quota: sum.quota / sum.count,
            against: sum.against.map(|quota| quota / sum.count),
            count: sum.count,
        });
    }
    columns
}

fn axes(first_ms: i64, last_ms: i64, top: f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut svg = String::new();
    let step = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1000.0];
    let step = step.into_iter().find(|step| top / step <= 5.0).unwrap_or(top / 4.0);
    for line in 0..=((top / step) as usize) {
        let value = step * line as f64;
        svg.push_str(&format!(
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{:.1}\" y2=\"{:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            WIDTH - RIGHT,
            y(value),
            y(value),
            LEFT - 6.0,
            y(value) + 4.0,
            (value * 100.0).round() / 100.0
        ));
    }
    for (at, place, anchor) in [(first_ms, LEFT, "start"), (last_ms, WIDTH - RIGHT, "end")] {
        let shown = super::time(at);
        svg.push_str(&format!("<text x=\"{place}\" y=\"{}\" text-anchor=\"{anchor}\">{shown}</text>\n", HEIGHT - 8.0));
    }
    svg
}

/// The values that the script reads out.
fn data(columns: &[Column], x: &dyn Fn(f64) -> f64) -> String {
    let list = |pick: &dyn Fn(&Column) -> String| columns.iter().map(pick).collect::<Vec<_>>().join(",");
    let number = |value: f64| format!("{value:.4}");
    format!(
        "{{\"t\":[{}],\"x\":[{}],\"p50\":[{}],\"p90\":[{}],\"peak\":[{}],\"quota\":[{}]}}",
        list(&|c| format!("{:.0}", c.at_ms)),
        list(&|c| format!("{:.1}", x(c.place))),
        list(&|c| number(c.p50)),
        list(&|c| number(c.p90)),
        list(&|c| number(c.peak)),
        list(&|c| number(c.quota))
    )
}
