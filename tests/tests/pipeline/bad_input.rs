//! Bad files: one clear sentence each, the right exit code, and nothing published of what is wrong.

use std::io::Write;

use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_tests::brokers::TestBroker;

use crate::bad_settings::assert_refused;
use crate::fixture::{Pipeline, on_both_brokers};

on_both_brokers!(a_broken_csv_is_named_by_line_and_column_and_that_line_is_left_out);

/// 65 of sysexits: the input data is wrong.
const DATA: i32 = 65;
/// 66 of sysexits: there is no such input.
const NO_INPUT: i32 = 66;

const CSV: &str = "node_id,timestamp_ms,cpu,memory
a,1700000000000,0.5,0.4
b,1700000000000,zero,0.4
a,1700000010000,0.6,0.4
a,1700000020000,-1,0.4
a,1700000030000
,1700000030000,0.5,0.5
a,1700000040000,0.7,
";

fn a_broken_csv_is_named_by_line_and_column_and_that_line_is_left_out(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "broken-csv");
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    file.write_all(CSV.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let finished = pipeline.run(&["replay", path, "--speed", "max"]);

    assert_eq!(finished.code, Some(DATA), "{}", finished.stderr);
    for (line, words) in [(3, "column 3"), (5, "-1"), (6, "field"), (7, "node")] {
        let place = format!("{path}: line {line}");
        let said =
            finished.stderr.lines().find(|l| l.contains(&place)).unwrap_or_else(|| panic!("{}", finished.stderr));
        assert!(said.contains(words), "{said}");
    }
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    let reports: Vec<LoadReport> = pipeline.decoded(Topic::Load);
    let mut published: Vec<(&str, i64, Option<f64>)> =
        reports.iter().map(|r| (r.node_id.as_str(), r.timestamp, r.memory)).collect();
    published.sort_by_key(|(_, timestamp, _)| *timestamp);
    let wanted =
        [("a", 1_700_000_000_000, Some(0.4)), ("a", 1_700_000_010_000, Some(0.4)), ("a", 1_700_000_040_000, None)];
    assert_eq!(published, wanted);
}

#[test]
fn files_that_are_missing_or_foreign_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("foreign.model"), b"PK\x03\x04 this is an archive").unwrap();
    std::fs::write(path("foreign.csv"), b"when,what\n1,2\n").unwrap();
    std::fs::write(path("torn.avro"), b"Obj\x01torn").unwrap();
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "bad-files");
    for (command, name, code) in [
        (&["run", "forecast", "--model"][..], "missing.model", NO_INPUT),
        (&["run", "forecast", "--model"], "foreign.model", DATA),
        (&["replay"], "missing.csv", NO_INPUT),
        (&["replay"], "foreign.csv", DATA),
        (&["replay"], "torn.avro", DATA),
    ] {
        let file = path(name);
        assert_refused(&pipeline.arguments(&[command, &[&file]].concat()), code, name);
    }
    assert_eq!(pipeline.read(Topic::Load), []);
}
