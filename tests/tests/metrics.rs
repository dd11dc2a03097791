//! The table of all metrics is that of this build. That processes show nothing else is tested where they run.

use std::time::Duration;

use tidegate_tests::{binary, metrics, places};

fn printed(flags: &[&str]) -> String {
    binary::run(&[&["schemas", "metrics"], flags].concat(), Duration::from_secs(60)).expect_success().stdout
}

#[test]
fn the_copy_in_docs_is_that_of_this_build() {
    let docs = std::fs::read_to_string(places::repository().join("docs/metrics.md")).unwrap_or_default();
    assert!(docs == printed(&[]), "print it again: tidegate schemas metrics > docs/metrics.md");
}

#[test]
fn programs_get_the_same() {
    let printed: serde_json::Value = serde_json::from_str(&printed(&["--json"])).expect("it is JSON");
    let all = printed["metrics"].as_array().expect("it has a list");
    assert!(all.len() > 50, "{}", all.len());
    let find = |name: &str| all.iter().find(|metric| metric["name"] == name).expect("it is there");
    let letters = find("tidegate_dead_letters_total");
    assert_eq!((&letters["type"], &letters["labels"]), (&"counter".into(), &serde_json::json!(["work", "class"])));
    assert_eq!(
        (&find("tidegate_hop_seconds")["type"], &find("tidegate_hop_seconds")["unit"]),
        (&"histogram".into(), &"seconds".into())
    );
}

#[test]
fn what_is_not_in_the_table_is_noticed() {
    let shown =
        "# TYPE tidegate_records_total counter\n# TYPE tidegate_records_total gauge\n# TYPE tidegate_nonsense gauge\n";
    assert_eq!(metrics::undocumented(shown), ["tidegate_records_total gauge", "tidegate_nonsense gauge"]);
}
