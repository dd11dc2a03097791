//! `control apply` and `control diff`: a file of controls.

use std::path::PathBuf;

use serde_json::json;
use tidegate_schemas::controls::Controls;

use super::compare::{self, Change, Step};
use super::topic::ControlTopic;
use super::{file, show};
use crate::args::Common;
use crate::commands::{say, say_json};
use crate::exit::{self, failure};

/// Make the controls as a file (TOML) says; safe to run again
///
/// What is as the file says already is left alone, and so are targets that the file does not name, unless --prune: those are
/// cleared in the name of the file's own `by` and `why` (at the top, or --by and --why). docs/controls.md has the format.
#[derive(Debug, clap::Args)]
#[command(after_help = "A file:
  by = \"alice\"
  why = \"release 4.2\"

  [[control]]
  target = \"pool:pool-03\"
  freeze = true
  until = \"2h\"

  [[control]]
  target = \"node-0003\"
  override = 1500")]
pub(super) struct Apply {
    #[command(flatten)]
    pub(super) bulk: Bulk,
    /// Say what would be done; change nothing (as `control diff`)
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// Compare a file of controls with what holds; change nothing
#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    #[command(flatten)]
    pub(super) bulk: Bulk,
}

#[derive(Debug, clap::Args)]
pub(super) struct Bulk {
    /// Controls, as TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Clear the targets that the file does not name; needs `by` and `why` at the top of the file, or --by and --why
    #[arg(long)]
    prune: bool,
    /// Who says what the file gives no `by` for
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Why, where the file gives no `why`
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

impl Bulk {
    pub(super) fn run(self, common: &Common, apply: bool) -> anyhow::Result<()> {
        let wanted = file::read(&self.file, self.by.as_deref(), self.why.as_deref())?;
        let topic = ControlTopic::open(common)?;
        let present = topic.read()?;
        let sender = apply.then(|| topic.sender()).transpose()?;
        let stamps = self.prune || wanted.entries.iter().any(|entry| !entry.has_beginning());
        let moments = topic.moments(&self.targets(&wanted, &present), stamps)?;
        let prune = self.prune.then_some(&wanted.said);
        let steps = compare::compare(&wanted.entries, &present, |target| moments.next(target), prune);
        let steps = steps.map_err(|e| failure(exit::DATA, format!("{}: {e}", self.file.display())))?;
        if let Some(sender) = sender {
            let new: Vec<_> = steps.iter().filter_map(Step::to_publish).collect();
            sender.publish(&new)?;
        }
        for entry in &wanted.entries {
            moments.tell_unknown(&entry.target, !entry.has_beginning());
        }
        if common.json {
            return say_json(&json!({ "applied": apply, "changes": steps }));
        }
        let counts = |change| steps.iter().filter(|step| step.change == change).count();
        steps.iter().try_for_each(|step| say(show::step(step)))?;
        say(format!(
            "{}: {} added, {} changed, {} cleared, {} unchanged",
            if apply { "applied" } else { "nothing was changed; it would be" },
            counts(Change::Add),
            counts(Change::Replace),
            counts(Change::Clear),
            counts(Change::Unchanged),
        ))
    }

    /// Targets whose event times are needed.
    fn targets<'a>(&self, wanted: &'a file::Wanted, present: &'a Controls) -> Vec<&'a str> {
        let mut targets: Vec<&str> = wanted.entries.iter().map(|entry| entry.target.as_str()).collect();
        if self.prune {
            targets.extend(present.by_target().into_keys());
        }
        targets
    }
}
