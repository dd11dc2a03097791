//! Alerts: rules with the same meaning as in Prometheus, held against its own `promtool`; the stage through the built binary; the sink to
//! a real Alertmanager.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::let_underscore_must_use, reason = "writing to a text does not fail")]
#![expect(clippy::too_many_lines, reason = "the cases are a table")]

mod alertmanager;
mod cases;
mod explained;
mod killed;
mod promtool;
mod refused;
mod stage;
mod validate;

use tidegate_tests::debian;

#[test]
fn promtool_and_we_fire_the_same_alerts_at_the_same_evaluations() {
    let Some(promtool) = debian::promtool() else { return };
    let mut cases = cases::by_hand();
    (0..4).for_each(|seed| cases.extend(cases::made_up(seed)));
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let fires = |case: &&cases::Case| promtool::ours(case).iter().any(|(_, firing)| !firing.is_empty());
    let firing = cases.iter().filter(fires).count();
    assert!(firing * 10 >= cases.len() * 7, "only {firing} of {} cases fire at all", cases.len());
    promtool::agrees(&promtool, &cases).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn promtool_would_tell_a_difference() {
    let Some(promtool) = debian::promtool() else { return };
    let mut case = cases::by_hand().remove(0);
    assert!(promtool::agrees(&promtool, std::slice::from_ref(&case)).is_ok());
    // One sample more, which only we are told of.
    let theirs = case.clone();
    case.samples[0].values.insert(3, Some(0.95));
    let outcome = promtool::ours(&case);
    assert!(promtool::agrees_with(&promtool, &theirs, &outcome).is_err());
}
