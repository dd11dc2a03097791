//! The forecasts: errors beside the simple ones, and calibration.

use super::page::{escape, figure, table};
use crate::report::{ByResource, ForecastErrors, NodeReport, Report};

const WIDTH: f64 = 760.0;
const NAMES: f64 = 150.0;
const ROW: f64 = 24.0;
/// Nodes drawn at most.
const DRAWN: usize = 20;

/// The table of errors.
pub(super) fn errors(report: &Report) -> String {
    let simple = &report.baselines;
    let forecasters: [(&str, &ByResource); 5] = [
        ("forecast", &report.forecast),
        ("persistence", &simple.persistence),
        ("peak of the last 5 minutes", &simple.max_last_5m),
        ("EWMA", &simple.ewma),
        ("linear regression", &simple.linear),
    ];
    let mut html = "<h2>Forecasts beside simple ones</h2>\n<p>The peak of the next 5 minutes, errors in points; warming nodes are left out.</p>\n".to_owned();
    for (resource, pick) in PICKS {
        let rows: Vec<Vec<String>> = forecasters.iter().map(|(name, by)| errors_row(name, &pick(by))).collect();
        if pick(&report.forecast).rows > 0 {
            let head = [resource, "MAE", "Pinball 0.5", "Pinball 0.9", "Below p90 %", "MAE at +5 min"];
            html.push_str(&table(&format!("Errors, {resource}"), &head, &rows, Some(0)));
        }
    }
    html
}

type Pick = fn(&ByResource) -> ForecastErrors;
const PICKS: [(&str, Pick); 2] = [("CPU", |by| by.cpu), ("Memory", |by| by.memory)];

fn errors_row(name: &str, errors: &ForecastErrors) -> Vec<String> {
    let peak = &errors.peak;
    vec![
        name.to_owned(),
        figure(peak.mae, 3),
        figure(peak.pinball_q50, 3),
        figure(peak.pinball_q90, 3),
        figure(peak.coverage_q90.map(|share| 100.0 * share), 1),
        figure(errors.at_5m.mae, 3),
    ]
}

/// What share of outcomes lay at or below each quantile, for the file and its nodes.
pub(super) fn calibration(report: &Report) -> String {
    let mut html = "<h2>Calibration</h2>\n<p>The share of peaks at or below the forecast p50 (open dot) and p90 (full dot). On the \
                    dashed lines the quantiles keep their word.</p>\n"
        .to_owned();
    for (resource, pick) in PICKS {
        let mut rows = vec![("all nodes".to_owned(), pick(&report.forecast))];
        let off = |node: &&NodeReport| -pick(&node.forecast).peak.coverage_q90.map_or(0.0, |share| (share - 0.9).abs());
        let mut nodes: Vec<&NodeReport> = report.by_node.iter().filter(|n| pick(&n.forecast).rows > 0).collect();
        nodes.sort_by(|a, b| off(a).total_cmp(&off(b)));
        rows.extend(nodes.iter().take(DRAWN).map(|node| (node.node_id.clone(), pick(&node.forecast))));
        if rows[0].1.rows > 0 {
            let left = nodes.len().saturating_sub(DRAWN);
            html.push_str(&strip(resource, &rows, left));
        }
    }
    html
}

fn strip(resource: &str, rows: &[(String, ForecastErrors)], left_out: usize) -> String {
    let height = ROW * (rows.len() as f64 + 1.5);
    let x = |share: f64| NAMES + (WIDTH - NAMES - 20.0) * share;
    let mut svg = String::new();
    for (share, class) in [(0.0, "axis"), (0.5, "target"), (0.9, "target"), (1.0, "axis")] {
        svg.push_str(&format!(
            "<line class=\"{class}\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{1:.1}\"/><text x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">{3:.0}</text>\n",
            x(share),
            height - ROW,
            height - 6.0,
            100.0 * share
        ));
    }
    for (index, (name, errors)) in rows.iter().enumerate() {
        let y = ROW * (index as f64 + 0.5);
        let mark = if index == 0 { " class=\"mark\"" } else { "" };
        svg.push_str(&format!("<text{mark} x=\"0\" y=\"{:.1}\">{}</text>\n", y + 5.0, escape(&short(name))));
        for (share, class) in [(errors.peak.coverage_q50, "dot50"), (errors.peak.coverage_q90, "dot90")] {
            if let Some(share) = share {
                svg.push_str(&format!(
                    "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"6\"><title>{} {:.1} %</title></circle>\n",
                    x(share),
                    escape(name),
                    100.0 * share
                ));
            }
        }
    }
    let more = if left_out > 0 { format!("; {left_out} nodes closer to 90 % are not drawn") } else { String::new() };
    let all = &rows[0].1.peak;
    format!(
        "<figure>\n<figcaption>{resource}: {} % of peaks below p50, {} % below p90{more}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Calibration of {resource} by node\">\n{svg}</svg>\n</figure>\n",
        figure(all.coverage_q50.map(|s| 100.0 * s), 1),
        figure(all.coverage_q90.map(|s| 100.0 * s), 1)
    )
}

fn short(name: &str) -> String {
    if name.chars().count() <= 16 { name.to_owned() } else { name.chars().take(15).chain(['…']).collect() }
}
