//! Exactly-once on a real Kafka: whatever happens to the processes and to the broker, a reader of what is committed sees each
//! decision once, with no dedupe, and the bytes are those of an undisturbed run that promises less.
//!
//! ```text
//! load ─> undisturbed, at least once ─────────────────────────> answers ─┐
//! load ─> a part ─ a transaction is open, and harm ─ the rest ─> answers ─┴─> the same bytes, each once
//! ```

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod answers;
mod hanging;
mod harm;
mod refusals;
mod site;

use tidegate_tests::process::signal;

use crate::harm::{comes_back, ended_and_replaced, goes_on_without};
use crate::site::{PATIENCE, Trial};

#[test]
fn killed_in_the_middle_of_a_transaction() {
    Trial::with_kafka(|trial| {
        let first = trial.caught_in_a_transaction();
        let ended = ended_and_replaced(trial, first, "KILL");
        assert_eq!(ended.code, None, "it ended by itself:\n{}", ended.stderr);
        assert!(trial.was_taken_back(), "nothing was in flight when it was killed");
    });
}

#[test]
fn stopped_in_good_order() {
    Trial::with_kafka(|trial| {
        trial.be_patient();
        let first = trial.caught_in_a_transaction();
        let ended = ended_and_replaced(trial, first, "TERM").expect_success();
        assert!(!ended.stderr.contains("taken back"), "{}", ended.stderr);
        assert!(!trial.was_taken_back(), "what it had begun was to be committed");
    });
}

#[test]
fn a_zombie_adds_nothing() {
    Trial::with_kafka(|trial| {
        let zombie = trial.caught_in_a_transaction();
        let heir = goes_on_without(trial, &zombie);
        signal(zombie.pid(), "CONT").unwrap();
        comes_back(trial, &zombie, &heir);
        trial.finish(vec![zombie, heir]);
        assert!(trial.was_taken_back(), "the zombie had nothing in flight");
    });
}

#[test]
fn a_broker_that_is_killed_and_comes_back() {
    Trial::with_kafka(|trial| {
        let mut running = trial.caught_in_a_transaction();
        trial.kafka().kill().unwrap();
        signal(running.pid(), "CONT").unwrap();
        running.wait_for("Kafka client: ", PATIENCE).unwrap();
        trial.kafka_mut().come_back().unwrap();
        trial.send_the_rest();
        trial.finish(vec![running]);
    });
}

#[test]
fn members_come_and_go_where_partitions_move_singly() {
    Trial::with_kafka(|trial| harm::members_come_and_go(trial, "cooperative-sticky"));
}

#[test]
fn members_come_and_go_where_all_partitions_move() {
    Trial::with_kafka(|trial| harm::members_come_and_go(trial, "range"));
}
