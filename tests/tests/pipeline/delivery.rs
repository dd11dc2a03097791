//! `run deliver`: to a webhook that is away or refuses for a while, with nothing lost, and to a folder of files.

use std::time::Duration;

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::QuotaCommand;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::ports::free_port;
use tidegate_tests::process::wait_until;
use tidegate_tests::receiver::Receiver;

use crate::fixture::{PATIENCE, Pipeline, names, on_all_partitions, on_both_brokers, records, reports};

on_both_brokers!(
    a_webhook_that_is_away_and_refuses_gets_everything_in_the_end,
    partitions_that_leave_in_an_outage_and_come_back_are_delivered,
    the_folder_holds_the_last_command_of_each_node
);

/// Node and sequence of every command received, sorted and without repetitions, and how often each node went back.
fn received(bodies: &[String]) -> (Vec<(String, i64)>, usize) {
    let commands = bodies.iter().flat_map(|body| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["commands"].as_array().unwrap().clone()
    });
    let mut names: Vec<(String, i64)> = Vec::new();
    let mut last = std::collections::HashMap::new();
    let mut went_back = 0;
    for command in commands {
        let name = (command["node_id"].as_str().unwrap().to_owned(), command["sequence"].as_i64().unwrap());
        let before = last.insert(name.0.clone(), name.1);
        went_back += usize::from(before.is_some_and(|before| before > name.1));
        names.push(name);
    }
    names.sort();
    names.dedup();
    (names, went_back)
}

fn a_webhook_that_is_away_and_refuses_gets_everything_in_the_end(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "webhook");
    let all = reports(6, 20);
    pipeline.send_load(&records(&all));
    let port = free_port().unwrap();
    let url = format!("http://127.0.0.1:{port}/quotas");
    let stages = pipeline.start(&["run", "forecast", "quota"]);
    let deliver = pipeline.start(&["run", "deliver", "--webhook", &url]);
    pipeline.wait_for(Topic::Quotas, all.len(), &stages);

    // Nobody listens; then somebody who refuses; then it works.
    std::thread::sleep(Duration::from_secs(1));
    let receiver = Receiver::start(port, 500).unwrap();
    wait_until(PATIENCE, || receiver.refused() >= 2).unwrap_or_else(|e| panic!("{e}\n{}", deliver.stderr()));
    assert!(receiver.accepted().is_empty());
    receiver.answer_with(200);
    let got_all = wait_until(PATIENCE, || received(&receiver.accepted()).0 == names(&all));
    assert!(got_all.is_ok(), "{} of {}\n{}", received(&receiver.accepted()).0.len(), all.len(), deliver.stderr());
    assert_eq!(received(&receiver.accepted()).1, 0, "the commands of a node come in their order");
    for running in [deliver, stages] {
        assert_eq!(running.terminate().unwrap().code, Some(0));
    }
}

fn partitions_that_leave_in_an_outage_and_come_back_are_delivered(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "leave");
    let all = on_all_partitions(reports(12, 20));
    let (before, after) = all.split_at(all.len() / 2);
    pipeline.send_load(&records(before));
    let stages = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.wait_for(Topic::Quotas, before.len(), &stages);
    let [refusing, guest] = [500, 200].map(|status| Receiver::start(0, status).unwrap());
    let deliver = pipeline.start(&["run", "deliver", "--webhook", &refusing.url()]);
    wait_until(PATIENCE, || refusing.refused() >= 2).unwrap_or_else(|e| panic!("{e}\n{}", deliver.stderr()));

    // Input is paused by now, and half of it goes to a second process.
    let second = pipeline.start(&["run", "deliver", "--webhook", &guest.url()]);
    wait_until(PATIENCE, || !guest.accepted().is_empty()).unwrap_or_else(|e| panic!("{e}\n{}", second.stderr()));
    refusing.answer_with(200);
    wait_until(PATIENCE, || !refusing.accepted().is_empty()).unwrap_or_else(|e| panic!("{e}\n{}", deliver.stderr()));
    assert_eq!(second.terminate().unwrap().code, Some(0));
    pipeline.send_load(&records(after));
    let got = || received(&[refusing.accepted(), guest.accepted()].concat()).0;
    let got_all = wait_until(PATIENCE, || got() == names(&all));
    assert!(got_all.is_ok(), "{} of {}\n{}", got().len(), all.len(), deliver.stderr());
    for running in [deliver, stages] {
        assert_eq!(running.terminate().unwrap().code, Some(0));
    }
}

fn the_folder_holds_the_last_command_of_each_node(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "folder");
    let all = reports(5, 8);
    pipeline.send_load(&records(&all));
    let folder = tempfile::tempdir().unwrap();
    let running = pipeline.start(&["run", "forecast", "quota", "deliver", "--folder", folder.path().to_str().unwrap()]);
    pipeline.wait_for(Topic::Quotas, all.len(), &running);
    let wanted = names(&all[all.len() - 5..]);
    let held = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
        let mut commands: Vec<QuotaCommand> =
            files.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect();
        commands.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        commands
    };
    let is_wanted = || held().iter().map(|c| (c.node_id.clone(), c.sequence)).collect::<Vec<_>>() == wanted;
    wait_until(PATIENCE, is_wanted).unwrap_or_else(|e| panic!("{e}\n{:?}\n{}", held(), running.stderr()));
    assert_eq!(running.terminate().unwrap().code, Some(0));

    let mut last: Vec<QuotaCommand> = pipeline.decoded(Topic::Quotas);
    last.retain(|c| wanted.contains(&(c.node_id.clone(), c.sequence)));
    last.sort_by(|a, b| a.node_id.cmp(&b.node_id));
    assert_eq!(held(), last, "what stands in the files is what stands on the topic");
}
