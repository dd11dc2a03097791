//! Two policies over one file.

use crate::{csv, file, json, text, tidegate};

#[test]
fn two_policies_are_compared_and_the_largest_moves_named() {
    let folder = tempfile::tempdir().unwrap();
    let load = csv(&["calm", "hot"], 40, |node, minute| if node == 1 && minute == 30 { 0.96 } else { 0.5 });
    let load = file(folder.path(), "load.csv", &load);
    let page = folder.path().join("page.html");
    let tried = ["--against", "policy=threshold", "--try", "policy=threshold,max_scale=1.2"];
    let arguments = [&["what-if", text(&load), "--html", text(&page)][..], &tried].concat();
    let answer = json(&arguments);
    // The peak of minute 30 stands in for the forecast of minutes 30 to 34: 1.44 × base, or 1.2.
    assert_eq!((&answer["differing"]["nodes"], &answer["differing"]["commands"]), (&1.into(), &5.into()));
    let first = &answer["by_node"][0];
    assert_eq!((&first["node_id"], &first["mean_difference"]), (&"hot".into(), &(-3.0).into()));
    let largest = &first["largest"];
    assert_eq!((largest["against"].as_f64(), largest["try"].as_f64()), (Some(1.44), Some(1.2)));
    assert_eq!(largest["timestamp_ms"].as_i64(), Some(1_767_571_200_000 + 30 * 60_000));
    assert!(answer["recorded"].is_null());
    insta::assert_snapshot!("what_if", tidegate(&arguments).expect_success().stdout);
    assert!(std::fs::read_to_string(&page).unwrap().contains("Largest moves"));
}

#[test]
fn what_is_no_policy_is_refused() {
    let refused = tidegate(&["what-if", "load.csv", "--try", "threshold"]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    assert!(refused.stderr.contains("KEY=VALUE"), "{}", refused.stderr);
    let refused = tidegate(&["what-if", "load.csv", "--try", "policy=guess"]);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
}
