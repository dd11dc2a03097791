//! `tidegate topics`: what the catalogue wants compared with what is there.

use tidegate_broker::provisioning::{self, Step, Wanted};

use crate::args::Common;
use crate::config::Settings;

/// Compare and create the topics.
#[derive(Debug, clap::Args)]
pub(crate) struct Topics {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say what is missing and what differs; change nothing
    Plan(Layout),
    /// Create what is missing and name what differs; never delete or change
    Apply(Layout),
}

#[derive(Debug, Clone, clap::Args)]
struct Layout {
    /// Partitions of each topic (controls always has one): the most processes that can share a stage
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Replicas of each partition [default: the brokers' own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100))]
    replication_factor: Option<i32>,
}

impl Topics {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let kafka = Settings::load(common)?.kafka()?;
        super::reach(&kafka)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (steps, created) = match self.action {
            Action::Plan(l) => (runtime.block_on(provisioning::plan(&kafka, l.wanted()))?, false),
            Action::Apply(l) => (runtime.block_on(provisioning::apply(&kafka, l.wanted()))?, true),
        };
        if common.json {
            return super::say_json(&serde_json::json!({ "applied": created, "topics": steps }));
        }
        steps.iter().try_for_each(|step| super::say(line(step, created)))
    }
}

impl Layout {
    fn wanted(&self) -> Wanted {
        Wanted { partitions: self.partitions, replication_factor: self.replication_factor }
    }
}

fn line(step: &Step, created: bool) -> String {
    match step {
        Step::Present { topic } => format!("{topic}: as wanted"),
        Step::Missing { topic, partitions, cleanup } => {
            let done = if created { "created" } else { "missing, would be created" };
            format!("{topic}: {done} with {partitions} partitions, cleanup.policy {cleanup}")
        }
        Step::Differs { topic, differences } => {
            format!("{topic}: differs and is left as it is: {}", differences.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let step = Step::Differs { topic: "t.load".into(), differences: vec!["a".into(), "b".into()] };
        assert_eq!(line(&step, true), "t.load: differs and is left as it is: a; b");
    }
}
