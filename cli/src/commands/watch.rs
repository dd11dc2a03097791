//! `tidegate watch`: a topic, decoded for a reader.

use std::time::Duration;

use tidegate_broker::{From, Tail};
use tidegate_schemas::Topic;
use tidegate_sinks::view::Viewer;

use crate::args::Common;
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::shutdown;

/// Show the records of a topic as they come, decoded.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// Topic, with or without the prefix (load, forecasts, quotas, dead-letters, …)
    topic: String,
    /// Only records of this node
    #[arg(long, value_name = "ID")]
    node: Option<String>,
    /// Where to begin
    #[arg(long, value_enum, default_value = "end")]
    from: Begin,
    /// End once every partition was read to its end
    #[arg(long)]
    until_end: bool,
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Begin {
    /// At the oldest record.
    Beginning,
    /// With what comes from now on.
    End,
}

impl std::convert::From<Begin> for From {
    fn from(begin: Begin) -> Self {
        match begin {
            Begin::Beginning => Self::Beginning,
            Begin::End => Self::End,
        }
    }
}

impl Watch {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let settings = Settings::load(common)?;
        let kafka = settings.kafka()?;
        let Some(topic) = Topic::from_name(&self.topic, &kafka.prefix) else {
            let all = Topic::ALL.map(Topic::short_name).join(", ");
            return Err(failure(exit::USAGE, format!("there is no topic {:?}; there are {all}", self.topic)));
        };
        let stop = shutdown::on_signals()?;
        super::reach(&kafka)?;
        let mut viewer = Viewer::new(topic, settings.schema_ids(&kafka, &stop));
        let mut tail = Tail::topic(&kafka, &kafka.topic(topic), From::from(self.from))?;
        while !stop.is_set() && (!self.until_end || !tail.caught_up()) {
            let Some(record) = tail.next(Duration::from_millis(100))? else { continue };
            let wanted = self.node.as_deref().is_none_or(|node| record.key.as_deref() == Some(node.as_bytes()));
            match (wanted, common.json) {
                (false, _) => {}
                (true, true) => super::say_json(&viewer.object(&record))?,
                (true, false) => super::say(viewer.line(&record))?,
            }
        }
        Ok(())
    }
}
