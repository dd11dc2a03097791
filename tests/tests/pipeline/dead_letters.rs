//! Bad input is set aside with its bytes and the reason, and holds nothing up.

use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;

use crate::fixture::{Pipeline, names, on_both_brokers, record, records, reports};

on_both_brokers!(each_kind_of_bad_input_is_set_aside_with_its_reason);

fn changed(report: &LoadReport, change: impl FnOnce(&mut LoadReport)) -> Raw {
    let mut report = report.clone();
    change(&mut report);
    record(&report)
}

/// Each with the class that its dead letter must have, and a word of its message.
fn bad_records(report: &LoadReport) -> Vec<(&'static str, &'static str, Raw)> {
    let good = record(report);
    let value = good.value.clone().unwrap();
    let with_id = |id: u32| [&[0][..], &id.to_be_bytes(), &value[5..]].concat();
    let ahead = Raw { timestamp: Some(report.timestamp - 120_000), ..good.clone() };
    vec![
        ("framing", "wire format", Raw::new("node-0", *b"not avro at all")),
        ("undecodable", "LoadReport", Raw::new("node-0", value[..value.len() - 3].to_vec())),
        ("unknown-schema-id", "4242", Raw::new("node-0", with_id(4242))),
        ("incompatible-schema", "QuotaCommand", Raw::new("node-0", with_id(3))),
        ("bad-number", "NaN", changed(report, |r| r.cpu = Some(f64::NAN))),
        ("bad-number", "memory is -0.5", changed(report, |r| r.memory = Some(-0.5))),
        ("empty-node-id", "empty", changed(report, |r| r.node_id.clear())),
        // Key and value together nearly as large as a record may be.
        ("name-too-long", "node_id has 480000 bytes", changed(report, |r| r.node_id = "n".repeat(480_000))),
        ("name-too-long", "pool has 256 bytes", changed(report, |r| r.pool = "p".repeat(256))),
        ("clock-ahead", "120000 ms ahead", ahead),
    ]
}

fn each_kind_of_bad_input_is_set_aside_with_its_reason(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "dead-letters");
    let good = reports(3, 4);
    let bad = bad_records(&good[0]);
    let mut input: Vec<Raw> = bad.iter().map(|(.., raw)| raw.clone()).collect();
    input[0].headers = vec![("traceparent".into(), Some(b"kept".to_vec())), ("empty".into(), None)];
    input[1].headers = vec![("twice".into(), Some(b"1".to_vec())), ("a".into(), None), ("twice".into(), None)];
    let bytes: Vec<Raw> = input.clone();
    input.extend(records(&good));
    pipeline.send_load(&input);

    let running = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.wait_for(Topic::DeadLetters, bad.len(), &running);
    pipeline.wait_for(Topic::Quotas, good.len(), &running);
    assert_eq!(running.terminate().unwrap().code, Some(0));

    assert_eq!(pipeline.answered(), names(&good), "what was good is answered, each report once");
    let letters = pipeline.read(Topic::DeadLetters);
    assert_eq!(letters.len(), bad.len());
    let load = pipeline.read(Topic::Load);
    for ((class, word, _), sent) in bad.iter().zip(&bytes) {
        let letter =
            letters.iter().find(|l| l.value == sent.value && l.header("error.class").as_deref() == Some(class));
        let letter = letter.unwrap_or_else(|| panic!("{class} is missing in {letters:?}"));
        assert_eq!(letter.key, sent.key);
        let message = letter.header("error.message").unwrap();
        assert!(message.contains(word), "{class}: {message}");
        assert_eq!(letter.headers[..sent.headers.len()], sent.headers, "in their order, with what comes twice");
        assert_eq!(letter.header("source.topic"), Some(pipeline.topic(Topic::Load)));
        let at = |name: &str| letter.header(name).unwrap().parse::<i64>().unwrap();
        let source =
            load.iter().find(|r| i64::from(r.partition) == at("source.partition") && r.offset == at("source.offset"));
        let source = source.unwrap();
        assert_eq!(source.value, sent.value, "the position leads back to the record");
        assert_eq!(Some(at("source.timestamp")), source.timestamp);
    }
}
