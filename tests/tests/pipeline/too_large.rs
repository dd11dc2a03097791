//! Records that a topic does not take: a letter holds as much of its record as fits, an output gives way to a letter, and
//! nothing ends.

use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::{self, Raw};

use crate::fixture::{Pipeline, names, record, records, reports};

const PARTITIONS: i32 = 3;
/// Of `forecasts`: a plain forecast fits, one with the longest names does not. One producer sends both, so letters are no
/// larger.
const FORECASTS: &str = "1500";
/// As [`FORECASTS`], where records are not compressed and name a topic with a long name.
const LOWERED: &str = "1100";
/// Of `dead-letters`.
const LETTERS: &str = "4000";

#[test]
fn at_least_once() {
    nothing_ends("too-large-1", &[]);
}

#[test]
fn exactly_once() {
    nothing_ends("too-large-2", &["--guarantee", "exactly_once"]);
}

/// A settings file without checkpoints: reports that are of the hour's first minutes would lead to some, of 5 KB each, and the
/// producer takes no more than the smallest of its topics.
fn settings(more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    std::fs::write(&file, format!("{more}[processing]\nrestore = \"rewind\"\n")).unwrap();
    let name = file.display().to_string();
    (folder, name)
}

fn nothing_ends(name: &str, flags: &[&str]) {
    let Some(broker) = TestBroker::kafka() else { return };
    let pipeline = Pipeline::at(broker.bootstrap(), name);
    for (topic, limit) in [(Topic::Forecasts, FORECASTS), (Topic::DeadLetters, LETTERS)] {
        let setting = [("max.message.bytes", limit)];
        client::create_topic(broker.bootstrap(), &pipeline.topic(topic), PARTITIONS, &setting).unwrap();
    }
    broker.provision(pipeline.prefix());

    let good = reports(30, 20);
    let mut large = good[0].clone();
    (large.node_id, large.pool) = ("n".repeat(255), "p".repeat(255));
    let with_header = Raw { headers: vec![("h".into(), Some(vec![b'h'; 300_000]))], ..Raw::new("c", *b"short") };
    let bad = [
        Raw::new("a", vec![b'v'; 300_000]),
        Raw::new(vec![b'k'; 300_000], *b"short"),
        with_header,
        Raw::new("d", *b"whole"),
        record(&large),
    ];
    pipeline.send_load(&bad);
    pipeline.send_load(&records(&good));
    let (_folder, file) = settings("");
    let running = pipeline.start(&[&["run", "forecast", "quota", "--config", &file], flags].concat());
    pipeline.wait_for(Topic::Quotas, good.len(), &running);
    pipeline.wait_for(Topic::DeadLetters, bad.len(), &running);
    let ended = running.terminate().unwrap().expect_success();
    assert_eq!(pipeline.answered(), names(&good), "{}", ended.stderr);

    let letters = pipeline.read(Topic::DeadLetters);
    assert_eq!(letters.len(), bad.len(), "{letters:?}");
    let load = pipeline.read(Topic::Load);
    let source = |letter: &Raw| {
        let at = |name: &str| letter.header(name).unwrap().parse::<i64>().unwrap();
        let (partition, offset) = (at("source.partition"), at("source.offset"));
        load.iter().find(|r| i64::from(r.partition) == partition && r.offset == offset).unwrap().clone()
    };
    for letter in &letters {
        let whole = source(letter);
        let (class, truncated) = (letter.header("error.class").unwrap(), letter.header("error.truncated"));
        let is_prefix = |part: &Option<Vec<u8>>, of: &Option<Vec<u8>>| {
            of.as_deref().unwrap().starts_with(part.as_deref().unwrap_or_default())
        };
        assert!(is_prefix(&letter.key, &whole.key) && is_prefix(&letter.value, &whole.value), "{letter:?}");
        match whole.key.as_deref().unwrap() {
            b"a" => {
                assert!(truncated.unwrap().starts_with("the value of 300000 bytes is cut to"));
                assert!(letter.value.as_ref().unwrap().len() > 250, "as much as fits");
            }
            b"c" => assert!(truncated.unwrap().contains("its headers (1) are left out")),
            b"d" => assert_eq!((truncated, &letter.value), (None, &whole.value)),
            key if key.starts_with(b"k") => assert!(truncated.unwrap().contains("the key of 300000 bytes is cut to")),
            key => {
                assert_eq!(key, large.node_id.as_bytes());
                assert_eq!(class, "output-too-large");
                assert!(truncated.unwrap().starts_with("the value of"), "the largest names leave room for less");
            }
        }
    }
    let replayed = pipeline.run(&["dead-letters", "replay", "--all", "--dry-run", "--json"]).expect_success();
    assert!(replayed.stdout.contains("\"truncated\":4"), "{}", replayed.stdout);
}

/// The topic takes less than it did when the stage began.
#[test]
fn a_limit_that_is_lowered_is_noticed() {
    let Some(broker) = TestBroker::kafka() else { return };
    let pipeline = Pipeline::new(&broker, &format!("too-large-3-{}", "x".repeat(150)));
    let good = reports(3, 20);
    let (_folder, file) = settings("compression = \"none\"\n");
    let running = pipeline.start(&["run", "forecast", "quota", "--config", &file]);
    pipeline.send_load(&records(&good[..30]));
    pipeline.wait_for(Topic::Quotas, 30, &running);
    let forecasts = pipeline.topic(Topic::Forecasts);
    client::set_topic_setting(pipeline.bootstrap(), &forecasts, "max.message.bytes", LOWERED).unwrap();
    let mut large = good[0].clone();
    (large.node_id, large.pool) = ("n".repeat(255), "p".repeat(255));
    pipeline.send_load(&[record(&large)]);
    pipeline.wait_for(Topic::DeadLetters, 1, &running);
    pipeline.send_load(&records(&good[30..]));
    pipeline.wait_for(Topic::Quotas, good.len(), &running);
    let ended = running.terminate().unwrap().expect_success();
    assert!(ended.stderr.contains("beginning again"), "it never met the limit:\n{}", ended.stderr);
    let mut answered = pipeline.answered();
    answered.dedup();
    assert_eq!(answered, names(&good));
    let letter = pipeline.read(Topic::DeadLetters).remove(0);
    assert_eq!(letter.header("error.class").as_deref(), Some("output-too-large"));
}
