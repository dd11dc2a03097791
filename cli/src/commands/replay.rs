//! `tidegate replay`: a CSV file or a recording, published again.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tidegate_broker::{Deliveries, Publisher, Registry, Stop};
use tidegate_producers::clock::SystemClock;
use tidegate_producers::csv::CsvOptions;
use tidegate_producers::publish::RecordOptions;
use tidegate_producers::replay::{Event, Source, Summary, Target, replay};
use tidegate_producers::{RecordPublisher, RecordSink, ReportPublisher, ReportSink, Speed};
use tidegate_schemas::Topic;
use tidegate_traces::Origin;

use crate::args::{Common, TraceFlag};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{own_spans, progress, shutdown};

/// Lines named one by one before the rest is only counted.
const NAMED_LINES: u64 = 20;

/// Publish a CSV file or a recording.
///
/// CSV (.csv, .csv.gz, .csv.sz): a header names the columns; node_id and timestamp_ms are required, and cpu or memory
/// (fractions of the base quota); an empty field means "not measured". Lines that do not parse are named and left out.
/// A recording gives back the same keys, values and headers. The order of each node's records is kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The file
    file: PathBuf,
    /// How fast event time passes: 1, 60, … or max
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// Topic to publish to [default: load for CSV, the recorded one for recordings]
    #[arg(long)]
    topic: Option<String>,
    /// Recordings: keep the recorded partition of each record
    #[arg(long)]
    keep_partitions: bool,
    /// Recordings: keep the recorded Kafka timestamps
    #[arg(long)]
    keep_timestamps: bool,
    /// CSV: base quota of rows that do not name theirs
    #[arg(long, value_name = "UNITS", default_value_t = 1000.0)]
    base_quota: f64,
    /// Tells runs apart in traces
    #[arg(long, default_value_t = 1, hide = true)]
    trace_seed: u64,
    #[command(flatten)]
    trace: TraceFlag,
}

impl Replay {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut settings = Settings::load(common)?;
        self.trace.lay_over(&mut settings.trace);
        let kafka = settings.kafka()?;
        let options = CsvOptions { base_quota: self.base_quota, ..CsvOptions::default() };
        let source = Source::open(&self.file, options)?;
        let unknown = source.unknown_columns().join(", ");
        if !unknown.is_empty() {
            super::tell(format!("{}: columns without a meaning here are left out: {unknown}", self.file.display()));
        }
        let stop = shutdown::on_signals()?;
        super::reach(&kafka)?;
        let load = self.topic.clone().unwrap_or_else(|| kafka.topic(Topic::Load));
        if !source.is_recording() {
            kafka.partition_count(&load, super::BROKER_PATIENCE)?;
        }
        let deliveries = Arc::new(Deliveries::default());
        let publisher = Arc::new(Publisher::new(&kafka, Arc::<Deliveries>::clone(&deliveries))?);
        let ids = settings.schema_ids(&kafka, &stop);
        let origin = Origin::new("tidegate-replay", settings.trace.head(self.trace_seed));
        let _spans = own_spans::to_kafka(&kafka, &ids, &Registry::new())?;
        let mut target = Target {
            reports: ReportPublisher::new(Arc::clone(&publisher), load, &*ids, origin)?,
            records: RecordPublisher::new(Arc::clone(&publisher), self.record_options()),
        };
        let done = self.publish(source, &mut target, &stop)?;
        super::drain(&publisher, || stop.is_set())?;
        if let Some(why) = deliveries.first_failure() {
            let failed = deliveries.failed_count();
            return Err(failure(exit::UNAVAILABLE, format!("{failed} records were not taken: {why}")));
        }
        self.tell(&done, common.json)
    }

    fn record_options(&self) -> RecordOptions {
        RecordOptions {
            topic: self.topic.clone(),
            keep_partitions: self.keep_partitions,
            keep_timestamps: self.keep_timestamps,
        }
    }

    /// Replays with a progress bar; the first bad lines are named.
    fn publish<S: ReportSink + RecordSink>(
        &self,
        source: Source,
        sink: &mut S,
        stop: &Stop,
    ) -> anyhow::Result<Summary> {
        let bytes = source.progress().clone();
        let bar = progress::bar(bytes.total(), "{elapsed_precise} {wide_bar} {bytes} of {total_bytes}  {msg}");
        let mut named = 0;
        let mut watch = |event: Event<'_>| {
            bar.set_position(bytes.read());
            match event {
                Event::Reading { rows } => bar.set_message(format!("{rows} rows read")),
                Event::Sent(summary) => bar.set_message(format!("{} records sent", summary.sent)),
                Event::BadRow(error) => {
                    named += 1;
                    if named <= NAMED_LINES {
                        bar.suspend(|| super::tell(error));
                    }
                }
            }
            ControlFlow::Continue(())
        };
        let done = replay(source, self.speed, sink, &SystemClock::start(), stop.flag(), &mut watch)?;
        bar.finish_and_clear();
        Ok(done)
    }

    fn tell(&self, done: &Summary, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            super::say_json(&serde_json::json!({ "records": done.sent, "bad_lines": done.bad_rows }))?;
        } else {
            super::say(format!("{} records published", done.sent))?;
        }
        if done.bad_rows > 0 {
            let file = self.file.display();
            let lines = if done.bad_rows == 1 { "line" } else { "lines" };
            let said = format!("{} {lines} of {file} gave no report and were left out", done.bad_rows);
            return Err(failure(exit::DATA, said));
        }
        Ok(())
    }
}
