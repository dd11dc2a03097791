//! Edges that have no Kafka, over the built gateway: reports in, commands out, a gateway killed and brought back, one drained.

use std::time::Instant;

use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_tests::binary::STOP_TIMEOUT;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::metrics;
use tidegate_tests::process::{signal, wait_until};

use crate::agents::{Agent, Gateway, NODE, send, sequences};
use crate::fixture::{PATIENCE, Pipeline, on_both_brokers};

on_both_brokers!(
    reports_go_in_and_commands_come_out_over_a_gateway,
    a_drained_gateway_sends_its_edges_to_the_other,
    what_is_spooled_survives_a_kill_and_is_sent_when_a_gateway_is_back,
);

fn reports_go_in_and_commands_come_out_over_a_gateway(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "gateway");
    send(&pipeline, 1100.0);
    let gateway = Gateway::start(&pipeline, "127.0.0.1:0");
    let mut agent = Agent::start(&[&gateway]);
    agent.wait_for_quota(1100.0);
    send(&pipeline, 1200.0);
    agent.wait_for_quota(1200.0);
    pipeline.wait_for(Topic::Load, 2, &agent.running);
    let raw = pipeline.read(Topic::Load);
    assert!(raw.iter().all(|r| r.key.as_deref() == Some(NODE.as_bytes()) && r.header("traceparent").is_some()));

    let address = gateway.kill();
    agent.wait_for("the way to the centre: closed -> open");
    agent.wait_for("the way to the centre: open -> half-open");
    agent.wait_for("the way to the centre: half-open -> open");
    let gateway = Gateway::start(&pipeline, &address);
    agent.wait_for("the way to the centre: half-open -> closed");
    send(&pipeline, 1300.0);
    agent.wait_for_quota(1300.0);
    assert_eq!(agent.metric("tidegate_edge_breaker_state{state=\"closed\"}"), 1);
    for shown in [agent.metrics(), gateway.metrics()] {
        assert_eq!(metrics::undocumented(&shown), [""; 0], "docs/metrics.md has all of them");
    }

    // Every report that was made while there was no gateway is there, after the return.
    agent.wait_for_reports(&pipeline);
    let said = agent.running.stderr();
    assert_eq!(said.matches("closed -> open").count(), 1, "each transition once:\n{said}");
    assert_eq!(agent.running.terminate().unwrap().code, Some(0));
    assert_eq!(gateway.running.terminate().unwrap().code, Some(0));
    assert!(pipeline.read(Topic::DeadLetters).is_empty());
}

fn a_drained_gateway_sends_its_edges_to_the_other(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "two-gateways");
    let (one, other) = (Gateway::start(&pipeline, "127.0.0.1:0"), Gateway::start(&pipeline, "127.0.0.1:0"));
    let mut agent = Agent::start(&[&one, &other]);
    send(&pipeline, 1100.0);
    agent.wait_for_quota(1100.0);
    agent.wait_for(&format!("connected to {}", one.url()));
    let began = Instant::now();
    let ended = one.running.terminate().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(began.elapsed() < STOP_TIMEOUT);
    agent.wait_for("is stopping: on to another gateway");
    agent.wait_for(&format!("connected to {}", other.url()));
    send(&pipeline, 1200.0);
    agent.wait_for_quota(1200.0);
    agent.wait_for_reports(&pipeline);
    let ended = agent.running.terminate().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("the way to the centre"), "a drain is no failure:\n{}", ended.stderr);
    assert_eq!(other.running.terminate().unwrap().code, Some(0));
}

fn what_is_spooled_survives_a_kill_and_is_sent_when_a_gateway_is_back(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "spool");
    let gateway = Gateway::start(&pipeline, "127.0.0.1:0");
    let mut agent = Agent::spooling(&gateway.url(), tempfile::tempdir().unwrap());
    pipeline.wait_for(Topic::Load, 2, &agent.running);
    let address = gateway.kill();
    let url = format!("http://{address}");
    agent.wait_for("the way to the centre: closed -> open");
    let spooled = |agent: &Agent| agent.metric("tidegate_edge_spool_reports");
    wait_until(PATIENCE, || spooled(&agent) >= 3).unwrap();
    let made = usize::try_from(agent.metric("tidegate_edge_reports_total")).unwrap();
    let on_topic = sequences(&pipeline).len();
    wait_until(PATIENCE, || on_topic + usize::try_from(spooled(&agent)).unwrap() >= made).unwrap();

    signal(agent.running.pid(), "KILL").unwrap();
    agent.running.wait(PATIENCE).unwrap();
    let mut agent = Agent::spooling(&url, agent.folder);
    assert!(spooled(&agent) >= 3, "{}", agent.running.stderr());
    agent.wait_for("the way to the centre: closed -> open");
    let gateway = Gateway::start(&pipeline, &address);
    let all = || sequences(&pipeline).len() >= made && spooled(&agent) == 0;
    wait_until(PATIENCE, all).unwrap_or_else(|e| panic!("{e}\n{}", agent.running.stderr()));
    let raw: Vec<i64> = pipeline.decoded::<LoadReport>(Topic::Load).iter().map(|report| report.sequence).collect();
    assert!(raw.is_sorted(), "in the order in which they were made: {raw:?}");
    assert_eq!(agent.running.terminate().unwrap().code, Some(0));
    assert_eq!(gateway.running.terminate().unwrap().code, Some(0));
}
