//! More processes of a role share its work, also when one of them goes.

use std::time::Duration;

use tidegate_schemas::Topic;
use tidegate_tests::binary::Running;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::process::wait_until;

use crate::fixture::{PATIENCE, Pipeline, names, on_all_partitions, on_both_brokers, records, reports};

on_both_brokers!(two_processes_answer_each_report_once);

fn two_processes_answer_each_report_once(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "shared-work");
    let all = on_all_partitions(reports(12, 30));
    let (first, second) = all.split_at(all.len() / 2);

    let one = pipeline.start(&["run", "forecast", "quota"]);
    let other = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.send_load(&records(first));
    pipeline.wait_for(Topic::Quotas, first.len(), &one);

    // One goes in good order: the other takes over what it leaves.
    let gone = one.terminate().unwrap();
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    pipeline.send_load(&records(second));
    pipeline.wait_for(Topic::Quotas, all.len(), &other);
    let ended = other.terminate().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    assert_eq!(pipeline.answered(), names(&all), "nothing is lost and nothing is answered twice");
}

/// On Kafka alone: the embedded broker has no lookup of a group's state, and its rebalances are its own.
#[test]
fn both_processes_have_partitions() {
    let Some(broker) = TestBroker::kafka() else { return };
    let pipeline = Pipeline::new(&broker, "both-work");
    let running = [(), ()].map(|()| pipeline.start(&["run", "forecast"]));
    let shares = || pipeline.shares("forecast");
    let shared = wait_until(PATIENCE, || {
        std::thread::sleep(Duration::from_millis(200));
        let shares = shares();
        shares.len() == 2 && shares.iter().sum::<usize>() == 3 && !shares.contains(&0)
    });
    let said: String = running.iter().map(Running::stderr).collect();
    assert!(shared.is_ok(), "{:?}\n{said}", shares());
    for process in running {
        assert_eq!(process.terminate().unwrap().code, Some(0));
    }
}
