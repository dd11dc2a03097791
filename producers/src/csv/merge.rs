//! Puts reports into the order of event time without ever changing the order of one node's reports.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use tidegate_schemas::records::LoadReport;

/// Merges the nodes' reports by event time. Each node's reports stay in the order given, whatever their times: one that
/// lies back in time comes right behind its predecessor. Reports that are sorted by time already stay as they are.
#[must_use]
pub fn by_time(reports: Vec<LoadReport>) -> Vec<LoadReport> {
    let mut queues: Vec<VecDeque<(i64, usize)>> = Vec::new();
    let mut by_node: HashMap<&str, usize> = HashMap::new();
    for (place, report) in reports.iter().enumerate() {
        let node = *by_node.entry(report.node_id.as_str()).or_insert_with(|| {
            queues.push(VecDeque::new());
            queues.len() - 1
        });
        queues[node].push_back((report.timestamp, place));
    }
    let mut order = Vec::with_capacity(reports.len());
    let head =
        |queue: &mut VecDeque<(i64, usize)>, node| queue.pop_front().map(|(at, place)| Reverse((at, place, node)));
    let mut heap: BinaryHeap<_> = queues.iter_mut().enumerate().filter_map(|(node, q)| head(q, node)).collect();
    while let Some(Reverse((_, place, node))) = heap.pop() {
        order.push(place);
        heap.extend(head(&mut queues[node], node));
    }
    let mut reports: Vec<_> = reports.into_iter().map(Some).collect();
    order.into_iter().filter_map(|place| reports[place].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reports(rows: &[(u8, i64)]) -> Vec<LoadReport> {
        let report = |(place, (node, at)): (usize, &(u8, i64))| {
            let mut report = LoadReport::new(format!("n{node}"), *at, 10_000, 1000.0);
            report.sequence = place as i64;
            report
        };
        rows.iter().enumerate().map(report).collect()
    }

    #[test]
    fn a_file_sorted_by_node_is_merged_by_time() {
        let merged = by_time(reports(&[(0, 1), (0, 2), (0, 3), (1, 1), (1, 3)]));
        let places: Vec<_> = merged.iter().map(|r| r.sequence).collect();
        assert_eq!(places, [0, 3, 1, 2, 4]);
    }

    proptest! {
        #[test]
        fn every_node_keeps_its_order_and_nothing_is_lost(rows in proptest::collection::vec((0u8..5, 0i64..50), 0..60)) {
            let given = reports(&rows);
            let merged = by_time(given.clone());
            for node in 0..5 {
                let of = |all: &[LoadReport]| -> Vec<_> {
                    all.iter().filter(|r| r.node_id == format!("n{node}")).map(|r| r.sequence).collect()
                };
                prop_assert_eq!(of(&merged), of(&given));
            }
            prop_assert_eq!(merged.len(), given.len());
        }

        #[test]
        fn what_is_sorted_by_node_and_time_comes_out_sorted_by_time_and_sorted_input_stays(
            mut rows in proptest::collection::vec((0u8..5, 0i64..50), 0..60),
        ) {
            rows.sort_unstable();
            let merged = by_time(reports(&rows));
            prop_assert!(merged.is_sorted_by_key(|r| r.timestamp));
            prop_assert_eq!(by_time(merged.clone()), merged);
        }
    }
}
