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
