//! Load reports from files, for the commands that run them through the stages without Kafka, or learn from them.
//!
//! ```text
//! CSV ───────> rows, merged by event time ─> made-up positions ─┐
//! recording ─> records of the load topic, in their order ───────┴─> Input
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tidegate_backtest::{Dropped, Input, made_up};
use tidegate_broker::{Received, Source};
use tidegate_forecast::Sample;
use tidegate_producers::csv::{CsvOptions, Format, by_time, open};
use tidegate_schemas::recording::{self, Recording};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{CatalogueIds, Decoder};
use tidegate_stages::sample;

use crate::exit::{self, failure};
use crate::progress;

/// Bad lines named one by one before the rest is only counted.
const NAMED_LINES: u64 = 20;

/// The reports of a file, in the order in which the stages take them.
#[derive(Debug)]
pub(crate) enum Reports {
    /// Of a CSV file, in event-time order.
    Csv(Vec<LoadReport>),
    /// Of a recording, in its own order.
    Recording(Vec<Input>),
}

/// What a file gave.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) reports: Reports,
    /// Lines and records that gave no report, by why.
    pub(crate) left_out: Dropped,
}

impl Reports {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Csv(reports) => reports.len(),
            Self::Recording(inputs) => inputs.len(),
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = &LoadReport> + '_> {
        match self {
            Self::Csv(reports) => Box::new(reports.iter()),
            Self::Recording(inputs) => Box::new(inputs.iter().map(|input| &input.received.record)),
        }
    }

    /// What the runner takes.
    pub(crate) fn into_inputs(self) -> Box<dyn Iterator<Item = Input>> {
        match self {
            Self::Csv(reports) => Box::new(made_up(reports)),
            Self::Recording(inputs) => Box::new(inputs.into_iter()),
        }
    }

    /// Keeps these nodes only; all where none is named.
    pub(crate) fn keep_nodes(&mut self, nodes: &[String]) -> anyhow::Result<()> {
        let known: BTreeSet<&str> = self.iter().map(|report| report.node_id.as_str()).collect();
        if let Some(unknown) = nodes.iter().find(|node| !known.contains(node.as_str())) {
            return Err(failure(exit::USAGE, format!("the file has no node {unknown:?}")));
        }
        if !nodes.is_empty() {
            match self {
                Self::Csv(reports) => reports.retain(|report| nodes.contains(&report.node_id)),
                Self::Recording(inputs) => inputs.retain(|input| nodes.contains(&input.received.record.node_id)),
            }
        }
        Ok(())
    }

    /// Each node's valid reports as samples, in their order.
    pub(crate) fn samples(&self) -> BTreeMap<String, Vec<Sample>> {
        let mut nodes = BTreeMap::<String, Vec<Sample>>::new();
        for report in self.iter().filter(|report| report.validate().is_ok()) {
            nodes.entry(report.node_id.clone()).or_default().push(sample(report));
        }
        nodes
    }
}

/// Reads a CSV file or a recording of the load topic, with a progress bar.
pub(crate) fn read(path: &Path, base_quota: f64) -> anyhow::Result<Loaded> {
    if is_recording(path)? { read_recording(path) } else { read_csv(path, base_quota) }
}

fn read_csv(path: &Path, base_quota: f64) -> anyhow::Result<Loaded> {
    let (rows, progress) = open(path, CsvOptions { base_quota, ..CsvOptions::default() })?;
    let unknown = rows.columns().unknown().join(", ");
    if !unknown.is_empty() {
        crate::commands::tell(format!("{}: columns without a meaning here are left out: {unknown}", path.display()));
    }
    let bar = progress::bar(progress.total(), "{elapsed_precise} {wide_bar} {bytes} of {total_bytes} read");
    let (mut reports, mut bad) = (Vec::new(), 0);
    for row in rows {
        match row {
            Ok(report) => reports.push(report),
            Err(e) if e.ends_reading => return Err(failure(exit::DATA, e.to_string())),
            Err(e) => {
                bad += 1;
                if bad <= NAMED_LINES {
                    bar.suspend(|| crate::commands::tell(e));
                }
            }
        }
        if reports.len() % 1_000 == 0 {
            bar.set_position(progress.read());
        }
    }
    bar.finish_and_clear();
    let left_out = if bad > 0 { Dropped::from([("bad-line".to_owned(), bad)]) } else { Dropped::new() };
    Ok(Loaded { reports: Reports::Csv(by_time(reports)), left_out })
}

fn read_recording(path: &Path) -> anyhow::Result<Loaded> {
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    let (mut inputs, mut left_out, mut topic) = (Vec::new(), Dropped::new(), String::new());
    let mut names = TopicNames::default();
    for_each_record(path, &mut |record| {
        match decoder.decode::<LoadReport>(record.value.as_deref().unwrap_or_default()) {
            Ok(report) => inputs.push(input(record, report, &mut names)),
            Err(_) => {
                *left_out.entry("no-load-report".to_owned()).or_default() += 1;
                topic = record.topic;
            }
        }
        Ok(())
    })?;
    if inputs.is_empty() && !left_out.is_empty() {
        let said = format!("{} is a recording of {topic}, which holds no load reports", path.display());
        return Err(failure(exit::DATA, said));
    }
    Ok(Loaded { reports: Reports::Recording(inputs), left_out })
}

/// Calls `each` for every record of a recording, with a progress bar.
pub(crate) fn for_each_record(
    path: &Path,
    each: &mut dyn FnMut(Recording) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let file = open_file(path)?;
    let bar = progress::bar(0, "{elapsed_precise} {pos} records read");
    for record in recording::read(BufReader::new(file)).with_context(named)? {
        each(record.with_context(named)?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Topic names, each kept once.
#[derive(Default)]
struct TopicNames(Vec<Arc<str>>);

impl TopicNames {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.0.push(Arc::clone(&new));
        new
    }
}

fn input(record: Recording, report: LoadReport, names: &mut TopicNames) -> Input {
    let source = Source { topic: names.get(&record.topic), partition: record.partition, offset: record.offset };
    let received = Received { record: report, source, kafka_timestamp: record.timestamp, trace: None };
    Input { key: record.key, received }
}

/// Whether a file is a recording, by its first bytes.
pub(crate) fn is_recording(path: &Path) -> anyhow::Result<bool> {
    let mut beginning = Vec::new();
    open_file(path)?.take(16).read_to_end(&mut beginning).with_context(|| path.display().to_string())?;
    Ok(Format::of(&beginning) == Format::Recording)
}

fn open_file(path: &Path) -> anyhow::Result<File> {
    if path.is_dir() {
        return Err(failure(exit::NO_INPUT, format!("{} is a folder; name a file in it", path.display())));
    }
    File::open(path).map_err(|e| failure(exit::NO_INPUT, format!("{}: {e}", path.display())))
}
