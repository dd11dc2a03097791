//! The table of all metrics, `docs/metrics.md`, against what a process shows.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use crate::places;

/// What of a `/metrics` page does not stand in the table with the same type.
///
/// # Panics
/// Where the table is missing, or the page shows nothing.
#[must_use]
pub fn undocumented(shown: &str) -> Vec<String> {
    let table = std::fs::read_to_string(places::repository().join("docs/metrics.md")).unwrap();
    let mut families = shown.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).peekable();
    assert!(families.peek().is_some(), "it shows no metrics: {shown}");
    let is_there = |(name, kind): &(&str, &str)| table.contains(&format!("| `{name}` | {kind} |"));
    families.filter(|family| !is_there(family)).map(|(name, kind)| format!("{name} {kind}")).collect()
}
