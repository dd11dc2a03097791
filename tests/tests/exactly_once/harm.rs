//! What is done to the processes, and the proof that it was done.

use tidegate_schemas::Topic;
use tidegate_tests::binary::{Finished, Running};
use tidegate_tests::process::{signal, wait_until};

use crate::site::{PATIENCE, Trial};

/// Ends a held process by a signal; another one does the rest.
pub(crate) fn ended_and_replaced(trial: &Trial, held: Running, name: &str) -> Finished {
    signal(held.pid(), name).unwrap();
    // The one that can be caught is seen only by a process that runs.
    if name != "KILL" {
        signal(held.pid(), "CONT").unwrap();
    }
    let ended = held.wait(PATIENCE).unwrap();
    assert!(trial.is_in_the_middle(), "it had answered all");
    let next = trial.start("cooperative-sticky");
    trial.send_the_rest();
    trial.finish(vec![next]);
    ended
}

/// Another process takes over while the first one is frozen, and answers all there is.
pub(crate) fn goes_on_without(trial: &Trial, frozen: &Running) -> Running {
    assert!(trial.is_in_the_middle(), "it had answered all");
    let heir = trial.start("cooperative-sticky");
    let so_far = trial.sent();
    let done = wait_until(PATIENCE, || trial.answered() >= so_far);
    done.unwrap_or_else(|e| panic!("{e}: {} of {so_far}\n{}\n{}", trial.answered(), frozen.stderr(), heir.stderr()));
    heir
}

/// The zombie finds that the group went on without it, and works again beside its heir.
pub(crate) fn comes_back(trial: &Trial, zombie: &Running, heir: &Running) {
    let noticed = || {
        let said = zombie.stderr();
        said.contains("is taken back") || said.contains("with another producer")
    };
    wait_until(PATIENCE, noticed).unwrap_or_else(|e| panic!("it did not notice: {e}\n{}", zombie.stderr()));
    trial.wait_until_shared(&[zombie, heir]);
    trial.send_the_rest();
}

/// A second and a third process join in the middle of transactions, and the first leaves.
pub(crate) fn members_come_and_go(trial: &Trial, strategy: &str) {
    let first = trial.caught_by(strategy);
    let others = [(); 2].map(|()| trial.start(strategy));
    signal(first.pid(), "CONT").unwrap();
    trial.wait_until_shared(&[&first, &others[0], &others[1]]);
    trial.send_the_rest();
    let some = trial.sent() * 2 / 3;
    wait_until(PATIENCE, || trial.answered() >= some).unwrap();
    let ended = first.terminate().unwrap().expect_success();
    assert!(ended.stderr.contains("partition taken"), "{}", ended.stderr);
    trial.finish(Vec::from(others));
    assert!(!trial.pipeline().read(Topic::Quotas).is_empty());
}
