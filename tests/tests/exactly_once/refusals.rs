//! Where there are no real transactions, exactly-once is refused by name.

use tidegate_tests::binary;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline};

#[test]
fn the_embedded_broker_refuses_by_name() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "refused");
    let ended = pipeline.run(&["run", "forecast", "--guarantee", "exactly_once"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("the embedded broker has no transactions"), "{}", ended.stderr);
}

#[test]
fn demo_refuses_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    std::fs::write(&file, "[processing]\nguarantee = \"exactly_once\"\n").unwrap();
    let ended = binary::run(&["demo", "--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()], PATIENCE);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("the embedded broker has no transactions"), "{}", ended.stderr);
}
