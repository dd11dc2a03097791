//! `tidegate control`: an operator's word on a node or a pool.
//!
//! ```text
//! set, clear ──────────────────────────────┐
//! FILE ─ file ─> wanted ─┐                 ├─> topic::publish ─> controls
//! controls ─ topic ──────┴─> compare ──────┘
//! quotas ─ moments ─> the event time to stamp with
//! ```

mod bulk;
mod compare;
pub(crate) mod file;
mod list;
mod moments;
mod set;
mod show;
mod topic;

use tidegate_schemas::records::Target;

use self::bulk::{Apply, Diff};
use self::list::List;
use self::set::{Clear, Set};
use crate::args::Common;

/// Override, freeze and bound quotas by hand.
///
/// A control is a record on the controls topic: every quota stage reads it, its word stands in each command that it
/// touches, and it is in force by event time. A control replaces, from its beginning on, all that was said of its
/// target before; a node's own control goes over its pool's, field by field.
#[derive(Debug, clap::Args)]
pub(crate) struct Control {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Set(Set),
    List(List),
    Clear(Clear),
    Apply(Apply),
    Diff(Diff),
}

/// Who stands for a control.
#[derive(Debug, clap::Args)]
pub(super) struct Said {
    /// Who says so; stands in the reason of each command that it touches
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Why; stands there too
    #[arg(long, value_name = "TEXT")]
    why: String,
}

impl Control {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        match self.action {
            Action::Set(set) => set.run(common),
            Action::List(list) => list.run(common),
            Action::Clear(clear) => clear.run(common),
            Action::Apply(apply) => apply.bulk.run(common, !apply.dry_run),
            Action::Diff(diff) => diff.bulk.run(common, false),
        }
    }
}

/// A target in words.
fn named(target: &str) -> String {
    match Target::of(target) {
        Some(Target::Pool(name)) => format!("the pool {name:?}"),
        _ => format!("the node {target:?}"),
    }
}
