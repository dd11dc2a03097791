//! `record` and `replay`: what was recorded comes back with the same keys, values and headers.

use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;

use crate::fixture::{Pipeline, on_both_brokers, records, reports};

on_both_brokers!(what_was_recorded_is_replayed_as_it_was);

/// Records without what a replay may change: offset and Kafka timestamp.
fn content(records: Vec<Raw>) -> Vec<Raw> {
    records.into_iter().map(|r| Raw { offset: 0, timestamp: None, ..r }).collect()
}

fn what_was_recorded_is_replayed_as_it_was(broker: &TestBroker) {
    let source = Pipeline::new(broker, "record-from");
    let mut sent = records(&reports(7, 20));
    for (number, record) in sent.iter_mut().enumerate() {
        record.headers = vec![
            ("traceparent".into(), Some(format!("00-{number:032x}-00f067aa0ba902b7-01").into_bytes())),
            ("twice".into(), Some(vec![0, 255])),
            ("twice".into(), None),
        ];
    }
    // What is not one of our records is recorded too: bytes are bytes.
    sent.push(Raw::new("node-1", *b"anything"));
    sent.push(Raw { value: None, ..Raw::new("node-2", *b"") });
    source.send_load(&sent);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.avro");
    let file = file.to_str().unwrap();
    let _recorded = source.run(&["record", "load", "--to", file, "--until-end"]).expect_success();
    let target = Pipeline::new(broker, "record-to");
    // To another topic than the recorded one, so that the two can be compared.
    let to = target.topic(Topic::Load);
    let _replayed = target.run(&["replay", file, "--speed", "max", "--topic", &to]).expect_success();

    let (was, is) = (content(source.read(Topic::Load)), content(target.read(Topic::Load)));
    assert_eq!(was.len(), sent.len());
    assert_eq!(is, was, "keys, values and headers, in each partition's order");
}
