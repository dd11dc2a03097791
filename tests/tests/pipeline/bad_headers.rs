//! Header names may be any bytes, and those that are not UTF-8 make the client library panic: such a record is set aside, and
//! nothing ends.

use std::io::Write;
use std::process::{Command, Stdio};

use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;
use tidegate_tests::{places, python};

use crate::fixture::{Pipeline, names, record, records, reports};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends records to partition 0 of a topic, each with such a name among its headers.
fn send_with_bad_names(python: &std::path::Path, pipeline: &Pipeline, topic: Topic, records: &[Raw]) {
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/headers/send.py"));
    command.args([pipeline.bootstrap(), &pipeline.topic(topic)]);
    let mut sender = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = sender.stdin.take().unwrap();
    for record in records {
        let (key, value) = (record.key.as_deref().unwrap(), record.value.as_deref().unwrap());
        writeln!(lines, "{} {}", hex(key), hex(value)).unwrap();
    }
    drop(lines);
    let ended = sender.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn names_that_are_not_utf_8_are_set_aside_and_end_nothing() {
    let Some(broker) = TestBroker::kafka() else { return };
    let Some(python) = python::with(&places::repository().join("tests/headers/requirements.txt")) else { return };
    let pipeline = Pipeline::new(&broker, "bad-headers");
    let good = reports(3, 4);
    let running = pipeline.start(&["run", "forecast", "quota"]);
    let bad = [record(&good[0]), Raw::new("node-0", *b"not avro at all")];
    send_with_bad_names(&python, &pipeline, Topic::Load, &bad);
    pipeline.send_load(&records(&good));
    pipeline.wait_for(Topic::Quotas, good.len(), &running);
    pipeline.wait_for(Topic::DeadLetters, bad.len(), &running);
    let ended = running.terminate().unwrap().expect_success();
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(pipeline.answered(), names(&good), "what was good is answered, each report once");

    // The letters have such names too: our own reader must take them.
    let listed = pipeline.run(&["dead-letters", "list", "--json"]).expect_success();
    let letters: Vec<serde_json::Value> =
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let classes: Vec<_> = letters.iter().filter_map(|letter| letter["class"].as_str()).collect();
    assert_eq!(classes, ["bad-header", "framing"], "{}", listed.stdout);
    for (letter, sent) in letters.iter().zip(&bad) {
        let place = format!("{}/{}", letter["partition"], letter["offset"]);
        let shown = pipeline.run(&["dead-letters", "show", &place, "--json"]).expect_success();
        let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(shown["value_hex"], hex(sent.value.as_deref().unwrap()));
        assert_eq!(shown["key"], "node-0");
        let names: Vec<_> = shown["headers"].as_array().unwrap().iter().map(|h| h["name"].clone()).collect();
        assert_eq!(names, ["before", "after"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.avro");
    let topic = String::from("load");
    let recorded = ["record", &topic, "--to", file.to_str().unwrap(), "--until-end"];
    let recorded = pipeline.run(&recorded).expect_success();
    assert!(!recorded.stderr.contains("panicked"), "{}", recorded.stderr);
}
