//! The same rules and series through `promtool test rules` and through our core: the same alerts at the same evaluations.
//!
//! ```text
//! Case ─┬─> reports ─> Watch ─> who fires after each evaluation ─> exp_alerts ─┐
//!       └─> rule file, input_series ──────────────────────────────────────────┴─> promtool test rules
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tidegate_alerts::{Labels, Readings, Report, Rules, SERIES, Series, Watch};

use crate::cases::{Case, Samples};

const INDENT: &str = "        ";

/// Kafka time of a step.
const STEP_MS: i64 = 27_000;
/// When the clock speaks after a step, in s of event time and ms of Kafka time.
const CLOCK: [(i64, i64); 3] = [(2, 9_000), (3, 18_000), (5, 26_999)];

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
    // Reports in the order of time; after each step those of a clock, by the last of which whoever had no sample at two steps is not waited
    // for any more.
    let mut heard: BTreeMap<&str, i64> = BTreeMap::new();
    // All nodes are known before the first sample: a pool cannot wait for whom it has never heard of.
    for samples in &case.samples {
        let empty = &[None; SERIES];
        watch.observe(&Report { node: samples.node, pool: samples.pool, at: -1000, heard: 0, readings: empty }, ());
    }
    for step in 0..=end / case.step_s {
        let second = step * case.step_s;
        if second < end {
            report_all(case, second, &mut heard, &mut watch);
        }
        for (after_s, kafka_ms) in CLOCK {
            let (at, heard) = ((second + after_s) * 1000, step * STEP_MS + kafka_ms);
            watch.observe(&Report { node: "clock", pool: "", at, heard, readings: &[None; SERIES] }, ());
        }
        if second % case.every_s == 0 {
            let alerts = watch.alerts().into_iter();
            let mut firing: Vec<Firing> = alerts.map(|alert| (alert.labels, alert.annotations)).collect();
            firing.sort();
            outcome.push((second, firing));
        }
    }
    outcome
}

fn report_all<'c>(case: &'c Case, second: i64, heard: &mut BTreeMap<&'c str, i64>, watch: &mut Watch<()>) {
    let step = second / case.step_s;
    let mut nodes: Vec<(&str, &str)> = case.samples.iter().map(|s| (s.node, s.pool)).collect();
    nodes.dedup();
    // Nobody waits for one that is back after a while, so it comes first.
    nodes.sort_by_key(|(node, _)| heard.get(node).copied());
    for (node, pool) in nodes {
        let mut readings: Readings = [None; SERIES];
        for samples in case.samples.iter().filter(|s| s.node == node) {
            readings[samples.series as usize] = samples.values.get(step as usize).copied().flatten();
        }
        if readings.iter().any(Option::is_some) {
            heard.insert(node, step);
            let report = Report { node, pool, at: second * 1000, heard: step * STEP_MS, readings: &readings };
            watch.observe(&report, ());
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
