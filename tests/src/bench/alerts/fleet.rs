//! Forecasts of a made-up fleet, round by round, in a buffer that is used again.

use std::sync::Arc;

use tidegate_broker::{Received, Source};
use tidegate_schemas::records::{Cause, Forecast, ForecastState, Load, MeasuredAt, Quantiles};

/// Partitions that the fleet's forecasts stand in.
const PARTITIONS: u64 = 4;
const INTERVAL_MS: i64 = 10_000;
/// Rounds of all nodes in a minute of event time.
pub(super) const ROUNDS_A_MINUTE: u64 = 6;
/// 2026-03-02 08:00 UTC.
const BEGIN: i64 = 1_772_438_400_000;
/// One node in so many is hot for a while, and then another.
const ONE_HOT_OF: u64 = 100;
/// Rounds after which others are hot.
const HOT_ROUNDS: i64 = 60;

/// The fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    round: Vec<Received<Forecast>>,
    rounds: i64,
}

impl Fleet {
    /// A fleet that has not reported yet.
    pub(super) fn new(nodes: u64) -> Self {
        let topic: Arc<str> = "tidegate.forecasts".into();
        let received = |node: u64| Received {
            record: forecast(node),
            source: Source { topic: Arc::clone(&topic), partition: (node % PARTITIONS) as i32, offset: 0 },
            kafka_timestamp: None,
            trace: None,
        };
        Self { round: (0..nodes).map(received).collect(), rounds: 0 }
    }

    /// The next report of every node.
    pub(super) fn next_round(&mut self) -> &[Received<Forecast>] {
        let begin = BEGIN + self.rounds * INTERVAL_MS;
        let turn = (self.rounds / HOT_ROUNDS).cast_unsigned();
        for (node, received) in (0_u64..).zip(&mut self.round) {
            // A fleet's reports are spread over the interval.
            let at = begin + (node * 7_919 % INTERVAL_MS as u64) as i64;
            let is_hot = (node + turn) % ONE_HOT_OF == 0;
            let forecast = &mut received.record;
            (forecast.timestamp, forecast.sequence) = (at, at);
            forecast.current.cpu = if is_hot { 0.95 } else { 0.3 + (node % 40) as f64 / 100.0 };
            forecast.measured_at = MeasuredAt { cpu: at, memory: at };
            forecast.requests_total = Some(self.rounds * 500);
            forecast.requests_failed_total = Some(if is_hot { self.rounds * 50 } else { 1 });
            forecast.cause.offset += 1;
            received.source.offset += 1;
            received.kafka_timestamp = Some(at + 200);
        }
        self.rounds += 1;
        &self.round
    }
}

fn forecast(node: u64) -> Forecast {
    let pool = if node % 3 == 0 { String::new() } else { format!("pool-{}", node % 50) };
    Forecast {
        node_id: format!("node-{node:06}"),
        pool,
        timestamp: 0,
        sequence: 0,
        base_quota: 1000.0,
        quota_in_force: Some(1000.0),
        quota_sequence: Some(1),
        requests_total: None,
        requests_failed_total: None,
        current: Load { cpu: 0.5, memory: 0.4 },
        measured_at: MeasuredAt { cpu: 0, memory: 0 },
        peak_cpu: Quantiles { p50: 0.6, p90: 0.7 },
        peak_memory: Quantiles { p50: 0.4, p90: 0.5 },
        path_cpu: vec![0.6; 5],
        path_memory: vec![0.4; 5],
        state: ForecastState::Ready,
        model: "bench".to_owned(),
        cause: Cause { topic: "tidegate.load".to_owned(), partition: (node % PARTITIONS) as i32, offset: 0 },
    }
}
