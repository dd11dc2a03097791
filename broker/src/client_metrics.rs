//! What the client library counts of itself, as metrics of the stage or sink that it serves.
//!
//! ```text
//! statistics of a consumer or producer, each second ─> Counts, and what came since the last ─> ClientMetrics ─> /metrics
//! ```
//!
//! A client counts from zero; one that is made anew goes on where the last one stood, for only what came is added.

use std::sync::{Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, Opts};
use rdkafka::statistics::{Broker, Statistics};

use crate::metrics_registry::Registry;

/// Which end of the work a client serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// Reads the input.
    Consumer,
    /// Writes the outputs.
    Producer,
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Producer => "producer",
        }
    }
}

/// Metrics of both clients of one stage or sink.
#[derive(Debug, Clone)]
pub(crate) struct ClientMetrics {
    record_bytes: IntCounterVec,
    wire_bytes: IntCounterVec,
    failed_requests: IntCounterVec,
    round_trip: GaugeVec,
    queued: IntGauge,
    rebalances: IntCounter,
}

impl ClientMetrics {
    /// Registers the metrics of the clients of `work`.
    ///
    /// # Errors
    /// Where the registry already has them.
    pub(crate) fn new(registry: &Registry, work: &str) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("work", work);
        let counters = |name: &str, help: &str| IntCounterVec::new(opts(name, help), &["client"]);
        let metrics = Self {
            record_bytes: counters(
                "tidegate_client_record_bytes_total",
                "Bytes of keys and values that the Kafka client read or wrote, not compressed.",
            )?,
            wire_bytes: counters(
                "tidegate_client_wire_bytes_total",
                "Bytes that the Kafka client received as consumer or sent as producer, compressed, the protocol's own included.",
            )?,
            failed_requests: counters(
                "tidegate_client_failed_requests_total",
                "Requests of the Kafka client that failed or were not answered in time.",
            )?,
            round_trip: GaugeVec::new(
                opts(
                    "tidegate_client_round_trip_seconds",
                    "Mean time until the slowest broker answered, over the last second.",
                ),
                &["client"],
            )?,
            queued: IntGauge::with_opts(opts(
                "tidegate_client_queued_records",
                "Records in the producer, not acknowledged yet.",
            ))?,
            rebalances: IntCounter::with_opts(opts(
                "tidegate_rebalances_total",
                "Times that the consumer group gave partitions to this member or took them.",
            ))?,
        };
        let all: [Box<dyn Collector>; 6] = [
            Box::new(metrics.record_bytes.clone()),
            Box::new(metrics.wire_bytes.clone()),
            Box::new(metrics.failed_requests.clone()),
            Box::new(metrics.round_trip.clone()),
            Box::new(metrics.queued.clone()),
            Box::new(metrics.rebalances.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(metrics)
    }

    /// Metrics for a client that is made now.
    pub(crate) fn watch(&self, client: Client) -> ClientWatch {
        ClientWatch { metrics: self.clone(), client, last: Mutex::default() }
    }
}

/// Passes the statistics of one client on.
#[derive(Debug)]
pub(crate) struct ClientWatch {
    metrics: ClientMetrics,
    client: Client,
    last: Mutex<Counts>,
}

impl ClientWatch {
    pub(crate) fn note(&self, statistics: &Statistics) {
        let counts = Counts::of(statistics, self.client);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since = counts.since(&last);
        *last = counts;
        drop(last);
        let label = [self.client.name()];
        self.metrics.record_bytes.with_label_values(&label).inc_by(since.record_bytes);
        self.metrics.wire_bytes.with_label_values(&label).inc_by(since.wire_bytes);
        self.metrics.failed_requests.with_label_values(&label).inc_by(since.failed_requests);
        if let Some(seconds) = round_trip(statistics) {
            self.metrics.round_trip.with_label_values(&label).set(seconds);
        }
        match self.client {
            Client::Producer => self.metrics.queued.set(i64::try_from(statistics.msg_cnt).unwrap_or(i64::MAX)),
            Client::Consumer => self.metrics.rebalances.inc_by(since.rebalances),
        }
    }
}

/// What a client counted since it was made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Counts {
    record_bytes: u64,
    wire_bytes: u64,
    failed_requests: u64,
    rebalances: u64,
}

impl Counts {
    fn of(statistics: &Statistics, client: Client) -> Self {
        let (records, wire) = match client {
            Client::Consumer => (statistics.rxmsg_bytes, statistics.rx_bytes),
            Client::Producer => (statistics.txmsg_bytes, statistics.tx_bytes),
        };
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let failed = |broker: &Broker| broker.txerrs + broker.rxerrs + broker.req_timeouts;
        Self {
            record_bytes: count(records),
            wire_bytes: count(wire),
            failed_requests: statistics.brokers.values().map(failed).sum(),
            rebalances: statistics.cgrp.as_ref().map_or(0, |group| count(group.rebalance_cnt)),
        }
    }

    fn since(&self, last: &Self) -> Self {
        Self {
            record_bytes: self.record_bytes.saturating_sub(last.record_bytes),
            wire_bytes: self.wire_bytes.saturating_sub(last.wire_bytes),
            failed_requests: self.failed_requests.saturating_sub(last.failed_requests),
            rebalances: self.rebalances.saturating_sub(last.rebalances),
        }
    }
}

/// The slowest broker's mean round trip; `None` where none answered anything. The library gives µs.
fn round_trip(statistics: &Statistics) -> Option<f64> {
    let answered = statistics.brokers.values().filter_map(|broker| broker.rtt.as_ref()).filter(|rtt| rtt.cnt > 0);
    answered.map(|rtt| rtt.avg).max().map(|micros| micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{ConsumerGroup, Window};

    use super::*;

    fn statistics(bytes: i64, failed: u64, rebalances: i64) -> Statistics {
        let broker = |micros, cnt| Broker {
            txerrs: failed,
            rtt: Some(Window { avg: micros, cnt, ..Window::default() }),
            ..Broker::default()
        };
        Statistics {
            rxmsg_bytes: 3 * bytes,
            rx_bytes: bytes,
            brokers: [("a".into(), broker(2_000, 5)), ("b".into(), broker(9_000, 0))].into(),
            cgrp: Some(ConsumerGroup { rebalance_cnt: rebalances, ..ConsumerGroup::default() }),
            ..Statistics::default()
        }
    }

    #[test]
    fn a_client_that_is_made_anew_adds_to_what_its_predecessor_counted() {
        let metrics = ClientMetrics::new(&Registry::new(), "quota").unwrap();
        let first = metrics.watch(Client::Consumer);
        first.note(&statistics(100, 1, 2));
        first.note(&statistics(150, 1, 3));
        metrics.watch(Client::Consumer).note(&statistics(40, 2, 1));
        let of = |counters: &IntCounterVec| counters.with_label_values(&["consumer"]).get();
        assert_eq!((of(&metrics.record_bytes), of(&metrics.wire_bytes)), (570, 190));
        assert_eq!((of(&metrics.failed_requests), metrics.rebalances.get()), (2 + 4, 4));
    }

    #[test]
    fn only_brokers_that_answered_have_a_round_trip() {
        assert_eq!(round_trip(&statistics(1, 0, 0)), Some(0.002));
        assert_eq!(round_trip(&Statistics::default()), None);
    }
}
