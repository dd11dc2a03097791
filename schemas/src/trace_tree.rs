//! The shape of a trace: each span below its parent. One rule for the command line and the page.

use std::collections::{HashMap, HashSet};

use crate::records::{AttributeValue, Span};

/// Spans deeper than this stand where their ancestor of that depth would have its children.
pub const DEEPEST: usize = 12;

/// The service that a span belongs to, as its resource says.
#[must_use]
pub fn service(span: &Span) -> &str {
    let named = span.resource_attributes.iter().find(|attribute| attribute.key == "service.name");
    match named.map(|attribute| &attribute.value) {
        Some(AttributeValue::Text(name)) => name,
        _ => "unknown_service",
    }
}

/// Each span below its parent, with its depth, children in the order given; one whose parent is missing stands at the top.
pub fn in_order<'a, T>(
    spans: &'a [T],
    id: impl Fn(&'a T) -> &'a str,
    parent: impl Fn(&'a T) -> &'a str,
) -> Vec<(usize, &'a T)> {
    let here: HashSet<&str> = spans.iter().map(&id).collect();
    let mut children: HashMap<&str, Vec<&T>> = HashMap::new();
    let mut waiting: Vec<(usize, &T)> = Vec::new();
    for span in spans {
        // A span that names itself as its parent has none.
        if parent(span) == id(span) || !here.contains(parent(span)) {
            waiting.push((0, span));
        } else {
            children.entry(parent(span)).or_default().push(span);
        }
    }
    waiting.reverse();
    let mut ordered = Vec::with_capacity(spans.len());
    while let Some((depth, span)) = waiting.pop() {
        ordered.push((depth, span));
        let below = children.remove(id(span)).unwrap_or_default();
        waiting.extend(below.into_iter().rev().map(|child| ((depth + 1).min(DEEPEST), child)));
    }
    // What is left goes round in a circle of parents.
    ordered.extend(spans.iter().filter(|span| children.contains_key(parent(span))).map(|span| (0, span)));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Depth and id of each, of pairs of id and parent.
    fn drawn<'a>(spans: &'a [(&'a str, &'a str)]) -> Vec<(usize, &'a str)> {
        in_order(spans, |span| span.0, |span| span.1).into_iter().map(|(depth, span)| (depth, span.0)).collect()
    }

    #[test]
    fn children_stand_below_their_parents_in_their_order() {
        let spans = [("root", ""), ("b", "root"), ("of b", "b"), ("orphan", "lost"), ("c", "root")];
        assert_eq!(drawn(&spans), [(0, "root"), (1, "b"), (2, "of b"), (1, "c"), (0, "orphan")]);
    }

    #[test]
    fn every_span_stands_once_whatever_its_parents_are() {
        let mut names: Vec<&str> =
            drawn(&[("1", "1"), ("2", "3"), ("3", "2")]).into_iter().map(|(_, name)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["1", "2", "3"]);
    }
}
