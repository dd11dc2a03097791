//! Files as they should not be: each is backtested or refused with a sentence, never a panic, and what was dropped is shown.

use crate::{csv, file, json, text, tidegate};

fn dropped(report: &serde_json::Value, why: &str) -> u64 {
    report["dropped"][why].as_u64().unwrap_or(0)
}

#[test]
fn odd_files_are_measured_and_what_was_dropped_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, text_of: &str| json(&["backtest", text(&file(folder.path(), name, text_of))]);
    let day = csv(&["only"], 1_440, |_, minute| 0.3 + 0.1 * (minute % 60) as f64 / 60.0);
    let header = day.lines().next().unwrap().to_owned() + "\n";
    let rows: Vec<&str> = day.lines().skip(1).collect();

    let one_node = of("one.csv", &day);
    assert_eq!((&one_node["nodes"], &one_node["reports"]), (&1.into(), &1_440.into()));
    assert!(one_node["forecast"]["cpu"]["peak"]["mae"].is_number());

    let constant = of("constant.csv", &csv(&["flat"], 600, |_, _| 0.5));
    assert_eq!(constant["forecast_all_states"]["memory"]["peak"]["coverage_q90"].as_f64(), Some(1.0), "{constant}");

    let half: String = rows.iter().step_by(2).map(|row| format!("{row}\n")).collect();
    assert_eq!(of("half.csv", &(header.clone() + &half))["reports"], 720);

    let twice: String = rows.iter().map(|row| format!("{row}\n{row}\n")).collect();
    let report = of("twice.csv", &(header.clone() + &twice));
    assert_eq!((report["reports"].as_u64(), dropped(&report, "repeated")), (Some(1_440), 1_440));

    // Pairs of rows swapped: the later one stands, the earlier one comes too late.
    let swapped: String = rows.chunks(2).map(|pair| format!("{}\n{}\n", pair[1], pair[0])).collect();
    let report = of("swapped.csv", &(header.clone() + &swapped));
    assert_eq!((report["reports"].as_u64(), dropped(&report, "repeated")), (Some(720), 720));

    let above = of("above.csv", &csv(&["hot"], 300, |_, _| 2.5));
    assert!(above["policy"]["goodput_percent"].as_f64() > Some(99.0), "{above}");

    // The clock is a day ahead for ten minutes, then right again: what comes with an older time is dropped until it is passed.
    let jumps: String = rows
        .iter()
        .enumerate()
        .map(|(minute, row)| {
            let at = 1_767_571_200_000_i64 + minute as i64 * 60_000;
            let ahead = if (100..110).contains(&minute) { 6 * 3_600_000 } else { 0 };
            row.replace(&at.to_string(), &(at + ahead).to_string()) + "\n"
        })
        .collect();
    let report = of("jumps.csv", &(header + &jumps));
    assert_eq!(report["reports"].as_u64(), Some(1_440 - dropped(&report, "repeated")));
    assert!(dropped(&report, "repeated") > 300, "{report}");
}

#[test]
fn bad_lines_are_named_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut load = csv(&["a"], 10, |_, _| 0.5);
    load.push_str("a,later,0.5,0.5\na,1767571800000,-1,0.5\n");
    let path = file(folder.path(), "bad.csv", &load);
    let finished = tidegate(&["backtest", text(&path)]).expect_success();
    assert!(finished.stderr.contains("line 12") && finished.stderr.contains("line 13"), "{}", finished.stderr);
    assert!(finished.stdout.contains("left out: 2 bad-line"), "{}", finished.stdout);
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, content: &str, code: i32, words: &str| {
        let path = file(folder.path(), name, content);
        let finished = tidegate(&["backtest", text(&path)]);
        assert_eq!(finished.code, Some(code), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(words) && finished.stderr.trim().lines().count() == 1, "{}", finished.stderr);
    };
    refused("empty.csv", "", 65, "the file is empty");
    refused("header.csv", "node_id,timestamp_ms,cpu\n", 65, "has no report to decide on");
    refused("other.csv", "a,b,c\n1,2,3\n", 65, "node_id");
    let missing = tidegate(&["backtest", "no-such-file.csv"]);
    assert_eq!(missing.code, Some(66), "{}", missing.stderr);
    let load = file(folder.path(), "load.csv", &csv(&["a"], 3, |_, _| 0.5));
    let late = tidegate(&["backtest", text(&load), "--from", "2030-01-01T00:00:00Z"]);
    assert_eq!(late.code, Some(65), "{}", late.stderr);
    assert!(late.stderr.contains("from that time on"), "{}", late.stderr);
}
