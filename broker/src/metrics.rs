//! What a running stage or sink tells of itself on `/metrics`.
//!
//! ```text
//! driver: batches, commits, assignments ─┬─> Metrics ─> Registry ─> /metrics
//! client library: statistics ────────────┘ (client_metrics.rs)
//! ```

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{GaugeVec, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::client_metrics::ClientMetrics;
use crate::metrics_registry::Registry;

/// Metrics of one stage or sink, on a registry.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) records: prometheus::IntCounter,
    pub(crate) outputs: prometheus::IntCounter,
    pub(crate) restored: prometheus::IntCounter,
    pub(crate) dropped: IntCounterVec,
    pub(crate) dead_letters: IntCounterVec,
    pub(crate) lag: IntGaugeVec,
    lag_seconds: GaugeVec,
    /// Kafka timestamp of the last record processed, by partition, ms since the epoch.
    processed: Mutex<HashMap<i32, i64>>,
    pub(crate) client: ClientMetrics,
    pub(crate) committed: IntGaugeVec,
    pub(crate) assigned: IntGauge,
    pub(crate) output_bytes: prometheus::IntCounter,
    pub(crate) checkpoints: prometheus::IntCounter,
    pub(crate) checkpoint_bytes: prometheus::IntCounter,
    pub(crate) restoring: IntGauge,
    pub(crate) restore_left: IntGauge,
    pub(crate) standby: IntGauge,
    pub(crate) standby_left: IntGauge,
    pub(crate) batch_seconds: Histogram,
    pub(crate) hop_seconds: Histogram,
    pub(crate) by_label: Option<IntCounterVec>,
    pub(crate) side: IntCounterVec,
    pub(crate) controls_in_force: IntGaugeVec,
    pub(crate) transactions: IntCounterVec,
    pub(crate) unstable: IntGaugeVec,
}

impl Metrics {
    /// Registers the metrics of `work` (a stage's or sink's name).
    ///
    /// # Errors
    /// Where the registry already has them.
    pub fn new(registry: &Registry, work: &str) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).const_label("work", work);
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(opts(name, help), &[label]);
        let counter = |name: &str, help: &str| prometheus::IntCounter::with_opts(opts(name, help));
        let gauges = |name: &str, help: &str| IntGaugeVec::new(opts(name, help), &["partition"]);
        let metrics = Self {
            records: counter("tidegate_records_total", "Records processed.")?,
            outputs: counter("tidegate_outputs_total", "Records published or delivered.")?,
            restored: counter("tidegate_restored_records_total", "Records read only to rebuild state.")?,
            dropped: counters("tidegate_dropped_records_total", "Valid records that led to nothing.", "reason")?,
            dead_letters: counters("tidegate_dead_letters_total", "Records set aside, by why.", "class")?,
            lag: gauges("tidegate_lag_records", "Records that wait on the input partition.")?,
            lag_seconds: lag_seconds(work)?,
            processed: Mutex::default(),
            client: ClientMetrics::new(registry, work)?,
            committed: gauges("tidegate_committed_offset", "Committed offset of the input partition.")?,
            assigned: IntGauge::with_opts(opts("tidegate_assigned_partitions", "Input partitions held."))?,
            output_bytes: counter("tidegate_output_bytes_total", "Bytes of the values published.")?,
            checkpoint_bytes: counter("tidegate_checkpoint_bytes_total", "Bytes of the checkpoints' values.")?,
            checkpoints: counter("tidegate_checkpoints_total", "Checkpoints written, tombstones included.")?,
            restoring: IntGauge::with_opts(opts(
                "tidegate_restoring_partitions",
                "Input partitions held whose state is not back yet.",
            ))?,
            restore_left: IntGauge::with_opts(opts(
                "tidegate_restore_left_records",
                "Records left to read of the topic from which state comes back.",
            ))?,
            standby: IntGauge::with_opts(opts(
                "tidegate_standby_partitions",
                "Input partitions of others whose state is followed.",
            ))?,
            standby_left: IntGauge::with_opts(opts(
                "tidegate_standby_left_records",
                "Records that others have answered and that their followed state has not seen.",
            ))?,
            batch_seconds: batch_seconds(work)?,
            hop_seconds: hop_seconds(work)?,
            by_label: None,
            // Both show only where there is a side input: neither has a value until one is set.
            side: counters(
                "tidegate_side_records_total",
                "Records of the controls topic: taken, or the class of what is wrong with them.",
                "result",
            )?,
            controls_in_force: IntGaugeVec::new(
                opts("tidegate_controls_in_force", "Controls in force by the newest event time processed."),
                &[],
            )?,
            transactions: counters(
                "tidegate_transactions_total",
                "Transactions of the stage under exactly_once, by how they ended.",
                "result",
            )?,
            unstable: gauges(
                "tidegate_unstable_records",
                "Offsets of the input partition behind a transaction that has not ended.",
            )?,
        };
        metrics.register(registry)?;
        Ok(metrics)
    }

    /// Records of these partitions, with these Kafka timestamps in ms since the epoch, were processed just now.
    pub(crate) fn note_hops(&self, came: impl Iterator<Item = (i32, Option<i64>)>) {
        let now = now_seconds();
        let mut processed = self.processed.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, timestamp) in came {
            let Some(timestamp) = timestamp else { continue };
            self.hop_seconds.observe(age(now, timestamp));
            processed.insert(partition, timestamp);
        }
    }

    /// Shows how many records of a partition wait, and for how long they may have waited.
    pub(crate) fn note_lag(&self, partition: i32, waiting: i64) {
        let processed = self.processed.lock().unwrap_or_else(PoisonError::into_inner).get(&partition).copied();
        let label = partition.to_string();
        self.lag.with_label_values(&[&label]).set(waiting);
        match processed {
            _ if waiting == 0 => self.lag_seconds.with_label_values(&[&label]).set(0.0),
            Some(timestamp) => self.lag_seconds.with_label_values(&[&label]).set(age(now_seconds(), timestamp)),
            // Nothing is known of the first record that waits before one is processed.
            None => {}
        }
    }

    /// These partitions are somebody else's: their figures are shown there.
    pub(crate) fn forget(&self, partitions: &[i32]) {
        let mut processed = self.processed.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in partitions {
            processed.remove(partition);
            let label = partition.to_string();
            for gauges in [&self.lag, &self.committed, &self.unstable] {
                // Where there is none, none was shown.
                drop(gauges.remove_label_values(&[&label]));
            }
            drop(self.lag_seconds.remove_label_values(&[&label]));
        }
    }

    /// Shows the committed offsets of partitions.
    pub(crate) fn note_committed(&self, done: &[(i32, i64)]) {
        for (partition, offset) in done {
            self.committed.with_label_values(&[partition.to_string()]).set(*offset);
        }
    }

    fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let all: [Box<dyn Collector>; 22] = [
            Box::new(self.records.clone()),
            Box::new(self.outputs.clone()),
            Box::new(self.restored.clone()),
            Box::new(self.dropped.clone()),
            Box::new(self.dead_letters.clone()),
            Box::new(self.lag.clone()),
            Box::new(self.lag_seconds.clone()),
            Box::new(self.committed.clone()),
            Box::new(self.assigned.clone()),
            Box::new(self.output_bytes.clone()),
            Box::new(self.checkpoints.clone()),
            Box::new(self.checkpoint_bytes.clone()),
            Box::new(self.restoring.clone()),
            Box::new(self.restore_left.clone()),
            Box::new(self.standby.clone()),
            Box::new(self.standby_left.clone()),
            Box::new(self.batch_seconds.clone()),
            Box::new(self.hop_seconds.clone()),
            Box::new(self.side.clone()),
            Box::new(self.controls_in_force.clone()),
            Box::new(self.transactions.clone()),
            Box::new(self.unstable.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))
    }

    /// Also counts the outputs of `work` by what the stage says of each ([`Stage::label`](crate::Stage::label)), in a counter
    /// `name` with the label `label`.
    ///
    /// # Errors
    /// Where the registry already has that counter for this work.
    pub fn counting(
        self,
        registry: &Registry,
        work: &str,
        [name, help, label]: [&str; 3],
    ) -> Result<Self, prometheus::Error> {
        let counter = IntCounterVec::new(Opts::new(name, help).const_label("work", work), &[label])?;
        registry.register(Box::new(counter.clone()))?;
        Ok(Self { by_label: Some(counter), ..self })
    }
}

fn lag_seconds(work: &str) -> Result<GaugeVec, prometheus::Error> {
    let help = "Age of the record processed last where others wait, by its Kafka timestamp; 0 where none waits.";
    GaugeVec::new(Opts::new("tidegate_lag_seconds", help).const_label("work", work), &["partition"])
}

fn batch_seconds(work: &str) -> Result<Histogram, prometheus::Error> {
    let opts = HistogramOpts::new("tidegate_batch_seconds", "Time to process one batch, producing included.");
    Histogram::with_opts(opts.const_label("work", work).buckets(prometheus::exponential_buckets(0.0001, 4.0, 8)?))
}

fn hop_seconds(work: &str) -> Result<Histogram, prometheus::Error> {
    let help = "From a record's Kafka timestamp until its batch was processed.";
    let opts = HistogramOpts::new("tidegate_hop_seconds", help);
    Histogram::with_opts(opts.const_label("work", work).buckets(prometheus::exponential_buckets(0.001, 2.5, 14)?))
}

fn now_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Seconds from a Kafka timestamp, ms since the epoch, to `now`.
fn age(now: f64, timestamp: i64) -> f64 {
    (now - timestamp as f64 / 1000.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of lag that are shown of a partition.
    fn seconds(metrics: &Metrics, partition: &str) -> Option<f64> {
        let families = metrics.lag_seconds.collect();
        let series = families.iter().flat_map(|family| family.get_metric());
        let of =
            |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == partition);
        series.filter(of).map(|metric| metric.get_gauge().get_value()).next()
    }

    #[test]
    fn what_waits_is_as_old_as_what_came_last_until_the_partition_is_given_up() {
        let metrics = Metrics::new(&Registry::new(), "quota").unwrap();
        let minutes_ago = ((now_seconds() - 600.0) * 1000.0) as i64;
        metrics.note_hops([(3, Some(minutes_ago)), (4, None)].into_iter());
        metrics.note_lag(3, 5);
        metrics.note_lag(4, 5);
        assert!(seconds(&metrics, "3").is_some_and(|lag| lag >= 599.0), "{:?}", seconds(&metrics, "3"));
        assert_eq!(seconds(&metrics, "4"), None, "nothing of it was processed");
        metrics.note_lag(3, 0);
        assert_eq!(seconds(&metrics, "3"), Some(0.0), "nothing waits");
        metrics.note_lag(3, 5);
        metrics.forget(&[3]);
        assert_eq!(seconds(&metrics, "3"), None);
        metrics.note_lag(3, 5);
        assert_eq!(seconds(&metrics, "3"), None, "its new life knows nothing of the last");
    }
}
