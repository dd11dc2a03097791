//! What data planes say of a node's requests, summed up: allowed and denied ones are its demand.

use std::collections::HashMap;

use tidegate_schemas::records::LoadReport;

use super::Bucket;

/// A data plane that says nothing for so many of its intervals counts no more.
const SILENT_INTERVALS: i64 = 3;

/// The demand of all nodes.
#[derive(Debug, Default)]
pub struct Usage {
    nodes: HashMap<String, Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// By data plane.
    rates: HashMap<u64, Rate>,
    total: u64,
    denied: u64,
    last_ms: i64,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    until_ms: i64,
}

/// One report of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Since the last one, ms; more than 0.
    pub elapsed_ms: i64,
    /// Requests let through.
    pub allowed: u64,
    /// Requests denied.
    pub denied: u64,
}

impl Usage {
    /// Takes a report of a data plane, here at `now_ms` (Unix ms); gives the node's load report. `quota` is what its data planes
    /// hold, and the sequence of the command behind it.
    pub fn take(
        &mut self,
        plane: u64,
        bucket: &Bucket,
        report: Report,
        quota: Option<(f64, i64)>,
        now_ms: i64,
    ) -> LoadReport {
        let node = self.nodes.entry(bucket.node_id.clone()).or_default();
        let requests = report.allowed.saturating_add(report.denied);
        let elapsed_ms = report.elapsed_ms.max(1);
        let per_second = requests as f64 * 1000.0 / elapsed_ms as f64;
        let until_ms = now_ms.saturating_add(elapsed_ms.saturating_mul(SILENT_INTERVALS));
        node.rates.retain(|_, rate| rate.until_ms >= now_ms);
        node.rates.insert(plane, Rate { per_second, until_ms });
        node.total = node.total.saturating_add(requests);
        node.denied = node.denied.saturating_add(report.denied);
        // Two data planes may report within a millisecond.
        node.last_ms = now_ms.max(node.last_ms.saturating_add(1));
        let demand: f64 = node.rates.values().map(|rate| rate.per_second).sum();
        let count = |number| Some(i64::try_from(number).unwrap_or(i64::MAX));
        LoadReport {
            pool: bucket.pool.clone(),
            cpu: Some((demand / bucket.base_quota * 1e4).round() / 1e4),
            requests_total: count(node.total),
            requests_failed_total: count(node.denied),
            quota_in_force: quota.map(|(quota, _)| quota),
            quota_sequence: quota.map(|(_, sequence)| sequence),
            ..LoadReport::new(bucket.node_id.as_str(), node.last_ms, elapsed_ms, bucket.base_quota)
        }
    }

    /// Data planes that speak of a node now; at least 1.
    #[must_use]
    pub fn planes(&self, node_id: &str) -> usize {
        self.nodes.get(node_id).map_or(1, |node| node.rates.len().max(1))
    }

    /// A data plane speaks of a node no more; the last one takes the node with it.
    pub fn leave(&mut self, plane: u64, node_id: &str) {
        if let Some(node) = self.nodes.get_mut(node_id) {
            node.rates.remove(&plane);
            if node.rates.is_empty() {
                self.nodes.remove(node_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buckets::Strategy;

    const NOW: i64 = 1_767_571_200_000;

    #[test]
    fn the_demand_of_all_data_planes_is_the_load_and_denied_requests_are_part_of_it() {
        let bucket = Bucket {
            node_id: "shop/cart".into(),
            pool: "prod".into(),
            base_quota: 100.0,
            strategy: Strategy::TokenBucket,
        };
        let mut usage = Usage::default();
        let of = |allowed, denied| Report { elapsed_ms: 10_000, allowed, denied };
        let first = usage.take(1, &bucket, of(500, 100), None, NOW);
        assert_eq!((first.cpu, first.requests_total, first.requests_failed_total), (Some(0.6), Some(600), Some(100)));
        assert_eq!((first.validate(), first.interval_ms, first.quota_in_force), (Ok(()), 10_000, None));
        let second = usage.take(2, &bucket, of(700, 0), Some((120.0, 7)), NOW);
        assert_eq!((second.cpu, second.requests_total, second.quota_in_force), (Some(1.3), Some(1300), Some(120.0)));
        assert_eq!((second.sequence, second.quota_sequence, usage.planes("shop/cart")), (NOW + 1, Some(7), 2));
        // The first one is silent for more than three of its intervals.
        let later = usage.take(2, &bucket, of(200, 0), None, NOW + 30_001);
        assert_eq!((later.cpu, usage.planes("shop/cart")), (Some(0.2), 1));
        usage.leave(2, "shop/cart");
        assert_eq!(
            (usage.planes("shop/cart"), usage.take(3, &bucket, of(0, 0), None, NOW + 40_000).cpu),
            (1, Some(0.0))
        );
    }
}
