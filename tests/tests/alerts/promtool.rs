//! The same rules and series through `promtool test rules` and through our core: the same alerts at the same evaluations.
//!
//! ```text
//! Case ─┬─> reports ─> Watch ─> who fires after each evaluation ─> exp_alerts ─┐
//!       └─> rule file, input_series ──────────────────────────────────────────┴─> promtool test rules
//! ```

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tidegate_alerts::{DELAY_MS, Labels, Readings, Report, Rules, SERIES, Series, Watch};

use crate::cases::{Case, Samples};

const INDENT: &str = "        ";

/// An alert that fires: its labels and its annotations.
type Firing = (Labels, Labels);
/// An evaluation's event time in s, and what fires after it.
type Outcome = (i64, Vec<Firing>);

/// The alerts that fire after each evaluation.
pub(crate) fn ours(case: &Case) -> Vec<Outcome> {
    let rules = Rules::parse([("case", rule_file(case).as_str())]).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let mut watch: Watch<()> = Watch::new(Arc::new(rules));
    let steps = case.samples.iter().map(|s| s.values.len()).max().unwrap_or(0) as i64;
    let end = steps * case.step_s;
    let mut outcome = Vec::new();
    // Reports in the order of time; the clock comes last, and lets what was reported until DELAY before be evaluated.
    for second in 0..=end + DELAY_MS / 1000 {
        if second % case.step_s == 0 && second < end {
            report_all(case, second, &mut watch);
        }
        let evaluated = second - DELAY_MS / 1000;
        if evaluated >= 0 && evaluated % case.every_s == 0 {
            let clock = Report { node: "clock", pool: "", at: second * 1000, readings: &[None; SERIES] };
            watch.observe(&clock, ());
            let mut firing: Vec<Firing> = watch.alerts().map(|alert| (alert.labels, alert.annotations)).collect();
            firing.sort();
            outcome.push((evaluated, firing));
        }
    }
    outcome
}

fn report_all(case: &Case, second: i64, watch: &mut Watch<()>) {
    let step = (second / case.step_s) as usize;
    let mut nodes: Vec<(&str, &str)> = case.samples.iter().map(|s| (s.node, s.pool)).collect();
    nodes.dedup();
    for (node, pool) in nodes {
        let mut readings: Readings = [None; SERIES];
        for samples in case.samples.iter().filter(|s| s.node == node) {
            readings[samples.series as usize] = samples.values.get(step).copied().flatten();
        }
        if readings.iter().any(Option::is_some) {
            watch.observe(&Report { node, pool, at: second * 1000, readings: &readings }, ());
        }
    }
}

fn rule_file(case: &Case) -> String {
    let rule = case.rule.replace('\n', &format!("\n{INDENT}"));
    let mut file = format!(
        "groups:\n  - name: g\n    interval: {}s\n    rules:\n      - alert: Case\n{INDENT}{rule}\n",
        case.every_s
    );
    if !rule.contains("annotations:") {
        let _ = writeln!(file, "{INDENT}annotations:\n{INDENT}  value: '{{{{ $value }}}}'");
    }
    file
}

/// Whether promtool agrees about all cases; what it says where it does not.
pub(crate) fn agrees(promtool: &Path, cases: &[Case]) -> Result<(), String> {
    let with_outcomes: Vec<_> = cases.iter().map(|case| (case, ours(case))).collect();
    run(promtool, with_outcomes.iter().map(|(case, outcome)| (*case, outcome.as_slice())))
}

/// Whether promtool finds this outcome of a case.
pub(crate) fn agrees_with(promtool: &Path, case: &Case, outcome: &[Outcome]) -> Result<(), String> {
    run(promtool, std::iter::once((case, outcome)))
}

fn run<'c>(promtool: &Path, cases: impl Iterator<Item = (&'c Case, &'c [Outcome])>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut files = Vec::new();
    for (number, (case, outcome)) in cases.enumerate() {
        let rules = folder.path().join(format!("rules-{number}.yml"));
        let test = folder.path().join(format!("test-{number}.yml"));
        std::fs::write(&rules, rule_file(case)).map_err(|e| e.to_string())?;
        std::fs::write(&test, test_file(case, &rules, outcome)).map_err(|e| e.to_string())?;
        files.push(test);
    }
    let said = Command::new(promtool).args(["test", "rules"]).args(&files).output().map_err(|e| e.to_string())?;
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let successes = text.matches("SUCCESS").count();
    if said.status.success() && successes == files.len() {
        return Ok(());
    }
    Err(format!("{successes} of {} cases agree\n{text}", files.len()))
}

fn test_file(case: &Case, rules: &Path, outcome: &[Outcome]) -> String {
    let mut file = format!(
        "rule_files: [{:?}]\nevaluation_interval: {}s\ntests:\n  - interval: {}s\n    name: {:?}\n    input_series:\n",
        rules.display().to_string(),
        case.every_s,
        case.step_s,
        case.name
    );
    for samples in &case.samples {
        let values: Vec<String> = samples.values.iter().map(|v| v.map_or("_".to_owned(), |v| v.to_string())).collect();
        let _ = writeln!(
            file,
            "      - series: '{}'\n        values: '{}'",
            series(samples, samples.series),
            values.join(" ")
        );
    }
    if case.rule.contains(Series::LastReport.name()) {
        last_reports(case, &mut file);
    }
    file.push_str("    alert_rule_test:\n");
    for (second, firing) in outcome {
        let _ = writeln!(file, "      - eval_time: {second}s\n        alertname: Case\n        exp_alerts:");
        for (labels, annotations) in firing {
            let labels: Labels = labels.clone().into_iter().filter(|(name, _)| name != "alertname").collect();
            let _ = writeln!(file, "          - exp_labels: {{{}}}", mapping(&labels));
            let _ = writeln!(file, "            exp_annotations: {{{}}}", mapping(annotations));
        }
    }
    file
}

fn mapping(texts: &Labels) -> String {
    texts.iter().map(|(name, text)| format!("{name}: {text:?}")).collect::<Vec<_>>().join(", ")
}

fn series(samples: &Samples, series: Series) -> String {
    let own = series.label().map_or(String::new(), |(name, value)| format!(",{name}=\"{value}\""));
    format!("{}{{node=\"{}\",pool=\"{}\"{own}}}", series.name(), samples.node, samples.pool)
}

/// The one series that we make up ourselves: there at every moment, with the time of the last report.
fn last_reports(case: &Case, file: &mut String) {
    for samples in &case.samples {
        let mut last = None;
        let mut values = String::new();
        for (step, value) in (0..).zip(&samples.values) {
            if value.is_some() {
                last = Some(step * case.step_s);
            }
            let _ = write!(values, "{} ", last.map_or("_".to_owned(), |last: i64| last.to_string()));
        }
        let _ = writeln!(file, "      - series: '{}'\n        values: '{values}'", series(samples, Series::LastReport));
    }
}
