//! `record` and `replay`: what was recorded comes back with the same keys, values and headers.

use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;

use crate::fixture::{Pipeline, on_both_brokers, records, reports};

on_both_brokers!(what_was_recorded_is_replayed_as_it_was, recorded_quotas_come_out_of_what_if_byte_for_byte);

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

fn recorded_quotas_come_out_of_what_if_byte_for_byte(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "what-if");
    // Over two hours, so that the model forecasts in the end.
    let sent = reports(4, 800);
    // Said before the stage starts, so that it knows it before its first decision, as the replay does.
    let (from, until) = (sent[100].timestamp.to_string(), sent[2_000].timestamp.to_string());
    let said = ["--by", "alice", "--why", "test"];
    let (pool, node) = (["pool:pool-0", "--max", "500"], ["node-1", "--policy", "headroom"]);
    for words in [pool, node] {
        let set = [&["control", "set"], &words[..], &["--from", &from, "--until", &until], &said].concat();
        let _set = pipeline.run(&set).expect_success();
    }
    pipeline.send_load(&records(&sent));
    let running = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.wait_for(Topic::Quotas, sent.len(), &running);
    let _ended = running.terminate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let recorded = ["load", "quotas", "controls"].map(|topic| {
        let file = folder.path().join(topic).to_str().unwrap().to_owned();
        let _recorded = pipeline.run(&["record", topic, "--to", &file, "--until-end"]).expect_success();
        file
    });
    let [load, quotas, controls] = recorded.each_ref().map(String::as_str);
    let what_if = |more: &[&str]| -> serde_json::Value {
        let what_if = ["what-if", load, "--quotas", quotas, "--try", "max_scale=1.2", "--json"];
        let said = pipeline.run(&[&what_if, more].concat()).expect_success();
        serde_json::from_str(&said.stdout).unwrap()
    };
    let without = what_if(&[]);
    assert!(without["recorded"]["against"]["different"].as_u64() > Some(0), "the controls moved quotas: {without}");
    let answer = what_if(&["--controls", controls]);
    let (same, other) = (&answer["recorded"]["against"], &answer["recorded"]["try"]);
    assert_eq!((&same["identical"], &same["different"]), (&sent.len().into(), &0.into()), "{answer}");
    assert_eq!(other["different"], answer["differing"]["commands"], "a bound at 1.2 moves the hot node's quotas");
    assert!(other["different"].as_u64() > Some(0), "{answer}");
    let report = pipeline.run(&["backtest", load, "--json"]).expect_success();
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert!(report["states"]["READY"].as_u64() > Some(0), "{report}");
}
