//! Kafka goes away in the middle of the work: the stages wait, go on, and what they say in the end is what they would have
//! said undisturbed. Each test has a Kafka of its own, to do it harm.
//!
//! ```text
//! load ─> undisturbed ──────────────────────────────────> answers ─┐
//! load ─> a third ─ a third, and harm ─ back ─ a third ─> answers ─┴─> the same, once repeated ones are dropped
//! ```

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Forecast, LoadReport, QuotaCommand};
use tidegate_tests::binary::Running;
use tidegate_tests::kafka::{self, Kafka};
use tidegate_tests::pipeline::{PATIENCE, Pipeline, names, records, reports};
use tidegate_tests::process::{is_running, signal, wait_until};
use tidegate_tests::{brokers, client};

const NODES: usize = 30;
const ROUNDS: i64 = 150;
/// Longer than a member of a group may be silent (10 s).
const FROZEN: Duration = Duration::from_secs(14);
/// An outage is a few lines, not thousands.
const MOST_LINES: usize = 60;
/// A request to join a group is asked again after 5 minutes (`max.poll.interval.ms`), should a broker that wakes up not answer it.
const REJOINED: Duration = Duration::from_secs(400);
const STAGES: [&str; 3] = ["run", "forecast", "quota"];

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing() {
    nothing_is_lost(|kafka, running| {
        kafka.kill().unwrap();
        running.wait_for("Kafka client: ", PATIENCE).unwrap();
        kafka.come_back().unwrap();
    });
}

#[test]
fn a_broker_that_is_frozen_for_longer_than_a_session_costs_nothing() {
    nothing_is_lost(|kafka, running| {
        signal(kafka.pid(), "STOP").unwrap();
        std::thread::sleep(FROZEN);
        // Its connections stand, and its answers are waited for for a minute: it is the group that goes first.
        running.wait_for("Consumer group session timed out", PATIENCE).unwrap();
        signal(kafka.pid(), "CONT").unwrap();
    });
}

/// The first signal waits for what is in flight, and a broker that is away takes nothing: a second one does not wait.
#[test]
fn a_second_signal_ends_at_once() {
    let Some(kafka) = kafka::own() else { return };
    let pipeline = begun(&kafka, "twice");
    let mut running = pipeline.start(&STAGES);
    let load = reports(NODES, ROUNDS);
    pipeline.send_load(&records(&load));
    pipeline.wait_for(Topic::Forecasts, NODES, &running);
    signal(kafka.pid(), "STOP").unwrap();
    signal(running.pid(), "TERM").unwrap();
    running.wait_for("a second signal ends at once", PATIENCE).unwrap();
    assert!(is_running(running.pid()), "it did not wait for what is in flight:\n{}", running.stderr());
    signal(running.pid(), "TERM").unwrap();
    let ended = running.wait(PATIENCE).unwrap();
    signal(kafka.pid(), "CONT").unwrap();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

/// `harm` waits until the process has told what is wrong.
fn nothing_is_lost(harm: impl FnOnce(&mut Kafka, &mut Running)) {
    let Some(mut kafka) = kafka::own() else { return };
    let load = reports(NODES, ROUNDS);
    let undisturbed = begun(&kafka, "undisturbed");
    let running = undisturbed.start(&STAGES);
    undisturbed.send_load(&records(&load));
    let expected = Answers::of_all(&undisturbed, &load, &running);
    drop(running.terminate().unwrap().expect_success());

    let disturbed = begun(&kafka, "disturbed");
    let mut running = disturbed.start(&STAGES);
    let mut thirds = load.chunks(load.len() / 3).map(records);
    disturbed.send_load(&thirds.next().unwrap());
    disturbed.wait_for(Topic::Quotas, load.len() / 3, &running);
    // These are in the middle of their way.
    disturbed.send_load(&thirds.next().unwrap());
    harm(&mut kafka, &mut running);
    thirds.for_each(|rest| disturbed.send_load(&rest));

    assert_eq!(Answers::of_all(&disturbed, &load, &running), expected);
    let ended = running.terminate().unwrap().expect_success();
    let lines = ended.stderr.lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines:\n{}", ended.stderr);
}

fn begun(kafka: &Kafka, name: &str) -> Pipeline {
    let pipeline = Pipeline::at(kafka.bootstrap(), name);
    brokers::provision(kafka.bootstrap(), pipeline.prefix());
    pipeline
}

/// What stands on the topics, by node and sequence, in the order of each node.
#[derive(Debug, PartialEq)]
struct Answers {
    forecasts: BTreeMap<String, Vec<Forecast>>,
    quotas: BTreeMap<String, Vec<QuotaCommand>>,
}

impl Answers {
    /// Waits until every report is answered.
    fn of_all(pipeline: &Pipeline, load: &[LoadReport], running: &Running) -> Self {
        let wanted = names(load);
        // Counting is cheap, and below that many records nothing need be compared.
        let topic = pipeline.topic(Topic::Quotas);
        let counted = client::wait_for_count(pipeline.bootstrap(), &topic, wanted.len() as u64, REJOINED);
        counted.unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
        let answered = || {
            let mut answered = pipeline.answered();
            answered.dedup();
            answered
        };
        let done = wait_until(PATIENCE, || answered() == wanted);
        done.unwrap_or_else(|e| panic!("{} of {}: {e}\n{}", answered().len(), wanted.len(), running.stderr()));
        let forecasts = pipeline.decoded::<Forecast>(Topic::Forecasts).into_iter().map(|mut forecast| {
            without_prefix(&mut forecast.cause.topic);
            ((forecast.node_id.clone(), forecast.sequence), forecast)
        });
        let quotas = pipeline.decoded::<QuotaCommand>(Topic::Quotas).into_iter().map(|mut command| {
            without_prefix(&mut command.cause.topic);
            ((command.node_id.clone(), command.sequence), command)
        });
        Self { forecasts: once(forecasts), quotas: once(quotas) }
    }
}

fn without_prefix(topic: &mut String) {
    *topic = topic.rsplit('.').next().unwrap().to_owned();
}

/// Each answer of each node once; whatever is repeated must be the same again.
fn once<T: PartialEq + Debug>(answers: impl Iterator<Item = ((String, i64), T)>) -> BTreeMap<String, Vec<T>> {
    let mut nodes: BTreeMap<String, (Vec<i64>, Vec<T>)> = BTreeMap::new();
    for ((node, sequence), answer) in answers {
        let (sequences, kept) = nodes.entry(node).or_default();
        match sequences.iter().position(|known| *known == sequence) {
            Some(at) => assert_eq!(kept[at], answer, "a repeated answer is another one"),
            None => {
                sequences.push(sequence);
                kept.push(answer);
            }
        }
    }
    assert!(nodes.values().all(|(sequences, _)| sequences.is_sorted()), "the order of a node is broken");
    nodes.into_iter().map(|(node, (_, kept))| (node, kept)).collect()
}
