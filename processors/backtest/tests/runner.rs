//! The runner is the stages and nothing else: whatever the batches, its commands are theirs.

use std::ops::ControlFlow;
use std::sync::Arc;

use tidegate_backtest::compare::{Comparison, Recorded};
use tidegate_backtest::{Decided, Input, Runner, made_up};
use tidegate_broker::{Received, Stage, Verdict};
use tidegate_forecast::Model;
use tidegate_quota::{PolicyName, Settings};
use tidegate_schemas::records::{Control, LoadReport, QuotaCommand};
use tidegate_schemas::{CatalogueIds, Encoder, Topic};
use tidegate_stages::{ForecastStage, QuotaStage};

/// Three nodes for three hours, one report a minute, with a jump and a repetition; two nodes are ready at the end.
fn reports() -> Vec<LoadReport> {
    let mut reports = Vec::new();
    for minute in 0..180_i64 {
        for (node, level) in [("a", 0.2), ("b", 0.5), ("c", 0.7)] {
            let mut report = LoadReport::new(node, minute * 60_000, 60_000, 1000.0);
            let wave = 0.15 * ((minute * 7 + node.len() as i64) % 30) as f64 / 30.0;
            let jump = if (100..110).contains(&minute) { 0.5 } else { 0.0 };
            (report.cpu, report.memory) = (Some(level + wave + jump), Some(level));
            reports.push(report);
        }
    }
    reports.insert(50, reports[10].clone());
    reports
}

fn stages(settings: &[Settings]) -> Runner {
    let forecast = ForecastStage::new(Arc::new(Model::shipped().expect("a shipped model")));
    Runner::new(forecast, settings.iter().map(|settings| QuotaStage::new(settings.clone())).collect())
}

fn run(runner: &mut Runner, inputs: impl IntoIterator<Item = Input>) -> Vec<Decided> {
    let mut all = Vec::new();
    let flow = runner.run(inputs, &mut |decided| {
        all.push(decided);
        ControlFlow::Continue(())
    });
    assert_eq!(flow, ControlFlow::Continue(()));
    all
}

#[test]
fn commands_are_those_of_the_stages_whatever_the_batches() {
    let inputs: Vec<Input> = made_up(reports()).collect();
    let mut forecast = ForecastStage::new(Arc::new(Model::shipped().unwrap()));
    let mut quota = QuotaStage::new(Settings::default());
    let mut by_hand: Vec<QuotaCommand> = Vec::new();
    for chunk in inputs.chunks(11) {
        let batch: Vec<_> = chunk.iter().map(|input| input.received.clone()).collect();
        let forecasts: Vec<_> = forecast
            .process(&batch)
            .into_iter()
            .filter_map(|(index, verdict)| match verdict {
                Verdict::Output(record) => {
                    Some(Received { record, source: batch[index].source.clone(), kafka_timestamp: None, trace: None })
                }
                Verdict::Drop(_) | Verdict::Keep(..) => None,
            })
            .collect();
        by_hand.extend(quota.process(&forecasts).into_iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Output(command) => Some(command),
            Verdict::Drop(_) | Verdict::Keep(..) => None,
        }));
    }
    assert_eq!(by_hand.len(), 540);
    for batch in [1, 7, 100, 5_000] {
        let mut runner = stages(&[Settings::default()]).with_batch(batch);
        let decided = run(&mut runner, inputs.iter().cloned());
        let commands: Vec<QuotaCommand> = decided.into_iter().map(|mut d| d.commands.remove(0)).collect();
        assert_eq!(commands, by_hand, "batches of {batch}");
        assert_eq!(runner.dropped().get("repeated"), Some(&1));
    }
}

#[test]
fn what_the_stage_refuses_is_counted_by_class() {
    let good = LoadReport::new("a", 60_000, 60_000, 1000.0);
    let bad = LoadReport { cpu: Some(f64::NAN), ..good.clone() };
    let mut inputs: Vec<Input> = made_up([good.clone(), bad, good]).collect();
    inputs[2].key = Some(b"another".to_vec());
    let mut runner = stages(&[Settings::default()]);
    assert_eq!(run(&mut runner, inputs).len(), 1);
    let dropped: Vec<_> = runner.dropped().iter().map(|(why, count)| (why.as_str(), *count)).collect();
    assert_eq!(dropped, [("bad-number", 1), ("key-mismatch", 1)]);
}

#[test]
fn what_an_earlier_life_answered_is_not_answered_again() {
    let inputs: Vec<Input> = made_up(reports()).take(30).collect();
    let before = run(&mut stages(&[Settings::default()]), inputs.iter().cloned());
    let mut restored = stages(&[Settings::default()]);
    for decided in &before[..6] {
        restored.restore(0, &decided.commands[0]);
    }
    let after = run(&mut restored, inputs);
    let commands = |all: &[Decided]| all.iter().map(|decided| decided.commands[0].clone()).collect::<Vec<_>>();
    assert_eq!(commands(&after), commands(&before[6..]));
    assert_eq!(restored.dropped().get("repeated"), Some(&6));
}

#[test]
fn a_caller_may_break_off() {
    let mut seen = 0;
    let flow = stages(&[Settings::default()]).run(made_up(reports()), &mut |_| {
        seen += 1;
        if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((flow, seen), (ControlFlow::Break(()), 5));
}

#[test]
fn recorded_commands_are_known_again_byte_for_byte() {
    let mut narrow = Settings::default();
    narrow.rails.max_scale = 1.1;
    let (inputs, kind) =
        (made_up(reports()).collect::<Vec<_>>(), <QuotaCommand as tidegate_schemas::records::Record>::KIND);
    let encoder = Encoder::new(Topic::Quotas, kind, &CatalogueIds).unwrap();
    let mut recorded = Recorded::new(2).unwrap();
    for decided in run(&mut stages(&[Settings::default()]), inputs.iter().cloned()).iter().skip(3) {
        let mut value = Vec::new();
        encoder.encode(&decided.commands[0], &mut value).unwrap();
        // A registry gave another id; the datum is what counts.
        assert_eq!(recorded.add(&value).unwrap(), decided.commands[0]);
    }
    let mut comparison = Comparison::default();
    for decided in run(&mut stages(&[Settings::default(), narrow]), inputs) {
        recorded.take(&decided).unwrap();
        comparison.take(&decided);
    }
    let [same, other] = recorded.matches() else { panic!() };
    assert_eq!((same.identical, same.different, same.not_recorded), (537, 0, 3));
    let differing = comparison.differences();
    assert!(differing.commands > 0 && other.different == differing.commands, "{differing:?} {other:?}");
    assert_eq!(other.identical + other.different, 537);
    let first = &comparison.by_node()[0];
    let largest = first.largest.as_ref().unwrap();
    assert!((largest.tried - 1.1).abs() < 1e-9 && largest.against > 1.1 && first.mean_difference < 0.0, "{first:?}");
    assert!(recorded.add(b"\0\0\0\0\x01junk").is_err());
}

#[test]
fn controls_hold_by_event_time_for_every_policy_and_a_wrong_one_counts_for_nothing() {
    let control = |override_quota| Control {
        target: "a".into(),
        timestamp: 90 * 60_000,
        override_quota: Some(override_quota),
        by: "alice".into(),
        why: "test".into(),
        ..Control::default()
    };
    let headroom = Settings { policy: PolicyName::Headroom, ..Settings::default() };
    let mut runner = stages(&[Settings::default(), headroom]);
    assert_eq!(runner.control("a", Some(control(777.0))), Ok(()));
    assert_eq!(runner.control("b", Some(control(1.0))), Err("key-mismatch"));
    assert_eq!(runner.control("a", Some(control(f64::NAN))), Err("bad-number"));
    for decided in run(&mut runner, made_up(reports())) {
        let report = &decided.received.record;
        let held = report.node_id == "a" && report.timestamp >= 90 * 60_000;
        let overridden = |command: &QuotaCommand| command.limits_hit.iter().any(|limit| limit == "override");
        assert!(decided.commands.iter().all(|command| overridden(command) == held), "{decided:?}");
    }
}
