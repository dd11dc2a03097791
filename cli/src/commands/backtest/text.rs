//! The report for people.

use std::time::{Duration, UNIX_EPOCH};

use tidegate_backtest::{ForecastErrors, NodeReport, PolicyReport, Report};
use tidegate_schemas::records::ForecastsByState;

use crate::commands::{counted, say};

/// Nodes named at most.
const WORST: usize = 5;

/// Prints the report.
pub(crate) fn tell(file: &str, report: &Report) -> anyhow::Result<()> {
    head(file, report)?;
    forecasts(report)?;
    say("")?;
    say(format!("POLICY {} (load that counts: {})", report.policy.name, report.resource))?;
    policy_rows(std::slice::from_ref(&report.policy))?;
    worst(&report.by_node)
}

fn head(file: &str, report: &Report) -> anyhow::Result<()> {
    let (from, to) = (time(report.from_ms), time(report.to_ms));
    say(format!(
        "{file}: {} of {}, {from} to {to}",
        counted(report.reports, "report"),
        counted(report.nodes as u64, "node")
    ))?;
    let interval = humantime::format_duration(Duration::from_millis(report.interval_ms.max(0).cast_unsigned()));
    let others = report.intervals_ms.len() > 1;
    say(format!(
        "every {interval}{}; forecast by {}: {}",
        if others { " mostly" } else { "" },
        report.model,
        states(&report.states)
    ))?;
    let dropped: Vec<String> = report.dropped.iter().map(|(why, count)| format!("{count} {why}")).collect();
    if !dropped.is_empty() {
        say(format!("left out: {}", dropped.join(", ")))?;
    }
    Ok(())
}

/// Counts by state in words.
fn states(states: &ForecastsByState) -> String {
    format!("{} ready, {} warming, {} demoted", states.ready, states.warming, states.demoted)
}

fn forecasts(report: &Report) -> anyhow::Result<()> {
    say("")?;
    say("PEAK OF THE NEXT 5 MINUTES, in points (1 point = 0.01 of the base quota), warming nodes left out")?;
    say(format!(
        "{:<7} {:<22} {:>8} {:>8} {:>8} {:>9} {:>10}",
        "OF", "FORECASTER", "MAE", "PIN.5", "PIN.9", "BELOW P90", "MAE +5 MIN"
    ))?;
    let baselines = &report.baselines;
    for resource in ["cpu", "memory"] {
        let pick = |by: &tidegate_backtest::ByResource| if resource == "cpu" { by.cpu } else { by.memory };
        if pick(&report.forecast).rows == 0 {
            say(format!("{resource:<7} nothing to judge"))?;
            continue;
        }
        for (name, errors) in [
            ("forecast", pick(&report.forecast)),
            ("persistence", pick(&baselines.persistence)),
            ("peak of last 5 min", pick(&baselines.max_last_5m)),
            ("EWMA", pick(&baselines.ewma)),
            ("linear regression", pick(&baselines.linear)),
        ] {
            say(errors_row(resource, name, &errors))?;
        }
    }
    let linear = &report.linear;
    if linear.cpu_rows.max(linear.memory_rows) < 500 {
        say(
            "the linear regression had fewer than 500 rows to learn from; it stands for the peak of the last 5 minutes",
        )?;
    }
    Ok(())
}

fn errors_row(resource: &str, name: &str, errors: &ForecastErrors) -> String {
    let peak = &errors.peak;
    format!(
        "{resource:<7} {name:<22} {:>8} {:>8} {:>8} {:>9} {:>10}",
        figure(peak.mae, 3),
        figure(peak.pinball_q50, 3),
        figure(peak.pinball_q90, 3),
        peak.coverage_q90.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share)),
        figure(errors.at_5m.mae, 3)
    )
}

/// What policies did, a column each.
pub(crate) fn policy_rows(policies: &[PolicyReport]) -> anyhow::Result<()> {
    type Pick = fn(&PolicyReport) -> Option<f64>;
    let rows: [(&str, &str, Pick); 9] = [
        ("above the quota in force", "% of samples", |p| p.violations_percent),
        ("above a decision's quota", "% of its 5 minutes", |p| p.horizon_violations_percent),
        ("  the same after a day", "%", |p| p.horizon_violations_percent_after_first_day),
        ("unused", "points", |p| p.mean_unused),
        ("shortfall", "points", |p| p.mean_shortfall),
        ("changes", "a node and hour", |p| p.changes_per_node_hour),
        ("mean quota in force", "× base quota", |p| p.mean_scale),
        ("demand under the quota", "%", |p| p.goodput_percent),
        ("  static, same mean", "%", |p| p.static_goodput_percent_at_equal_mean_quota),
    ];
    for (name, unit, pick) in rows {
        let columns: Vec<String> = policies.iter().map(|policy| format!("{:>12}", figure(pick(policy), 3))).collect();
        say(format!("{name:<26}{}  {unit}", columns.join("")))?;
    }
    Ok(())
}

fn worst(nodes: &[NodeReport]) -> anyhow::Result<()> {
    if nodes.len() < 2 {
        return Ok(());
    }
    say("")?;
    say("NODES most often above a decision's quota")?;
    say(format!(
        "{:<24} {:>9} {:>11} {:>9} {:>9} {:>9}",
        "NODE", "ABOVE %", "AFTER A DAY", "UNUSED", "CPU MAE", "MEM. MAE"
    ))?;
    for node in nodes.iter().take(WORST) {
        say(format!(
            "{:<24} {:>9} {:>11} {:>9} {:>9} {:>9}",
            node.node_id,
            figure(node.policy.horizon_violations_percent, 3),
            figure(node.policy.horizon_violations_percent_after_first_day, 3),
            figure(node.policy.mean_unused, 2),
            figure(node.forecast.cpu.peak.mae, 3),
            figure(node.forecast.memory.peak.mae, 3)
        ))?;
    }
    Ok(())
}

fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// An event time for people.
pub(crate) fn time(at_ms: Option<i64>) -> String {
    let at = at_ms.and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(ms).ok()?)));
    // Times beyond the year 9999 have no such form.
    let shown = at.filter(|_| at_ms.is_some_and(|ms| ms < 253_402_300_800_000));
    shown.map_or_else(
        || at_ms.map_or("-".to_owned(), |ms| format!("{ms} ms")),
        |at| humantime::format_rfc3339_seconds(at).to_string(),
    )
}
