//! The fault suite, short: nothing is lost, repeated after dedupe, reordered or wrong. And what it says of programs that are
//! broken on purpose.

#![expect(clippy::print_stdout, reason = "which fault comes is for whoever looks at a test that takes minutes")]
#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::sync::{Mutex, PoisonError};

use tidegate_tests::faults::kinds::Kind;
use tidegate_tests::faults::{self, FaultOptions, Guarantee, Outcome, Program};
use tidegate_tests::kafka;

/// Three brokers at a time are enough for a small machine.
static ALONE: Mutex<()> = Mutex::new(());

fn run(options: &FaultOptions, program: Program) -> Option<Outcome> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    kafka::is_possible().then(|| faults::run(options, program, &|what| println!("{what}")).unwrap())
}

fn options(seed: u64, faults: usize) -> FaultOptions {
    FaultOptions {
        seed,
        faults: Some(faults),
        minutes: None,
        guarantee: Guarantee::AtLeastOnce,
        nodes: 500,
        rate: 200,
        standby: false,
        only: Vec::new(),
        patience: 120,
        json: false,
        keep: None,
    }
}

#[test]
fn nothing_is_lost_whatever_happens() {
    let options = options(7, 26);
    let Some(outcome) = run(&options, Program::Tidegate) else { return };
    let report = &outcome.report;
    println!("{report}{}", options.repeat());
    assert_eq!(outcome.wrong, [] as [&str; 0]);
    assert_eq!(report.decided, report.reports_sent);
    assert_eq!(report.dead_letters, report.poison_sent);
    // On a busy machine one or the other does no harm; most must, and these always can.
    assert!(report.took_effect() >= 20, "{report}");
    for kind in [Kind::Kill9, Kind::Freeze, Kind::BrokerKill9, Kind::Poison] {
        assert!(report.faults[kind.name()].took_effect > 0, "{kind}\n{report}");
    }
}

#[test]
fn a_program_that_commits_before_the_acknowledgement_is_caught() {
    // What it loses never comes.
    let options = FaultOptions { nodes: 60, rate: 100, only: vec![Kind::Kill9], patience: 20, ..options(3, 4) };
    let Some(outcome) = run(&options, Program::Broken("hasty")) else { return };
    let said = outcome.wrong.join("\n");
    // Whether a kill also meets an output that waits is luck; that the commit was ahead is not.
    assert!(said.contains("commits ahead of an output"), "{said}");
}

#[test]
fn a_program_that_restores_nothing_is_caught() {
    let options = FaultOptions { nodes: 60, rate: 100, only: vec![Kind::Sigterm], ..options(4, 3) };
    let Some(outcome) = run(&options, Program::Broken("forgetful")) else { return };
    let said = outcome.wrong.join("\n");
    assert!(outcome.report.wrong_values > 0, "{said}");
    assert_eq!(outcome.report.lost, 0, "{said}");
}
