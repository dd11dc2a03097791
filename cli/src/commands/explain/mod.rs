//! `tidegate explain`: why a node got a quota.
//!
//! ```text
//! --alert FINGERPRINT ─► the alert on the topic or in the recordings: its node, and when it fired
//! --recording FILE… ─► recordings.rs ─┐
//! the brokers ───────► topics.rs ─────┴─► Evidence ─► Case ─► the stages once more ─► Explanation ─► text/, or JSON
//! ```

mod recordings;
mod text;
mod topics;

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_broker::KafkaSettings;
use tidegate_explain::{Alarm, Case, Evidence, Explanation, Search, Stages, Wanted};
use tidegate_schemas::SchemaIds;

use crate::args::Common;
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{event_time, pipeline, shutdown};

/// Explain one decision: what was seen, forecast and decided, and why.
///
/// Takes the node's last command, or the one that --at or --sequence names, and makes it again from the reports that it
/// depends on, by the stages of production; its trace and the node's alerts around it stand beside it. Without --recording everything is read from the topics. Recordings are those of
/// `tidegate record load`, `record quotas`, `record forecasts`, `record alerts` and, where anybody set a control, `record
/// controls`, in any order. The model and the `[quota]` settings must be those that decided: say --config and --model as `run` was told. Exit
/// code 65: the decision did not come out the same.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The node
    #[arg(value_name = "NODE", required_unless_present = "alert")]
    node: Option<String>,
    /// The last command before this alert fired: its fingerprint, as Alertmanager and `amtool` show it
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint, conflicts_with_all = ["node", "at", "sequence"])]
    alert: Option<String>,
    /// The command in force at this event time: RFC 3339, or ms since the epoch
    #[arg(long, value_name = "TIME", value_parser = event_time::parse, conflicts_with = "sequence")]
    at: Option<i64>,
    /// The command that answered the report with this sequence
    #[arg(long, value_name = "N")]
    sequence: Option<i64>,
    /// Read this recording instead of the topics; may be given several times
    #[arg(long, value_name = "FILE")]
    recording: Vec<PathBuf>,
    /// Model that forecast [default: the shipped one]
    #[arg(long, value_name = "FILE", env = "TIDEGATE_MODEL")]
    model: Option<PathBuf>,
}

impl Explain {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut settings = Settings::load(common)?;
        if self.model.is_some() {
            settings.forecast.model.clone_from(&self.model);
        }
        let stages = Stages::new(pipeline::model(&settings)?, settings.quota()?);
        let (evidence, wanted) = self.evidence(&settings)?;
        let lacks_controls = !self.recording.is_empty() && !evidence.has_controls();
        let explanation = stages.explain(&Case::of(evidence, wanted)?)?;
        if common.json {
            super::say_json(&explanation)?;
        } else {
            super::say(text::of(&explanation).trim_end())?;
        }
        verdict(&explanation, lacks_controls)
    }

    fn wanted(&self) -> Wanted {
        match (self.at, self.sequence) {
            (Some(at), _) => Wanted::At(at),
            (None, Some(sequence)) => Wanted::Sequence(sequence),
            (None, None) => Wanted::Last,
        }
    }

    fn evidence(&self, settings: &Settings) -> anyhow::Result<(Evidence, Wanted)> {
        let kafka = settings.kafka()?;
        let stop = shutdown::on_signals()?;
        let ids: Arc<dyn SchemaIds> = settings.schema_ids(&kafka, &stop);
        if self.recording.is_empty() {
            super::reach(&kafka)?;
        }
        let (mut evidence, node, wanted) = match (&self.node, &self.alert) {
            (None, Some(fingerprint)) => {
                let alarm = self.alarm(&kafka, Search::of(fingerprint, Arc::clone(&ids)))?;
                let (node, wanted) = (alarm.node_id().to_owned(), Wanted::At(alarm.fired_at()));
                (Evidence::of_alert(alarm, ids), node, wanted)
            }
            (node, _) => {
                let node = node.clone().unwrap_or_default();
                (Evidence::of(&node, ids), node, self.wanted())
            }
        };
        if self.recording.is_empty() {
            topics::read(&kafka, &node, wanted, &mut evidence)?;
        }
        for file in &self.recording {
            recordings::read(file, |record| evidence.take(record))?;
        }
        Ok((evidence, wanted))
    }

    /// The alert that is asked about.
    fn alarm(&self, kafka: &KafkaSettings, mut search: Search) -> anyhow::Result<Alarm> {
        if self.recording.is_empty() {
            topics::find(kafka, &mut search)?;
        }
        for file in &self.recording {
            recordings::read(file, |record| search.take(&record))?;
        }
        Ok(search.end()?)
    }
}

/// A fingerprint as Alertmanager shows it.
fn fingerprint(text: &str) -> Result<String, String> {
    if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a fingerprint has 16 hex digits".to_owned())
}

/// Not reproduced is an error, told after the explanation.
fn verdict(explanation: &Explanation, lacks_controls: bool) -> anyhow::Result<()> {
    if !explanation.reproduced.failed() {
        return Ok(());
    }
    let why = explanation.stretch.missing.clone().unwrap_or_else(|| {
        let controls = "; and no control is in the recordings: if one was set, give that of controls too";
        let controls = if lacks_controls { controls } else { "" };
        format!("other bytes came out; were the model and the [quota] settings others when it was decided, or a control set only afterwards?{controls}")
    });
    Err(failure(exit::DATA, format!("the decision cannot be reproduced: {why}")))
}
