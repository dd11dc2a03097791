//! `tidegate record`: a topic to a file.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tidegate_broker::{From, Tail};
use tidegate_schemas::Topic;
use tidegate_sinks::record::Recorder;

use crate::args::Common;
use crate::config::Settings;
use crate::{progress, shutdown};

/// Record a topic to a file (Avro object container, snappy blocks).
///
/// Whole records are kept: topic, partition, offset, timestamp, key, headers, value. `tidegate replay FILE` publishes
/// them again. Ctrl-C ends the recording.
#[derive(Debug, clap::Args)]
pub(crate) struct Record {
    /// Topic, with or without the prefix (load, forecasts, quotas, …)
    topic: String,
    /// File to write; it must not exist yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Where to begin
    #[arg(long, value_enum, default_value = "beginning")]
    from: super::watch::Begin,
    /// End once every partition was read to its end
    #[arg(long)]
    until_end: bool,
}

impl Record {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let kafka = Settings::load(common)?.kafka()?;
        let stop = shutdown::on_signals()?;
        super::reach(&kafka)?;
        let name = Topic::from_name(&self.topic, &kafka.prefix).map_or_else(|| self.topic.clone(), |t| kafka.topic(t));
        let mut tail = Tail::topic(&kafka, &name, From::from(self.from))?;
        let mut recorder = Recorder::create(&self.to)?;
        let bar = progress::bar(0, "{elapsed_precise} {pos} records");
        let mut last_flush = Instant::now();
        while !stop.is_set() && (!self.until_end || !tail.caught_up()) {
            if let Some(record) = tail.next(Duration::from_millis(100))? {
                recorder.append(record)?;
                bar.inc(1);
            }
            if last_flush.elapsed() > Duration::from_secs(1) {
                recorder.flush()?;
                last_flush = Instant::now();
            }
        }
        let records = recorder.finish()?;
        bar.finish_and_clear();
        if common.json {
            return super::say_json(&serde_json::json!({ "topic": name, "records": records, "file": self.to }));
        }
        super::say(format!("{records} records of {name} in {}", self.to.display()))
    }
}
