//! `tidegate validate`, and wrong rule files at the start.

use std::time::Duration;

use tidegate_tests::binary;

const WRONG: &str = "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: sum(node_load) > 5\n";

#[test]
fn wrong_files_are_told_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    std::fs::write(&path, WRONG).unwrap();
    let file = path.display().to_string();
    let run = |arguments: &[&str]| binary::run(arguments, Duration::from_secs(60));

    let said = run(&["validate", &file]);
    assert_eq!(said.code, Some(65), "{}", said.stderr);
    assert!(said.stdout.starts_with(&format!("{file}:5:15: sum is taken within one pool")), "{}", said.stdout);
    let told = run(&["validate", &file, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&told["problems"][0]["line"], &told["problems"][0]["column"]), (&5.into(), &15.into()));

    assert_eq!(run(&["validate", "nobody.yml"]).code, Some(66));
}

#[test]
fn every_kind_of_mistake_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |expr: &str, more: &str| {
        format!("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {expr}\n{more}")
    };
    for (name, text, wanted) in [
        ("yaml.yml", "groups:\n  - name: [g\n".to_owned(), ":3:1: "),
        ("syntax.yml", rule("node_load >", ""), ":5:15: this is not PromQL"),
        ("series.yml", rule("node_lod > 1", ""), ":5:15: there is no series node_lod"),
        (
            "function.yml",
            rule("predict_linear(node_load[5m], 60) > 2", ""),
            ":5:15: the function predict_linear is not supported",
        ),
        (
            "template.yml",
            rule("node_load > 1", "        annotations: {summary: '{{ $labels.node | humanise }}'}\n"),
            ":6:",
        ),
        ("open.yml", rule("node_load > 1", "        annotations: {summary: '{{ $value'}\n"), ":6:"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let said = binary::run(&["validate", path.to_str().unwrap()], Duration::from_secs(60));
        assert_eq!(said.code, Some(65), "{name}: {}", said.stderr);
        let (file, told) = said.stdout.split_once(name).unwrap();
        assert!(told.starts_with(wanted), "{file}{name}{told}");
        assert_eq!(said.stdout.lines().count(), 1, "one mistake, one line: {}", said.stdout);
    }
}

#[test]
fn a_wrong_rule_file_stops_a_run_at_its_start() {
    let Some(kafka) = tidegate_tests::kafka::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    std::fs::write(&path, WRONG).unwrap();
    let file = path.display().to_string();
    let arguments = ["run", "alerts", "--rules", &file, "--brokers", kafka.bootstrap()];
    let refused = binary::run(&arguments, Duration::from_secs(60));
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("rules.yml:5:15:"), "{}", refused.stderr);
}
