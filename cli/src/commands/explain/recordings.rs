//! The records of a recording.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use tidegate_broker::RawRecord;
use tidegate_schemas::SchemaError;
use tidegate_schemas::recording::{self, Recording};

use crate::exit::{self, failure};
use crate::progress;

/// Gives every record of a file to `take`.
pub(super) fn read(path: &Path, mut take: impl FnMut(RawRecord) -> Result<(), SchemaError>) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let file = File::open(path).map_err(|e| failure(exit::NO_INPUT, format!("{}: {e}", named())))?;
    let bar = progress::bar(0, "{elapsed_precise} {pos} records read");
    for record in recording::read(BufReader::new(file)).with_context(named)? {
        take(raw(record.with_context(named)?)).with_context(named)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn raw(recording: Recording) -> RawRecord {
    let Recording { topic, partition, offset, timestamp, key, headers, value } = recording;
    let headers = headers.into_iter().map(|header| (header.key, header.value)).collect();
    RawRecord { topic, partition, offset, timestamp, key, value, headers }
}
