//! Schema ids from an outside registry: every command takes them from there, asks for each once, and waits out an outage
//! with nothing lost and nothing set aside.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod outage;
mod server;
mod site;

use std::collections::BTreeMap;

use serde_json::Value;
use tidegate_schemas::{RecordKind, Topic};

use crate::server::FIRST_ID;
use crate::site::{FLEET, Site};

#[test]
fn ids_come_from_the_registry_and_each_is_asked_for_once() {
    let site = Site::new("registry");
    let _published = site.run(&FLEET).expect_success();
    let reports = site.read(Topic::Load);
    assert!(!reports.is_empty());
    let stages = site.start(&["run", "forecast", "quota"]);
    site.wait_for(Topic::Quotas, reports.len(), &stages);
    drop(stages.terminate().unwrap().expect_success());
    let watched = site.run(&["watch", "quotas", "--from", "beginning", "--until-end", "--json"]).expect_success();

    let mut asked = BTreeMap::new();
    let kinds = [
        (Topic::Load, RecordKind::LoadReport),
        (Topic::Forecasts, RecordKind::Forecast),
        (Topic::Quotas, RecordKind::QuotaCommand),
    ];
    for (topic, kind) in kinds {
        let id = site.registry.id_of(kind.current().text);
        assert_eq!(site.ids(topic), [id], "all of {topic} is framed with the registry's id of {kind}");
        assert!((FIRST_ID..FIRST_ID + 4).contains(&id), "{kind} was not registered: {id}");
        asked.insert(format!("post /subjects/{}/versions", topic.subject(&site.prefix)), 1);
        asked.insert(format!("get /schemas/ids/{id}"), 1);
    }
    // The stages read loads and forecasts, `watch` reads quotas; each writer registers its own topics' schemas. No checkpoint
    // is due within these few reports, so that none is read.
    asked.insert(format!("post /subjects/{}/versions", Topic::Checkpoints.subject(&site.prefix)), 1);
    assert!(site.ids(Topic::Checkpoints).is_empty());
    assert_eq!(site.registry.answered(), asked);

    let lines: Vec<Value> = watched.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), reports.len());
    for line in &lines {
        assert_eq!(line["value"]["node_id"], line["key"], "{line}");
        assert!(line["value"]["quota"].as_f64().is_some_and(|quota| quota > 0.0), "{line}");
    }
    assert_eq!(site.read(Topic::DeadLetters), []);
}
