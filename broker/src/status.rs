//! What a running stage or sink tells of itself: counters for `/metrics` and for the demo's page.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::metrics_registry::Registry;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts};

/// Counters of one stage or sink, readable while it runs.
#[derive(Debug, Default)]
pub struct WorkStatus {
    pub(crate) records: AtomicU64,
    pub(crate) outputs: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) dead_letters: AtomicU64,
    pub(crate) restored: AtomicU64,
    pub(crate) lag: AtomicI64,
    pub(crate) assigned: AtomicI64,
    /// Whether the group has said which partitions are ours, none included.
    pub(crate) joined: AtomicBool,
    /// Whether the lag of all partitions held is known.
    pub(crate) lag_known: AtomicBool,
    pub(crate) restoring: AtomicI64,
    pub(crate) restore_left: AtomicU64,
}

impl WorkStatus {
    /// Records processed, those read only to rebuild state excluded.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
    /// Outputs published.
    #[must_use]
    pub fn outputs(&self) -> u64 {
        self.outputs.load(Ordering::Relaxed)
    }
    /// Records dropped as repeated.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
    /// Records set aside.
    #[must_use]
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }
    /// Records read to rebuild state.
    #[must_use]
    pub fn restored(&self) -> u64 {
        self.restored.load(Ordering::Relaxed)
    }
    /// Records that wait on the input topic, over all partitions held, as of the last second.
    #[must_use]
    pub fn lag(&self) -> i64 {
        self.lag.load(Ordering::Relaxed)
    }
    /// Partitions held whose state is not back yet: nothing of them is processed so long.
    #[must_use]
    pub fn restoring(&self) -> i64 {
        self.restoring.load(Ordering::Relaxed)
    }
    /// Whether it has its share of the partitions, which is none where others hold them all, the state of all of them, and at
    /// most `most_lag` records that wait.
    #[must_use]
    pub fn is_ready(&self, most_lag: i64) -> bool {
        let has_all = self.joined.load(Ordering::Relaxed) && self.restoring() == 0;
        let is_near = self.lag_known.load(Ordering::Relaxed) && self.lag() <= most_lag;
        has_all && (self.assigned() == 0 || is_near)
    }
    /// Partitions held.
    #[must_use]
    pub fn assigned(&self) -> i64 {
        self.assigned.load(Ordering::Relaxed)
    }
}

/// Metrics of one stage or sink, on a registry.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) records: prometheus::IntCounter,
    pub(crate) outputs: prometheus::IntCounter,
    pub(crate) restored: prometheus::IntCounter,
    pub(crate) dropped: IntCounterVec,
    pub(crate) dead_letters: IntCounterVec,
    pub(crate) lag: IntGaugeVec,
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
            dropped: counters(
                "tidegate_dropped_records_total",
                "Valid records that led to nothing, by why: repeated.",
                "reason",
            )?,
            dead_letters: counters(
                "tidegate_dead_letters_total",
                "Records set aside, by what is wrong with them.",
                "class",
            )?,
            lag: gauges("tidegate_lag_records", "Records that wait on the input partition.")?,
            committed: gauges("tidegate_committed_offset", "Committed offset of the input partition.")?,
            assigned: IntGauge::with_opts(opts("tidegate_assigned_partitions", "Input partitions held."))?,
            output_bytes: counter("tidegate_output_bytes_total", "Bytes of the values published.")?,
            checkpoint_bytes: counter("tidegate_checkpoint_bytes_total", "Bytes of the checkpoints' values.")?,
            checkpoints: counter(
                "tidegate_checkpoints_total",
                "Checkpoints written, tombstones included; of forecast alone.",
            )?,
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

    /// Records with these Kafka timestamps, ms since the epoch, were processed just now.
    pub(crate) fn note_hops(&self, came: impl Iterator<Item = Option<i64>>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        for timestamp in came.flatten() {
            self.hop_seconds.observe((since - timestamp as f64 / 1000.0).max(0.0));
        }
    }

    /// Shows the committed offsets of partitions.
    pub(crate) fn note_committed(&self, done: &[(i32, i64)]) {
        for (partition, offset) in done {
            self.committed.with_label_values(&[partition.to_string()]).set(*offset);
        }
    }

    fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let all: [Box<dyn Collector>; 21] = [
            Box::new(self.records.clone()),
            Box::new(self.outputs.clone()),
            Box::new(self.restored.clone()),
            Box::new(self.dropped.clone()),
            Box::new(self.dead_letters.clone()),
            Box::new(self.lag.clone()),
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

fn batch_seconds(work: &str) -> Result<Histogram, prometheus::Error> {
    let opts = HistogramOpts::new("tidegate_batch_seconds", "Time to process one batch, producing included.");
    Histogram::with_opts(opts.const_label("work", work).buckets(prometheus::exponential_buckets(0.0001, 4.0, 8)?))
}

fn hop_seconds(work: &str) -> Result<Histogram, prometheus::Error> {
    let help = "From a record's Kafka timestamp until its batch was processed.";
    let opts = HistogramOpts::new("tidegate_hop_seconds", help);
    Histogram::with_opts(opts.const_label("work", work).buckets(prometheus::exponential_buckets(0.001, 2.5, 14)?))
}
