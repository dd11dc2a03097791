//! `run forecast alerts` on both brokers: a hot node fires after five minutes of event time and is resolved, over a restart as well.

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Alert, AlertStatus, LoadReport};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{Pipeline, records, reports};

/// Rounds of 10 s in which two of six nodes are hot, and in which they are not.
const HOT: usize = 60;
const COOL: usize = 30;
const NODES: usize = 6;

/// Reports of ten minutes with node-2 and node-5 hot, then of five in which nobody is.
fn hot_then_cool() -> (Vec<LoadReport>, Vec<LoadReport>) {
    let mut all = reports(NODES, (HOT + COOL) as i64);
    let mut cool = all.split_off(HOT * NODES);
    cool.iter_mut().for_each(|report| report.cpu = Some(0.4));
    (all, cool)
}

/// Node, whether it fires, and what must be the same however often it is told.
fn told(pipeline: &Pipeline) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = pipeline.decoded(Topic::Alerts);
    alerts.sort_by(|a, b| (&a.node_id, a.ends_at).cmp(&(&b.node_id, b.ends_at)));
    alerts
}

fn assert_two_episodes(alerts: &[Alert]) {
    let names: Vec<_> = alerts.iter().map(|a| (a.node_id.as_str(), a.rule.as_str(), a.status)).collect();
    let of = |node| [(node, "NodeCpuHigh", AlertStatus::Firing), (node, "NodeCpuHigh", AlertStatus::Resolved)];
    assert_eq!(names, [of("node-2"), of("node-5")].concat());
    for pair in alerts.chunks(2) {
        let [fired, resolved] = pair else { panic!("two records each") };
        assert_eq!(fired.fired_at - fired.starts_at, 300_000);
        assert_eq!((fired.fingerprint.as_str(), fired.fired_at), (resolved.fingerprint.as_str(), resolved.fired_at));
        assert!(resolved.ends_at.unwrap() > fired.fired_at);
        assert_eq!(fired.labels["severity"], "warning");
        assert!(fired.annotations["summary"].contains(&fired.node_id), "{:?}", fired.annotations);
        assert!(fired.cause.topic.ends_with("load"), "{:?}", fired.cause);
    }
}

fn a_hot_node_fires_and_is_resolved(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "alerts-once");
    let (hot, cool) = hot_then_cool();
    pipeline.send_load(&records(&[hot, cool].concat()));
    let stages = pipeline.start(&["run", "forecast", "alerts"]);
    pipeline.wait_for(Topic::Alerts, 4, &stages);
    assert_eq!(stages.terminate().unwrap().code, Some(0));
    assert_two_episodes(&told(&pipeline));

    let seen = pipeline.run(&["watch", "alerts", "--from", "beginning", "--until-end"]).expect_success();
    assert!(seen.stdout.contains("FIRING    NodeCpuHigh"), "{}", seen.stdout);
}

fn what_fires_is_neither_forgotten_nor_told_twice_over_a_restart(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "alerts-restart");
    let (hot, cool) = hot_then_cool();
    pipeline.send_load(&records(&hot));
    let forecast = pipeline.start(&["run", "forecast"]);
    pipeline.wait_for(Topic::Forecasts, hot.len(), &forecast);
    let alerts = pipeline.start(&["run", "alerts"]);
    pipeline.wait_for(Topic::Alerts, 2, &alerts);
    // Stopped, so that all is committed: the next one must know what fires without having told it.
    assert_eq!(alerts.terminate().unwrap().code, Some(0));

    let alerts = pipeline.start(&["run", "alerts"]);
    pipeline.send_load(&records(&cool));
    pipeline.wait_for(Topic::Forecasts, hot.len() + cool.len(), &forecast);
    pipeline.wait_for(Topic::Alerts, 4, &alerts);
    for running in [alerts, forecast] {
        assert_eq!(running.terminate().unwrap().code, Some(0));
    }
    assert_two_episodes(&told(&pipeline));
}

tidegate_tests::on_both_brokers!(
    a_hot_node_fires_and_is_resolved,
    what_fires_is_neither_forgotten_nor_told_twice_over_a_restart
);
