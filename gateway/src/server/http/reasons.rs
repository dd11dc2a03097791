//! Why samples were refused, in one sentence for their sender.

use tidegate_samples::Counts;
use tidegate_samples::remote_write::Contents;

/// How many of a request were refused, and why.
pub(super) fn reasons(contents: &Contents, counts: &Counts) -> String {
    let invalid = contents.first_invalid.as_deref().unwrap_or("no series");
    let all = [
        (contents.invalid, invalid),
        (counts.not_granted, "their sender may not speak for their node"),
        (counts.ill_timed, "they are before 1970 or more than 60 s ahead of the clock here"),
        (counts.beyond_bounds, "there is no place for more nodes, or for more series of their node"),
    ];
    let told = all.into_iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} ({why})"));
    format!("samples were refused, and the rest was taken: {}", told.collect::<Vec<_>>().join(", "))
}
