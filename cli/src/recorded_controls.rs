//! A recording of the controls topic, for the commands that run recorded load through the stages.
//!
//! ```text
//! recording ─> records of the controls topic, in their order ─> Runner::control, before the first report
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_backtest::Runner;
use tidegate_schemas::records::Control;
use tidegate_schemas::{CatalogueIds, Decoder, Topic};

use crate::commands::tell;
use crate::exit::{self, failure};
use crate::reports;

/// The flag that names one.
#[derive(Debug, clap::Args)]
pub(crate) struct ControlsFlag {
    /// Recording of the controls topic: what operators said then holds here too, by event time, whatever the policy
    #[arg(long, value_name = "FILE")]
    controls: Option<PathBuf>,
}

/// Keys and what their records say; `None`: a tombstone.
#[derive(Debug, Default)]
pub(crate) struct RecordedControls(Vec<(String, Option<Control>)>);

impl ControlsFlag {
    /// Reads the recording; nothing where none is named.
    pub(crate) fn read(&self) -> anyhow::Result<RecordedControls> {
        self.controls.as_deref().map_or_else(|| Ok(RecordedControls::default()), read)
    }
}

impl RecordedControls {
    /// Gives all of them to the stages, as a process of production reads the topic before its first decision.
    pub(crate) fn give_to(self, runner: &mut Runner) {
        for (key, control) in self.0 {
            if let Err(class) = runner.control(&key, control) {
                tell(format!("a recorded control of {key} counts for nothing, as in `run`: {class}"));
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<RecordedControls> {
    let refused = |what: &str| Err(failure(exit::DATA, format!("{} {what}", path.display())));
    if !reports::is_recording(path)? {
        return refused("is no recording of the controls topic");
    }
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    let (mut controls, mut other) = (Vec::new(), 0_u64);
    reports::for_each_record(path, &mut |record| {
        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
        match record.value.as_deref().map(|value| decoder.decode::<Control>(value)) {
            Some(Ok(control)) => controls.push((key, Some(control))),
            None if record.topic.ends_with(Topic::Controls.short_name()) => controls.push((key, None)),
            Some(Err(_)) | None => other += 1,
        }
        Ok(())
    })?;
    if controls.is_empty() && other > 0 {
        return refused("holds no control; `tidegate record controls` makes a recording of them");
    }
    if other > 0 {
        tell(format!("{}: {other} records are no controls and are left out", path.display()));
    }
    Ok(RecordedControls(controls))
}
