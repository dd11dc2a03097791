//! The report interval of rows that do not name theirs: the most common distance between a node's rows.

use std::collections::HashMap;

/// Intervals learnt from the beginning of a file.
#[derive(Debug, Default)]
pub(super) struct Plan {
    by_node: HashMap<String, i64>,
    of_file: Option<i64>,
}

impl Plan {
    /// Learns from the node and event time of rows, in the file's order. Distances of 0 or less do not count; of equally
    /// common distances the shortest is taken.
    pub(super) fn learn<'a>(rows: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let mut nodes: HashMap<&str, (i64, HashMap<i64, u32>)> = HashMap::new();
        let mut file: HashMap<i64, u32> = HashMap::new();
        for (node, at) in rows {
            let Some((last, distances)) = nodes.get_mut(node) else {
                nodes.insert(node, (at, HashMap::new()));
                continue;
            };
            let distance = at.saturating_sub(*last);
            *last = at;
            if distance > 0 {
                *distances.entry(distance).or_default() += 1;
                *file.entry(distance).or_default() += 1;
            }
        }
        let by_node = nodes.iter().filter_map(|(node, (_, d))| Some(((*node).to_owned(), most_common(d)?))).collect();
        Self { by_node, of_file: most_common(&file) }
    }

    /// The node's interval, ms: its own; else the file's; `None` where nothing is known.
    pub(super) fn of(&self, node: &str) -> Option<i64> {
        self.by_node.get(node).copied().or(self.of_file)
    }
}

fn most_common(distances: &HashMap<i64, u32>) -> Option<i64> {
    distances.iter().max_by_key(|(distance, count)| (**count, -**distance)).map(|(distance, _)| *distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_common_distance_is_the_plan_and_gaps_do_not_count() {
        let rows = [
            ("a", 0),
            ("b", 0),
            ("a", 10),
            ("b", 60),
            ("a", 20),
            ("a", 500),
            ("b", 120),
            ("a", 510),
            ("c", 7),
            ("c", 7),
        ];
        let plan = Plan::learn(rows);
        assert_eq!((plan.of("a"), plan.of("b")), (Some(10), Some(60)));
        assert_eq!((plan.of("c"), plan.of("new")), (Some(10), Some(10)));
        assert_eq!(Plan::learn([("a", 1), ("b", 2)]).of("a"), None);
    }
}
