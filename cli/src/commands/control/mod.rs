//! `tidegate control`: an operator's word on a node or a pool.
//!
//! ```text
//! set, clear ──────────────────────────────┐
//! FILE ─ file ─> wanted ─┐                 ├─> topic::publish ─> controls
//! controls ─ topic ──────┴─> compare ──────┘
//! quotas ─ moments ─> the event time to stamp with
//! ```

mod compare;
mod file;
mod moments;
mod show;
mod topic;

use std::path::PathBuf;

use serde_json::json;
use tidegate_schemas::controls::Controls;
use tidegate_schemas::records::{self, ControlMode, Target};

use self::compare::{Change, Step};
use self::topic::ControlTopic;
use crate::args::Common;
use crate::event_time::{self, End};
use crate::exit::{self, failure};

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

/// Say what holds for a node or a pool from now on
///
/// Without --from the control begins right after the newest event time that the quotas topic has of the node, or of any
/// node of the pool; where it has none, of any node at all; on an empty topic, by this machine's clock. Event time is
/// the fleet's: in a demo at speed 60, `--until 2h` ends after 2 minutes of yours.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate control set node-0003 --override 1500 --by alice --why 'load test'
  tidegate control set pool:web --freeze --until 2h --by alice --why 'release 4.2'
  tidegate control set node-0003 --min 500 --max 2000 --policy headroom --by bob --why 'ticket 77'
  tidegate control set pool:batch --mode recommend --by bob --why 'first week: look on'")]
struct Set {
    /// Node id, or pool:NAME for all nodes of a pool
    #[arg(value_name = "NODE|pool:NAME")]
    target: String,
    /// Use this quota whatever the policy says, in the units of the base quota
    #[arg(long = "override", value_name = "Q", allow_negative_numbers = true)]
    override_quota: Option<f64>,
    /// Keep the quota as it is
    #[arg(long)]
    freeze: bool,
    /// Never below this quota
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    min: Option<f64>,
    /// Never above this quota
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    max: Option<f64>,
    /// Decide by this policy: threshold or headroom
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// recommend: publish, edges do not enforce; enforce: they do
    #[arg(long)]
    mode: Option<Mode>,
    /// Begin at this event time: 2026-01-05T00:00:00Z or milliseconds [default: now, by the fleet's event time]
    #[arg(long, value_name = "TIME", value_parser = event_time::parse)]
    from: Option<i64>,
    /// End at this event time, or so long after the beginning (2h) [default: when it is cleared]
    #[arg(long, value_name = "TIME", value_parser = event_time::parse_end)]
    until: Option<End>,
    #[command(flatten)]
    said: Said,
}

/// Whether edges enforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Publish; edges keep their base quota
    Recommend,
    /// Edges enforce
    Enforce,
}

impl From<Mode> for ControlMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Recommend => Self::Recommend,
            Mode::Enforce => Self::Enforce,
        }
    }
}

/// Who stands for a control.
#[derive(Debug, clap::Args)]
struct Said {
    /// Who says so; stands in the reason of each command that it touches
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Why; stands there too
    #[arg(long, value_name = "TEXT")]
    why: String,
}

/// Show what was said, and whether it is in force
#[derive(Debug, clap::Args)]
struct List {
    /// Also what was cleared, has ended or was replaced
    #[arg(long)]
    all: bool,
}

/// Take back what was said of a node or a pool, what is planned included
#[derive(Debug, clap::Args)]
struct Clear {
    /// Node id, or pool:NAME
    #[arg(value_name = "NODE|pool:NAME")]
    target: String,
    #[command(flatten)]
    said: Said,
}

/// Make the controls as a file (TOML) says; safe to run again
///
/// What is as the file says already is left alone, and so are targets that the file does not name, unless --prune.
/// docs/controls.md has the format.
#[derive(Debug, clap::Args)]
#[command(after_help = "A file:
  by = \"alice\"
  why = \"release 4.2\"

  [[control]]
  target = \"pool:web\"
  freeze = true
  until = \"2h\"

  [[control]]
  target = \"node-0003\"
  override = 1500")]
struct Apply {
    #[command(flatten)]
    bulk: Bulk,
    /// Say what would be done; change nothing (as `control diff`)
    #[arg(long)]
    dry_run: bool,
}

/// Compare a file of controls with what holds; change nothing
#[derive(Debug, clap::Args)]
struct Diff {
    #[command(flatten)]
    bulk: Bulk,
}

#[derive(Debug, clap::Args)]
struct Bulk {
    /// Controls, as TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Clear the targets that the file does not name
    #[arg(long)]
    prune: bool,
    /// Who says what the file gives no `by` for
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Why, where the file gives no `why`
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
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

impl Set {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let wrong = |what: String| failure(exit::USAGE, what);
        // What can be said without a broker is said without one.
        let mut control = self.control(self.from.unwrap_or_default());
        let nothing = "nothing is asked for; give --override, --freeze, --min, --max, --policy or --mode".to_owned();
        if control.is_clear() {
            return Err(wrong(nothing));
        }
        show::check(&control, self.from.is_some()).map_err(wrong)?;
        let topic = ControlTopic::open(common)?;
        let before = topic.read()?.last(&self.target).filter(|c| !c.is_clear()).cloned();
        let sender = topic.sender()?;
        // The fleet's time goes on: it is looked up last.
        let moments = topic.moments(&[&self.target])?;
        if self.from.is_none() {
            control = self.control(moments.next(&self.target));
            show::check(&control, true).map_err(wrong)?;
        }
        sender.publish(&[&control])?;
        let known = moments.tell_unknown(&self.target);
        show::said(common, Some(&control), before.as_ref(), known)
    }

    fn control(&self, from: i64) -> records::Control {
        records::Control {
            target: self.target.clone(),
            timestamp: from,
            override_quota: self.override_quota,
            freeze: self.freeze,
            min_quota: self.min,
            max_quota: self.max,
            policy: self.policy.clone(),
            mode: self.mode.map_or(ControlMode::Unchanged, ControlMode::from),
            until: self.until.map(|end| end.of(from)),
            by: self.said.by.clone(),
            why: self.said.why.clone(),
        }
    }
}

impl Clear {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let wrong = |what: String| failure(exit::USAGE, what);
        let mut clear = compare::clear(&self.target, 0, &self.said.by, &self.said.why);
        show::check(&clear, false).map_err(wrong)?;
        let topic = ControlTopic::open(common)?;
        let Some(before) = topic.read()?.last(&self.target).filter(|c| !c.is_clear()).cloned() else {
            super::tell(format!("nothing is said of {}; there is nothing to clear", self.target));
            return show::said(common, None, None, true);
        };
        let sender = topic.sender()?;
        clear.timestamp = topic.moments(&[&self.target])?.next(&self.target);
        sender.publish(&[&clear])?;
        show::said(common, Some(&clear), Some(&before), true)
    }
}

impl List {
    fn run(self, common: &Common) -> anyhow::Result<()> {
        let topic = ControlTopic::open(common)?;
        let controls = topic.read()?;
        let targets: Vec<&str> = controls.by_target().into_keys().collect();
        let moments = topic.recent_moments(&targets)?;
        show::list(common, &controls, &moments, self.all)
    }
}

impl Bulk {
    fn run(self, common: &Common, apply: bool) -> anyhow::Result<()> {
        let wanted = file::read(&self.file, self.by.as_deref(), self.why.as_deref())?;
        let topic = ControlTopic::open(common)?;
        let present = topic.read()?;
        let sender = apply.then(|| topic.sender()).transpose()?;
        let moments = topic.moments(&self.targets(&wanted, &present))?;
        let prune = self.prune.then_some(&wanted.said);
        let steps = compare::compare(&wanted.entries, &present, |target| moments.next(target), prune);
        let steps = steps.map_err(|e| failure(exit::DATA, format!("{}: {e}", self.file.display())))?;
        if let Some(sender) = sender {
            let new: Vec<_> = steps.iter().filter_map(Step::to_publish).collect();
            sender.publish(&new)?;
        }
        for entry in &wanted.entries {
            moments.tell_unknown(&entry.target);
        }
        if common.json {
            return super::say_json(&json!({ "applied": apply, "changes": steps }));
        }
        let counts = |change| steps.iter().filter(|step| step.change == change).count();
        steps.iter().try_for_each(|step| super::say(show::step(step)))?;
        super::say(format!(
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

/// A target in words.
fn named(target: &str) -> String {
    match Target::of(target) {
        Some(Target::Pool(name)) => format!("the pool {name:?}"),
        _ => format!("the node {target:?}"),
    }
}
