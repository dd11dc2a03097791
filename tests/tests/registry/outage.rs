//! Outages: in the middle of a run, and at the start of one.

use std::time::Duration;

use serde_json::Value;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{RecordKind, Topic};
use tidegate_tests::binary::Running;
use tidegate_tests::process::wait_until;

use crate::server::Mode;
use crate::site::{FLEET, PATIENCE, Site};

const INTERVAL_MS: i64 = 10_000;
/// Any time that is past.
const BEGIN_MS: i64 = 1_760_000_000_000;

/// Reports of three nodes, `rounds` of them from the `from`th on.
fn reports(from: i64, rounds: i64) -> Vec<LoadReport> {
    let report = |round: i64, node: usize| {
        let mut report = LoadReport::new(format!("node-{node}"), BEGIN_MS + round * INTERVAL_MS, INTERVAL_MS, 500.0);
        report.cpu = Some(0.55);
        report
    };
    (from..from + rounds).flat_map(|round| (0..3).map(move |node| report(round, node))).collect()
}

/// A schema that writes the same bytes as ours under another id, as a newer producer's would.
fn another_schema() -> String {
    let mut schema: Value = serde_json::from_str(RecordKind::LoadReport.current().text).unwrap();
    schema["doc"] = "as another producer describes it".into();
    schema.to_string()
}

/// Waits until a process has asked the registry in vain, first by a hang-up, then by a refusal.
fn asks_in_vain(site: &Site, running: &Running) {
    for mode in [Mode::HangsUp, Mode::Unavailable] {
        site.registry.switch(mode);
        let before = site.registry.turned_away();
        let asked = wait_until(PATIENCE, || site.registry.turned_away() >= before + 2);
        asked.unwrap_or_else(|e| panic!("{mode:?}: {e}\n{}", running.stderr()));
    }
}

/// Each report on the load topic has one answer, and nothing was set aside.
fn all_is_answered(site: &Site, count: usize) {
    let answers = |topic| {
        let watched = site.run(&["watch", topic, "--from", "beginning", "--until-end", "--json"]).expect_success();
        let lines = watched.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut names: Vec<(String, i64)> = lines
            .map(|line| {
                (line["value"]["node_id"].as_str().unwrap().to_owned(), line["value"]["sequence"].as_i64().unwrap())
            })
            .collect();
        names.sort();
        names
    };
    let sent = answers("load");
    assert_eq!(sent.len(), count);
    assert_eq!((answers("forecasts"), answers("quotas")), (sent.clone(), sent));
    assert_eq!(site.read(Topic::DeadLetters), [], "an outage is no fault of the input");
}

#[test]
fn an_id_that_is_new_in_an_outage_is_waited_for() {
    let site = Site::new("registry-middle");
    let known = site.registry.id_of(RecordKind::LoadReport.current().text);
    let new = site.registry.id_of(&another_schema());
    let stages = site.start(&["run", "forecast", "quota"]);
    site.send_load(known, &reports(0, 5));
    site.wait_for(Topic::Quotas, 15, &stages);

    // What is known goes on without the registry; what is new waits, and what comes after it too.
    site.registry.switch(Mode::HangsUp);
    site.send_load(known, &reports(5, 5));
    site.wait_for(Topic::Quotas, 30, &stages);
    site.send_load(new, &reports(10, 5));
    asks_in_vain(&site, &stages);
    site.send_load(known, &reports(15, 5));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(site.read(Topic::Quotas).len(), 30, "an answer to what could not be read");

    site.registry.switch(Mode::Answers);
    site.wait_for(Topic::Quotas, 60, &stages);
    drop(stages.terminate().unwrap().expect_success());
    all_is_answered(&site, 60);
}

#[test]
fn a_process_that_starts_in_an_outage_waits() {
    let site = Site::new("registry-start");
    site.send_load(site.registry.id_of(RecordKind::LoadReport.current().text), &reports(0, 10));
    site.registry.switch(Mode::HangsUp);

    // One is stopped while it waits; the other lives to see the end.
    let stopped = site.start(&["run", "forecast", "quota"]);
    asks_in_vain(&site, &stopped);
    drop(stopped.terminate().unwrap().expect_success());
    let stages = site.start(&["run", "forecast", "quota"]);
    asks_in_vain(&site, &stages);
    assert_eq!(site.read(Topic::Forecasts), []);
    site.registry.switch(Mode::Answers);
    site.wait_for(Topic::Quotas, 30, &stages);
    drop(stages.terminate().unwrap().expect_success());
    all_is_answered(&site, 30);
}

#[test]
fn readers_and_writers_that_start_in_an_outage_wait() {
    let site = Site::new("registry-ends");
    site.registry.switch(Mode::HangsUp);
    let writer = site.start(&FLEET);
    asks_in_vain(&site, &writer);
    site.registry.switch(Mode::Answers);
    drop(writer.wait(PATIENCE).unwrap().expect_success());
    let count = site.read(Topic::Load).len();
    assert!(count > 0);

    site.registry.switch(Mode::HangsUp);
    let reader = site.start(&["watch", "load", "--from", "beginning", "--until-end", "--json"]);
    asks_in_vain(&site, &reader);
    site.registry.switch(Mode::Answers);
    let watched = reader.wait(PATIENCE).unwrap().expect_success();
    let lines = watched.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(lines.filter(|line| line["value"]["node_id"] == line["key"]).count(), count, "{}", watched.stdout);
}
