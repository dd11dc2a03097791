//! `tidegate schemas`: the catalogue, shown, checked, described and served; and the metrics, which are an interface as well.

mod asyncapi;
mod metrics;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::VERSIONS;
use tidegate_schemas::registry_api::{Request, answer};
use tidegate_sinks::registry;

use crate::args::Common;
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{http, shutdown};

/// List, show, check and serve the schemas of the topics.
#[derive(Debug, clap::Args)]
pub(crate) struct Schemas {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Topics with their keys, partitioning, cleanup and schema ids
    List,
    /// Print the Avro schema of a topic, a record or an id
    Show {
        /// Topic (quotas), record (QuotaCommand) or schema id (3)
        what: String,
    },
    /// Check whether a changed schema could read what is on a topic
    Check {
        /// Topic, record or schema id to compare with
        what: String,
        /// The changed schema (.avsc)
        file: PathBuf,
    },
    /// Describe the topics as an AsyncAPI 3 document, for tools and people
    Asyncapi(asyncapi::Asyncapi),
    /// Print every metric of every role: name, type, labels, unit, what it says (Markdown; --json for programs)
    Metrics,
    /// Serve the schema registry's REST API, so that stock deserialisers need no other server
    Serve {
        /// Address to serve at
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
        listen: String,
    },
}

impl Schemas {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let kafka = Settings::load(common)?.kafka()?;
        match self.action {
            Action::List => list(&kafka.prefix, common.json),
            Action::Show { what } => super::say(find(&what, &kafka.prefix)?.text.trim_end()),
            Action::Check { what, file } => check(&what, &file, &kafka.prefix, common.json),
            Action::Metrics => metrics::run(common.json),
            Action::Asyncapi(asyncapi) => asyncapi.run(&kafka.prefix),
            Action::Serve { listen } => {
                let stop = shutdown::on_signals()?;
                let at = http::serve(&listen, registry::router(&kafka.prefix), &stop)?;
                super::say(format!("schema registry at http://{at} (Ctrl-C ends it)"))?;
                while !stop.is_set() {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Ok(())
            }
        }
    }
}

fn list(prefix: &str, as_json: bool) -> anyhow::Result<()> {
    let describe = |topic: Topic| {
        let schema = topic.record().map(|kind| (kind.name(), kind.current()));
        json!({
            "topic": topic.name(prefix),
            "key": topic.key(),
            "partition_by": format!("{:?}", topic.partition_by()),
            "cleanup": topic.cleanup().policy(),
            "record": schema.map(|(name, _)| name),
            "schema_id": schema.map(|(_, v)| v.id),
            "version": schema.map(|(_, v)| v.version),
        })
    };
    let topics: Vec<Value> = Topic::ALL.into_iter().map(describe).collect();
    if as_json {
        return super::say_json(&json!({ "topics": topics }));
    }
    super::say(format!("{:<24} {:<20} {:<14} {:<13} id", "TOPIC", "KEY", "CLEANUP", "RECORD"))?;
    for t in &topics {
        let text = |name: &str| t[name].as_str().unwrap_or("-").to_owned();
        let id = t["schema_id"].as_u64().map_or_else(|| "-".to_owned(), |id| id.to_string());
        super::say(format!(
            "{:<24} {:<20} {:<14} {:<13} {id}",
            text("topic"),
            text("key"),
            text("cleanup"),
            text("record")
        ))?;
    }
    Ok(())
}

fn find(what: &str, prefix: &str) -> anyhow::Result<tidegate_schemas::catalogue::SchemaVersion> {
    let kind = Topic::from_name(what, prefix).and_then(Topic::record);
    let by_name = || VERSIONS.into_iter().rfind(|v| v.kind.name().eq_ignore_ascii_case(what));
    let by_id = || VERSIONS.into_iter().find(|v| what.parse() == Ok(v.id));
    kind.map(|k| k.current()).or_else(by_name).or_else(by_id).ok_or_else(|| {
        failure(exit::USAGE, format!("there is no schema {what:?}; `tidegate schemas list` shows what there is"))
    })
}

fn check(what: &str, file: &PathBuf, prefix: &str, as_json: bool) -> anyhow::Result<()> {
    let version = find(what, prefix)?;
    let named = || format!("the schema file {}", file.display());
    let text = std::fs::read_to_string(file).map_err(|e| failure(exit::NO_INPUT, format!("{}: {e}", named())))?;
    let topic =
        Topic::ALL.into_iter().find(|t| t.record() == Some(version.kind)).context("every record has a topic")?;
    let body = json!({ "schema": text }).to_string();
    let path = ["compatibility", "subjects", &topic.subject(prefix), "versions", "latest"];
    let verdict = answer(prefix, Request { method: "POST", path: &path, body: body.as_bytes() });
    if verdict.status != 200 {
        let message = verdict.body["message"].as_str().unwrap_or("it is no Avro schema").to_owned();
        return Err(failure(exit::DATA, format!("{}: {message}", named())));
    }
    let compatible = verdict.body["is_compatible"] == true;
    if as_json {
        super::say_json(&verdict.body)?;
    } else if compatible {
        super::say(format!(
            "compatible: it can read what was written with {} version {}",
            version.kind, version.version
        ))?;
    }
    if compatible {
        return Ok(());
    }
    let why = verdict.body["messages"][0].as_str().unwrap_or_default().to_owned();
    Err(failure(exit::DATA, format!("{} cannot read what was written with {}: {why}", named(), version.kind)))
}
