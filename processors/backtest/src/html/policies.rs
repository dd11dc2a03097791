//! Violations against unused capacity: each policy a point, constant quotas a line.

use super::page::{escape, figure, table};
use crate::measure::Measures;
use crate::report::PolicyReport;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 48.0;
/// Smallest share on the logarithmic axis, %: fewer are drawn there.
const LEAST: f64 = 0.01;

/// The figure and its table; the first policy is the page's own. `marks`: what each is called in both.
pub(super) fn section(policies: &[PolicyReport], marks: &[&str], measures: &Measures) -> String {
    let unused = |policy: &PolicyReport| policy.mean_unused.unwrap_or(0.0);
    let right = policies.iter().map(unused).fold(10.0, f64::max) * 1.15;
    let x = |unused: f64| LEFT + (WIDTH - LEFT - RIGHT) * (unused / right).min(1.0);
    let decades = 100_f64.log10() - LEAST.log10();
    let y = |percent: f64| {
        TOP + (HEIGHT - TOP - BOTTOM) * (100_f64.log10() - percent.clamp(LEAST, 100.0).log10()) / decades
    };
    let mut svg = axes(right, &x, &y);
    svg.push_str(&constant_quotas(measures, right, &x, &y));
    for (index, policy) in policies.iter().enumerate().rev() {
        let Some(violations) = policy.horizon_violations_percent else { continue };
        let (px, py) = (x(unused(policy)), y(violations));
        let own = if index == 0 { " own" } else { "" };
        // On the left of a point far right, where its name would be cut off.
        let (beside, anchor) = if px > 0.85 * WIDTH { (-9.0, "end") } else { (9.0, "start") };
        svg.push_str(&format!(
            "<circle class=\"point{own}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"6\"><title>{}</title></circle>\
             <text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
            escape(&policy.name),
            px + beside,
            py - 7.0,
            mark(marks, index)
        ));
    }
    format!(
        "<h2>Policies: violations against unused capacity</h2>\n<p>Down and left is better: fewer samples above the quota within 5 \
         minutes of its decision, and less capacity that nobody used. The dotted line is what constant quotas, the same for all, would have done.</p>\n\
         <figure>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Violations against unused capacity; the table below has the values\">\n{svg}</svg>\n</figure>\n{}",
        policy_table(policies, marks)
    )
}

fn mark<'a>(marks: &[&'a str], index: usize) -> &'a str {
    marks.get(index).copied().unwrap_or("·")
}

fn axes(right: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut svg = String::new();
    for (percent, label) in [(100.0, "100 %"), (10.0, "10 %"), (1.0, "1 %"), (0.1, "0.1 %"), (LEAST, "≤ 0.01")] {
        svg.push_str(&format!(
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{:.1}\" y2=\"{:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
            WIDTH - RIGHT,
            y(percent),
            y(percent),
            LEFT - 6.0,
            y(percent) + 4.0
        ));
    }
    let steps = [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0];
    let step = steps.into_iter().find(|step| right / step <= 7.0).unwrap_or(right);
    for tick in 0..=((right / step) as usize) {
        let value = step * tick as f64;
        svg.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>\n",
            x(value),
            HEIGHT - BOTTOM + 20.0
        ));
    }
    svg.push_str(&format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">mean unused, points</text>\n",
        WIDTH - RIGHT,
        HEIGHT - 6.0
    ));
    svg
}

fn constant_quotas(measures: &Measures, right: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let points = (1..=120).filter_map(|step| measures.constant(0.025 * f64::from(step)));
    let places: Vec<String> = points
        .take_while(|(_, unused)| *unused <= right)
        .map(|(violations, unused)| format!("{:.1},{:.1}", x(unused), y(violations)))
        .collect();
    format!("<polyline class=\"static\" points=\"{}\"/>\n", places.join(" "))
}

/// The policies' figures, the first one marked.
fn policy_table(policies: &[PolicyReport], marks: &[&str]) -> String {
    let head = [
        "Policy",
        "Above, horizon %",
        "Above, in force %",
        "Unused",
        "Shortfall",
        "Changes/h",
        "Mean quota",
        "Goodput %",
        "Static %",
    ];
    let rows: Vec<Vec<String>> = policies
        .iter()
        .enumerate()
        .map(|(index, policy)| {
            vec![
                format!("{} {}", mark(marks, index), escape(&policy.name)),
                figure(policy.horizon_violations_percent, 3),
                figure(policy.violations_percent, 3),
                figure(policy.mean_unused, 2),
                figure(policy.mean_shortfall, 3),
                figure(policy.changes_per_node_hour, 1),
                figure(policy.mean_scale, 3),
                figure(policy.goodput_percent, 3),
                figure(policy.static_goodput_percent_at_equal_mean_quota, 3),
            ]
        })
        .collect();
    table("Policies", &head, &rows, Some(0))
}
