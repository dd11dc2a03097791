//! Somebody else's transaction on an input that does not end: everything behind it waits, and the stage says so.

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tidegate_schemas::Topic;
use tidegate_tests::client;
use tidegate_tests::pipeline::{Pipeline, names, records, reports};
use tidegate_tests::process::wait_until;
use tidegate_tests::{brokers, kafka};

use crate::site::PATIENCE;

#[test]
fn a_transaction_that_hangs_on_the_input_is_said() {
    let Some(kafka) = kafka::own() else { return };
    let pipeline = Pipeline::at(kafka.bootstrap(), "hanging");
    brokers::provision(kafka.bootstrap(), pipeline.prefix());
    let load = reports(30, 4);
    let running = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.send_load(&records(&load[..60]));
    pipeline.wait_for(Topic::Quotas, 60, &running);

    let mut config = client::config(kafka.bootstrap());
    config.set("transactional.id", "hangs").set("transaction.timeout.ms", "600000");
    let hangs: BaseProducer = config.create().unwrap();
    hangs.init_transactions(PATIENCE).unwrap();
    hangs.begin_transaction().unwrap();
    let topic = pipeline.topic(Topic::Load);
    for partition in 0..brokers::PARTITIONS {
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic).partition(partition).payload(b"never said");
        hangs.send(record).map_err(|(e, _)| e).unwrap();
    }
    hangs.flush(PATIENCE).unwrap();
    pipeline.send_load(&records(&load[60..]));
    let said = || running.stderr().contains("wait behind a transaction that has not ended");
    wait_until(PATIENCE, said).unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
    assert_eq!(pipeline.read(Topic::Quotas).len(), 60, "nothing behind it was read");

    hangs.abort_transaction(PATIENCE).unwrap();
    pipeline.wait_for(Topic::Quotas, load.len(), &running);
    let ended = running.terminate().unwrap().expect_success();
    assert_eq!(pipeline.answered(), names(&load), "{}", ended.stderr);
    assert_eq!(pipeline.read(Topic::DeadLetters), [], "what was taken back was never said");
}
