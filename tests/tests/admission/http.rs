//! `POST /v1/admit`: the rate follows the quota, the answers say what is left, and bad requests are named.

use std::time::Duration;

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_tests::binary;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::PATIENCE;
use tidegate_tests::process::wait_until;

use crate::site::{BASE, Site};

#[test]
fn a_quota_command_halves_the_rate_and_admission_follows() {
    let broker = TestBroker::embedded();
    let site = Site::new(&broker, "admit");
    let agent = site.admitting();
    agent.wait_for_rate(40);
    agent.assert_follows(BASE, Duration::from_secs(2));
    site.send(BASE / 2.0);
    agent.wait_for_rate(20);
    agent.assert_follows(BASE / 2.0, Duration::from_secs(2));
    assert_eq!(agent.metric("tidegate_edge_admission_rate"), Some(20.0));
    site.send(BASE * 1.5);
    agent.wait_for_rate(60);
    agent.assert_follows(BASE * 1.5, Duration::from_secs(1));
    agent.stop();
}

#[test]
fn what_was_asked_for_is_the_load_of_the_reports_denied_requests_included() {
    let broker = TestBroker::embedded();
    let site = Site::new(&broker, "demand");
    let agent = site.admitting();
    agent.wait_for_rate(40);
    let driven = agent.drive(Duration::from_secs(3));
    let metric = |name: &str| agent.metric(name).unwrap();
    let asked = metric("tidegate_edge_admission_requests_total{result=\"admitted\"}")
        + metric("tidegate_edge_admission_requests_total{result=\"denied\"}");
    let total = metric("edge_requests_total{service=\"unknown_service\"}");
    let failed = metric("edge_requests_failed_total{service=\"unknown_service\"}");
    assert_eq!(asked, total);
    assert!(failed >= f64::from(driven.denied) && failed < total, "{failed} of {total}, {driven:?}");

    let reports = || site.pipeline.decoded::<LoadReport>(Topic::Load);
    let counted = |report: &LoadReport| {
        (report.requests_total, report.requests_failed_total) == (Some(total as i64), Some(failed as i64))
    };
    wait_until(PATIENCE, || reports().iter().any(counted)).unwrap_or_else(|e| panic!("{e}: {:?}", reports()));
    assert!(reports().iter().any(|report| report.cpu > Some(1.0)), "unmet demand is above the base quota");
    assert!(reports().iter().all(|report| report.memory.is_none()), "the load is that of the requests alone");
    let quiet = |report: &LoadReport| counted(report) && report.cpu == Some(0.0);
    wait_until(PATIENCE, || reports().iter().any(quiet)).unwrap_or_else(|e| panic!("{e}: {:?}", reports()));
    agent.stop();
}

#[test]
fn answers_say_what_is_left_and_when_to_come_again() {
    let broker = TestBroker::embedded();
    let site = Site::new(&broker, "headers");
    let agent = site.admitting();
    let full = || agent.ask("", "").header("ratelimit").starts_with("\"quota\";r=39;");
    wait_until(PATIENCE, || {
        std::thread::sleep(Duration::from_millis(1_100));
        full()
    })
    .unwrap();
    let mut answer = agent.ask("?service=shop&cost=30", "");
    // The bucket fills while this test asks, so what is left is known only within bounds.
    assert_eq!(answer.status, 200, "{answer:?}");
    while answer.status == 200 {
        answer = agent.ask("", r#"{"service": "shop", "cost": 30}"#);
    }
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.header("ratelimit-policy"), "\"quota\";q=40;w=1;tidegate-burst=40");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.header("ratelimit").ends_with(";t=1"), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["violated-policies"][0], "quota");
    assert_eq!(problem["detail"], "the quota of 40 requests/s is used up; try again in 1 s");

    let never = agent.ask("?cost=41", "");
    assert_eq!((never.status, never.header("retry-after")), (429, ""), "waiting does not help: {never:?}");
    assert!(never.body.contains("it counts as 41 requests, and at most 40 may come at once"), "{never:?}");
    agent.stop();
}

#[test]
fn requests_that_are_none_are_named_and_nothing_is_taken() {
    let broker = TestBroker::embedded();
    let site = Site::new(&broker, "bad-asks");
    let agent = site.admitting();
    let said = |query: &str, body: &str| {
        let answer = agent.ask(query, body);
        (answer.status, answer.body)
    };
    for (query, body, why) in [
        ("?cost=many", "", "the query is not service=NAME&cost=NUMBER"),
        ("?costs=1", "", "unknown field `costs`"),
        ("?cost=0", "", "the cost is 0; it must be 1 to 1000000"),
        ("", "{\"cost\": -1}", "invalid value: integer `-1`"),
        ("", "\u{0}\u{1}", "the body is not {\"service\": \"NAME\", \"cost\": NUMBER}"),
    ] {
        let (status, told) = said(query, body);
        assert!(status == 400 && told.contains(why), "{query} {body}: {status} {told}");
    }
    assert_eq!(said("", &"x".repeat(5_000)).0, 413);
    assert_eq!(agent.get(&agent.url()).status, 405);
    assert_eq!(agent.metric("tidegate_edge_admission_requests_total{result=\"denied\"}"), Some(0.0));
    agent.stop();
}

#[test]
fn settings_that_do_not_fit_together_end_the_agent_with_advice() {
    let edge = ["edge", "--node-id", "a", "--gateway", "http://127.0.0.1:1"];
    for (extra, why) in [
        (&["--admit-listen", "127.0.0.1:0"][..], "how many requests/s does the base quota admit?"),
        (&["--admit", "5"], "nobody can ask for requests"),
        (&["--cgroup", "/sys/fs/cgroup/none"], "--cgroup wants --cache FILE"),
        (&["--admit", "5", "--admit-listen", "0.0.0.0:0"], "add --plain-text-anywhere"),
    ] {
        let ended = binary::run(&[&edge[..], extra].concat(), PATIENCE);
        assert_eq!(ended.code, Some(78), "{extra:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(why) && ended.stderr.lines().count() == 1, "{extra:?}: {}", ended.stderr);
    }
}
