//! `explain`: a decision of the running pipeline comes out again, from the topics and from recordings alike.

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;

use crate::bad_settings::assert_refused;
use crate::fixture::{Pipeline, on_both_brokers, records, reports};

on_both_brokers!(a_decision_is_explained_from_topics_and_from_recordings);

const NODES: usize = 3;
/// Rounds of reports: with three nodes more than a reader takes at once from the end.
const ROUNDS: i64 = 2_500;
/// 65 of sysexits: the data does not give what is asked for.
const DATA: i32 = 65;

fn a_decision_is_explained_from_topics_and_from_recordings(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "explain");
    let running = pipeline.start(&["run", "forecast", "quota"]);
    let load = reports(NODES, ROUNDS);
    pipeline.send_load(&records(&load));
    pipeline.wait_for(Topic::Quotas, load.len(), &running);
    drop(running.terminate().unwrap().expect_success());

    // Of early and of late reports, and the last one where none is named.
    let earlier = load[NODES * 100 + 2].timestamp.to_string();
    let sequence = load[NODES * 2_000 + 2].sequence.to_string();
    let asked: [&[&str]; 3] = [&[], &["--at", &earlier], &["--sequence", &sequence]];
    let from_topics = asked.map(|which| explained(&pipeline, which, &[]));
    for (explanation, report) in from_topics.iter().zip([ROUNDS - 1, 100, 2_000]) {
        let report = &load[NODES * report as usize + 2];
        assert_eq!(explanation["timestamp"], report.timestamp);
        assert_eq!(explanation["report"]["cpu"], 0.92);
        assert_eq!(explanation["reproduced"]["forecast"], true, "{explanation}");
        assert_eq!(explanation["reproduced"]["quota"], true, "{explanation}");
        assert_eq!(explanation["stretch"]["missing"], Value::Null);
    }
    assert_eq!(from_topics[0]["said"]["state"], "READY");
    assert_eq!(from_topics[1]["said"]["state"], "WARMING");

    let folder = tempfile::tempdir().unwrap();
    let files = ["quotas", "load", "forecasts"].map(|topic| {
        let file = folder.path().join(format!("{topic}.avro")).to_str().unwrap().to_owned();
        drop(pipeline.run(&["record", topic, "--to", &file, "--until-end"]).expect_success());
        file
    });
    let recordings: Vec<&str> = files.iter().flat_map(|file| ["--recording", file]).collect();
    let from_files = asked.map(|which| explained(&pipeline, which, &recordings));
    assert_eq!(from_files, from_topics);

    let refused = |command: &[&str], word| assert_refused(&pipeline.arguments(command), DATA, word);
    refused(&["explain", "nobody"], "there is no node \"nobody\"");
    refused(&["explain", "node-2", "--sequence", "7"], "no command with sequence 7");
    refused(&["explain", "node-2", "--recording", &files[0]], "is not here any more");
    // Other settings than those that decided: explained, and not reproduced.
    let settings = folder.path().join("other.toml");
    std::fs::write(&settings, "[quota]\nmax_scale = 1.1\n").unwrap();
    let other = pipeline.run(&["explain", "node-2", "--config", settings.to_str().unwrap()]);
    assert_eq!(other.code, Some(DATA), "{}", other.stderr);
    assert!(other.stdout.contains("reproduced no: the forecast byte for byte, the command came out otherwise"));
    assert!(other.stderr.contains("cannot be reproduced"), "{}", other.stderr);
}

/// What `explain --json` prints of node-2, the hot one.
fn explained(pipeline: &Pipeline, which: &[&str], recordings: &[&str]) -> Value {
    let finished = pipeline.run(&[&["explain", "node-2", "--json"], which, recordings].concat()).expect_success();
    serde_json::from_str(&finished.stdout).unwrap()
}
