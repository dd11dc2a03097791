//! A small file with known answers: text, JSON, predictions and page.

use crate::{csv, file, json, text, tidegate, without_model};

/// Two nodes for 50 minutes: a calm one, and one that jumps to 0.95 for 6 minutes.
fn small() -> String {
    csv(&["calm", "jumps"], 50, |node, minute| match (node, minute) {
        (1, 20..26) => 0.95,
        (1, _) => 0.25,
        _ => 0.5 + 0.01 * (minute % 4) as f64,
    })
}

#[test]
fn text_json_and_predictions_of_a_small_file() {
    let folder = tempfile::tempdir().unwrap();
    let load = file(folder.path(), "small.csv", &small());
    let sheet = folder.path().join("predictions.csv");
    let report = json(&["backtest", text(&load), "--predictions", text(&sheet)]);
    let model = report["model"].as_str().unwrap();
    insta::assert_snapshot!("json", without_model(&serde_json::to_string_pretty(&report).unwrap(), model));
    let shown = tidegate(&["backtest", text(&load)]).expect_success();
    insta::assert_snapshot!("text", without_model(&shown.stdout, model));
    let rows = std::fs::read_to_string(&sheet).unwrap();
    assert_eq!(rows.lines().count(), 101, "a header and a row a forecast");
    insta::assert_snapshot!("predictions", rows.lines().take(3).collect::<Vec<_>>().join("\n"));
}

#[test]
fn nodes_time_and_resource_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let load = file(folder.path(), "small.csv", &small());
    let report =
        json(&["backtest", text(&load), "--node", "jumps", "--from", "2026-01-05T00:10:00Z", "--set", "resource=cpu"]);
    assert_eq!((&report["nodes"], &report["reports"], &report["resource"]), (&1.into(), &40.into(), &"cpu".into()));
    let refused = tidegate(&["backtest", text(&load), "--node", "nobody"]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    let refused = tidegate(&["backtest", text(&load), "--set", "max_skale=2"]);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("max_skale"), "{}", refused.stderr);
}

#[test]
fn the_page_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let load = folder.path().join("fleet.csv.gz");
    let page = folder.path().join("page.html");
    let made = tidegate(&["simulate", "--nodes", "3", "--for", "4h", "--interval", "1m", "--to", text(&load)])
        .expect_success();
    assert!(made.stdout.starts_with("720 reports of 3 nodes in "), "{}", made.stdout);
    let report = json(&["backtest", text(&load), "--html", text(&page)]);
    assert!(report["states"]["READY"].as_u64() > Some(0), "{report}");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("node-0000") && page.ends_with("</html>\n"));
    assert!(!page.contains("http"), "nothing is loaded from elsewhere");
}

#[test]
fn a_simulated_file_is_the_demand_and_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = folder.path().join(name);
        let made = tidegate(&["simulate", "--nodes", "20", "--for", "12h", "--interval", "1m", "--to", text(&path)]);
        let _made = made.expect_success();
        std::fs::read_to_string(path).unwrap()
    };
    let (first, second) = (write("a.csv"), write("b.csv"));
    assert_eq!(first, second);
    let highest =
        first.lines().skip(1).filter_map(|line| line.split(',').nth(2)?.parse::<f64>().ok()).fold(0.0, f64::max);
    assert!(highest > 1.1, "crowds pass the base quota: {highest}");
}
