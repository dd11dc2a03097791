//! What must be true of a node's reports, of its commands, and of what it obeyed: values in, values out.

use std::collections::BTreeSet;
use std::path::Path;

use tidegate_schemas::records::{LoadReport, QuotaCommand};

use super::{BASE, MAX, MIN, STEP};

/// The first of each name.
pub(super) fn without_repeats(reports: &[LoadReport]) -> Vec<&LoadReport> {
    let mut seen = BTreeSet::new();
    reports.iter().filter(|report| seen.insert(report.sequence)).collect()
}

/// The quotas of a node's commands, each change once; no command leaves the rails, nor is a step from the one before.
pub(super) fn quotas_within_rails<'a>(commands: impl Iterator<Item = &'a QuotaCommand>) -> Vec<f64> {
    let (mut quotas, mut last, mut before) = (Vec::new(), i64::MIN, BASE);
    for command in commands.filter(|command| command.base_quota == BASE) {
        let (sequence, quota) = (command.sequence, command.quota);
        if sequence <= last {
            continue;
        }
        assert!((MIN * BASE - 1e-3..=MAX * BASE + 1e-3).contains(&quota), "{quota} is out of bounds: {command:?}");
        assert!(
            last == i64::MIN || (quota - before).abs() <= STEP * BASE + 1e-3,
            "from {before} to {quota}: {command:?}"
        );
        if quotas.last() != Some(&quota) {
            quotas.push(quota);
        }
        (last, before) = (sequence, quota);
    }
    quotas
}

/// Source and quota of each change that the command on change was told.
pub(super) fn obeyed(changes: &Path) -> Vec<(String, f64)> {
    let text = std::fs::read_to_string(changes).unwrap();
    text.lines().filter_map(|line| line.split_once(' ')).map(|(s, q)| (s.to_owned(), q.parse().unwrap())).collect()
}
