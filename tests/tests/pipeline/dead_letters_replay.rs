//! `tidegate dead-letters`: what was set aside is listed, shown, and sent back once.

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Forecast, LoadReport};
use tidegate_tests::binary::Finished;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;

use crate::fixture::{Pipeline, names, on_both_brokers, record, reports};

on_both_brokers!(
    letters_are_listed_shown_and_replayed_once,
    what_fails_again_keeps_its_mark_and_goes_again_only_when_asked,
    nothing_else_on_the_topic_is_taken_for_a_letter,
);

/// The objects that a command printed, one a line.
fn objects(finished: &Finished) -> Vec<Value> {
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn headers(own: &[(&str, Option<&[u8]>)]) -> Vec<(String, Option<Vec<u8>>)> {
    own.iter().map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect()
}

/// Runs the forecast stage until so many letters and forecasts are there.
fn forecast(pipeline: &Pipeline<'_>, letters: usize, forecasts: usize) {
    let running = pipeline.start(&["run", "forecast"]);
    pipeline.wait_for(Topic::DeadLetters, letters, &running);
    pipeline.wait_for(Topic::Forecasts, forecasts, &running);
    assert_eq!(running.terminate().unwrap().code, Some(0));
}

fn letters_are_listed_shown_and_replayed_once(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "dead-letters-once");
    let [good, other, .., other_later] = &reports(2, 2)[..] else { panic!("two nodes, two rounds") };
    // Reports that were fine but for the clock of the broker's record: by now that time has come. The other node has gone on.
    let own = headers(&[("b", Some(b"1")), ("a", None), ("b", Some(&[0xff, 0])), ("error.class", Some(b"mine"))]);
    let too_early = |report: &LoadReport| Raw {
        timestamp: Some(report.timestamp - 120_000),
        headers: own.clone(),
        partition: 1,
        ..record(report)
    };
    let ahead = too_early(good);
    let later = Raw { partition: 1, ..record(other_later) };
    let tombstone = Raw { value: None, partition: 0, ..Raw::new("node-9", *b"") };
    let keyless = Raw { key: None, partition: 0, ..Raw::new("", *b"") };
    pipeline.send_load(&[too_early(other), ahead.clone(), later, tombstone, keyless]);
    forecast(&pipeline, 4, 1);

    let listed = objects(&pipeline.run(&["dead-letters", "list", "--json"]).expect_success());
    let classes: Vec<_> = listed.iter().map(|l| l["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["framing", "framing", "clock-ahead", "clock-ahead"], "by partition and offset");
    let kept: Vec<_> = listed.iter().map(|l| (l["key"].as_str(), l["bytes"].as_u64())).collect();
    assert_eq!(kept[..2], [(Some("node-9"), None), (None, Some(0))], "a tombstone is none of an empty value");
    let letter = &listed[3];
    assert_eq!(letter["source"]["timestamp"], ahead.timestamp.unwrap());
    let text = pipeline.run(&["dead-letters", "list", "--match", "class=framing", "--limit", "1"]).expect_success();
    assert_eq!(text.stdout.lines().count(), 2, "{}", text.stdout);
    assert!(text.stdout.ends_with("2 letters: 2 framing; 1 shown\n"), "{}", text.stdout);

    let place = format!("{}/{}", letter["partition"], letter["offset"]);
    is_shown_whole(&pipeline, &place, good);

    let matched = ["--match", "class=clock-ahead", "--match", "topic=load"];
    let replay = |more: &[&str]| {
        let command = [&["dead-letters", "replay", "--json"][..], &matched, more].concat();
        objects(&pipeline.run(&command).expect_success()).remove(0)
    };
    let before = (pipeline.read(Topic::Load), pipeline.read(Topic::DeadLetters));
    let dry = replay(&["--dry-run"]);
    assert_eq!((&dry["replayed"], dry["letters"].as_array().unwrap().len()), (&0.into(), 2));
    assert_eq!(dry["letters"][1]["to"], format!("{}/1", pipeline.topic(Topic::Load)));
    assert_eq!((pipeline.read(Topic::Load), pipeline.read(Topic::DeadLetters)), before, "a dry run sends nothing");

    assert_eq!(replay(&[])["replayed"], 2);
    let load = pipeline.read(Topic::Load);
    assert_eq!(load.len(), 7, "{load:?}");
    let back = load.iter().rfind(|r| r.partition == 1).unwrap();
    assert_eq!((&back.key, &back.value), (&ahead.key, &ahead.value));
    let from = format!("{}/{place}", pipeline.topic(Topic::DeadLetters));
    let marks = headers(&[("replayed.from", Some(from.as_bytes())), ("replayed.attempts", Some(b"1"))]);
    assert_eq!(back.headers, [own, marks].concat());
    assert!(back.timestamp > ahead.timestamp, "it comes now");

    let again = replay(&[]);
    assert_eq!((&again["replayed"], &again["left"]["replayed_before"]), (&0.into(), &2.into()));
    assert_eq!(pipeline.read(Topic::Load).len(), 7, "a letter goes once");
    let listed = objects(&pipeline.run(&["dead-letters", "list", "--json"]).expect_success());
    let replayed: Vec<_> = listed.iter().map(|l| l["replayed"].as_bool().unwrap()).collect();
    assert_eq!(replayed, [false, false, true, true], "the mark is no letter");

    // What was wrong has passed: the record is taken. The one before it came too late for its node and is dropped.
    forecast(&pipeline, 6, 2);
    let forecasts = pipeline.decoded::<Forecast>(Topic::Forecasts);
    let mut answered: Vec<_> = forecasts.into_iter().map(|f| (f.node_id, f.sequence)).collect();
    answered.sort();
    assert_eq!(answered, names(&[good.clone(), other_later.clone()]));
    assert_eq!(pipeline.read(Topic::DeadLetters).len(), 6, "four letters, two marks");
}

fn is_shown_whole(pipeline: &Pipeline<'_>, place: &str, good: &LoadReport) {
    let shown = objects(&pipeline.run(&["dead-letters", "show", place, "--json"]).expect_success()).remove(0);
    let names_of: Vec<_> = shown["headers"].as_array().unwrap().iter().map(|h| h["name"].as_str().unwrap()).collect();
    assert_eq!(names_of, ["b", "a", "b", "error.class"], "the record's own, in order");
    assert_eq!(shown["decoded"]["node_id"], good.node_id, "it decodes");
    let whole = pipeline.run(&["dead-letters", "show", place]).expect_success().stdout;
    assert!(whole.contains("clock-ahead") && whole.contains("00000000  00 00 00 00 01"), "{whole}");
}

fn what_fails_again_keeps_its_mark_and_goes_again_only_when_asked(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "dead-letters-again");
    pipeline.send_load(&[Raw { partition: 0, ..Raw::new("node-0", *b"never avro") }]);
    forecast(&pipeline, 1, 0);
    let replay = |more: &[&str]| {
        let command = [&["dead-letters", "replay", "--all", "--json"][..], more].concat();
        objects(&pipeline.run(&command).expect_success()).remove(0)
    };
    assert_eq!(replay(&[])["replayed"], 1);
    // The letter, its mark, and the letter of the record that failed again.
    forecast(&pipeline, 3, 0);
    let listed = objects(&pipeline.run(&["dead-letters", "list", "--json"]).expect_success());
    let seen: Vec<_> = listed.iter().map(|l| (l["attempts"].as_u64().unwrap(), l["replayed"] == true)).collect();
    assert_eq!(seen, [(0, true), (1, false)]);
    let first = format!("{}/{}/{}", pipeline.topic(Topic::DeadLetters), listed[0]["partition"], listed[0]["offset"]);
    assert_eq!(listed[1]["replayed_from"], first);

    let left = replay(&[]);
    assert_eq!(left["replayed"], 0);
    assert_eq!(left["left"], serde_json::json!({ "replayed_before": 1, "failed_again": 1 }));
    assert_eq!(replay(&["--again"])["replayed"], 1);
    let load = pipeline.read(Topic::Load);
    assert_eq!(load.last().unwrap().header("replayed.attempts").as_deref(), Some("2"));
    assert_eq!(load.last().unwrap().headers.len(), 2, "the older mark gave way: {:?}", load.last());
    assert_eq!(replay(&["--again"])["replayed"], 0);
}

fn nothing_else_on_the_topic_is_taken_for_a_letter(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "dead-letters-foreign");
    let run = |command: &[&str]| pipeline.run(&[&["dead-letters"], command].concat());
    let letter = |topic: &str, partition: &str| {
        let why = headers(&[
            ("error.class", Some(b"framing")),
            ("error.message", Some(b"no")),
            ("error.stage", Some(b"deliver")),
            ("source.topic", Some(topic.as_bytes())),
            ("source.partition", Some(partition.as_bytes())),
            ("source.offset", Some(b"0")),
        ]);
        Raw { partition: 0, headers: why, ..Raw::new("node-0", *b"x") }
    };
    let stray = Raw { partition: 0, ..Raw::new("node-0", *b"not a letter") };
    let load = pipeline.topic(Topic::Load);
    let others = [letter(&pipeline.topic(Topic::Quotas), "0"), letter("somebody.elses", "0"), letter(&load, "99")];
    pipeline.send(Topic::DeadLetters, &[&[stray][..], &others].concat());

    let left = objects(&run(&["replay", "--all", "--json"]).expect_success()).remove(0);
    assert_eq!(left["left"], serde_json::json!({ "compacted": 1, "foreign": 1, "no_partition": 1 }));
    assert_eq!(left["replayed"], 0);
    assert_eq!((pipeline.read(Topic::Load).len(), pipeline.read(Topic::Quotas).len()), (0, 0));
    assert_eq!(objects(&run(&["list", "--json"]).expect_success()).len(), 3);

    let refused = |command: &[&str], code: i32, words: &str| {
        let finished = run(command);
        assert_eq!(finished.code, Some(code), "{command:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(words), "{command:?}: {}", finished.stderr);
    };
    refused(&["show", "0/0"], 65, "no dead letter");
    refused(&["show", "0/4"], 66, "no letter 0/4");
    refused(&["show", "99/0"], 66, "has the partitions 0 to");
    refused(&["show", "first"], 64, "PARTITION/OFFSET");
    refused(&["list", "--match", "colour=red"], 64, "class, topic, key, stage");
    refused(&["list", "--match", "class=a", "--match", "class=b"], 64, "given twice");
    refused(&["replay"], 64, "--match FIELD=VALUE, or --all");
    refused(&["replay", "--all", "--match", "class=a"], 64, "cannot be used with");
}
