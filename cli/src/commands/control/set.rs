//! `control set` and `control clear`: one control, said on the command line.

use tidegate_schemas::records::{Control, ControlMode};

use super::topic::ControlTopic;
use super::{Said, compare, show};
use crate::args::Common;
use crate::event_time::{self, End};
use crate::exit::{self, failure};

/// Say what holds for a node or a pool from now on
///
/// Without --from the control begins right after the newest event time that the quotas topic has of the node, or of any
/// node of the pool; where it has none, of any node at all; on an empty topic the first command is waited for, up to 30 s.
/// Event time is the fleet's: in a demo at speed 60, `--until 2h` ends after 2 minutes of yours.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate control set node-0003 --override 1500 --by alice --why 'load test'
  tidegate control set pool:pool-03 --freeze --until 2h --by alice --why 'release 4.2'
  tidegate control set node-0003 --min 500 --max 2000 --policy headroom --by bob --why 'ticket 77'
  tidegate control set pool:pool-07 --mode recommend --by bob --why 'first week: look on'
  tidegate control set node-0003 --trace --until 10m --by bob --why 'where does its time go?'")]
pub(super) struct Set {
    /// Node id, or pool:NAME for all nodes of a pool
    #[arg(value_name = "NODE|pool:NAME")]
    target: String,
    /// Use this quota whatever the policy says, within minimum and maximum, in the units of the base quota
    #[arg(long = "override", value_name = "Q", allow_negative_numbers = true)]
    override_quota: Option<f64>,
    /// Keep the quota as it is
    #[arg(long)]
    freeze: bool,
    /// Never below this quota, in place of the configured minimum
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    min: Option<f64>,
    /// Never above this quota, in place of the configured maximum
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    max: Option<f64>,
    /// Decide by this policy: threshold or headroom
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// recommend: publish, edges do not enforce; enforce: they do
    #[arg(long)]
    mode: Option<Mode>,
    /// Record the traces of all its reports, not of a share
    #[arg(long)]
    trace: bool,
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
pub(super) enum Mode {
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

/// Take back what was said of a node or a pool, what is planned included
#[derive(Debug, clap::Args)]
pub(super) struct Clear {
    /// Node id, or pool:NAME
    #[arg(value_name = "NODE|pool:NAME")]
    target: String,
    #[command(flatten)]
    said: Said,
}

impl Set {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let wrong = |what: String| failure(exit::USAGE, what);
        // What can be said without a broker is said without one.
        let mut control = self.control(self.from.unwrap_or_default());
        let nothing =
            "nothing is asked for; give --override, --freeze, --min, --max, --policy, --mode or --trace".to_owned();
        if control.is_clear() {
            return Err(wrong(nothing));
        }
        show::check(&control, self.from.is_some()).map_err(wrong)?;
        let topic = ControlTopic::open(common)?;
        let before = topic.read()?.last(&self.target).filter(|c| !c.is_clear()).cloned();
        let sender = topic.sender()?;
        // The fleet's time goes on: it is looked up last.
        let stamps = self.from.is_none();
        let moments = topic.moments(&[&self.target], stamps)?;
        if stamps {
            control = self.control(moments.next(&self.target));
            show::check(&control, true).map_err(wrong)?;
        }
        sender.publish(&[&control])?;
        let known = moments.tell_unknown(&self.target, stamps);
        show::said(common, Some(&control), before.as_ref(), known)
    }

    fn control(&self, from: i64) -> Control {
        Control {
            target: self.target.clone(),
            timestamp: from,
            override_quota: self.override_quota,
            freeze: self.freeze,
            min_quota: self.min,
            max_quota: self.max,
            policy: self.policy.clone(),
            mode: self.mode.map_or(ControlMode::Unchanged, ControlMode::from),
            until: self.until.map(|end| end.of(from)),
            trace: self.trace,
            by: self.said.by.clone(),
            why: self.said.why.clone(),
        }
    }
}

impl Clear {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let wrong = |what: String| failure(exit::USAGE, what);
        let mut clear = compare::clear(&self.target, 0, &self.said.by, &self.said.why);
        show::check(&clear, false).map_err(wrong)?;
        let topic = ControlTopic::open(common)?;
        let Some(before) = topic.read()?.last(&self.target).filter(|c| !c.is_clear()).cloned() else {
            crate::commands::tell(format!("nothing is said of {}; there is nothing to clear", self.target));
            return show::said(common, None, None, true);
        };
        let sender = topic.sender()?;
        clear.timestamp = topic.moments(&[&self.target], true)?.next(&self.target);
        sender.publish(&[&clear])?;
        show::said(common, Some(&clear), Some(&before), true)
    }
}
