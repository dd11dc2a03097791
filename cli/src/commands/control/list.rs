//! `control list`: what was said, and how it stands by the fleet's time.

use super::show;
use super::topic::ControlTopic;
use crate::args::Common;

/// Show what was said, and whether it is in force
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Also what was cleared, has ended or was replaced
    #[arg(long)]
    all: bool,
}

impl List {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let topic = ControlTopic::open(common)?;
        let controls = topic.read()?;
        let targets: Vec<&str> = controls.by_target().into_keys().collect();
        let moments = topic.recent_moments(&targets)?;
        show::list(common, &controls, &moments, self.all)
    }
}
