//! Envoy's rate limit service, asked by a Go client on go-control-plane's stubs.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::PATIENCE;
use tidegate_tests::{binary, go, places};

use crate::site::{Agent, Site};

/// Asks so many times, with as many hits and one descriptor for each entry; an object for each answer.
fn ask(client: &std::path::Path, agent: &Agent, count: u32, hits: u32, entries: &[&str]) -> Vec<Value> {
    let mut command = Command::new(client);
    command.args([&agent.grpc(), "edge", &count.to_string(), &hits.to_string()]).args(entries);
    let ended = binary::start(command).unwrap().wait(PATIENCE).unwrap();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, agent.running.stderr());
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_client_on_envoys_stubs_is_limited_by_the_quota() {
    let Some(client) = go::program(&places::repository().join("tests/rls_client")) else { return };
    let broker = TestBroker::embedded();
    let site = Site::new(&broker, "envoy");
    let agent = site.admitting();
    agent.wait_for_rate(40);
    // The bucket is full then.
    std::thread::sleep(Duration::from_millis(1_100));

    let answers = ask(&client, &agent, 200, 0, &["service=shop", "path=/items"]);
    let with_code = |code: &str| answers.iter().filter(|answer| answer["overallCode"] == code).count();
    let (ok, over) = (with_code("OK"), with_code("OVER_LIMIT"));
    // How long 200 calls take is the machine's affair, so what comes after the full bucket is not known.
    assert!(ok + over == 200 && ok >= 40, "{ok} OK, {over} OVER_LIMIT");
    for answer in &answers {
        let statuses = answer["statuses"].as_array().unwrap();
        assert_eq!(statuses.len(), 2, "one for each descriptor: {answer}");
        for status in statuses {
            assert_eq!(status["code"], answer["overallCode"]);
            assert_eq!(status["currentLimit"]["name"], "quota");
            assert_eq!(status["currentLimit"]["requestsPerUnit"], 40);
            assert_eq!(status["currentLimit"]["unit"], "SECOND");
        }
    }

    let too_much = ask(&client, &agent, 1, 41, &["service=shop"]);
    assert_eq!(too_much[0]["overallCode"], "OVER_LIMIT");
    let headers = too_much[0]["responseHeadersToAdd"].as_array().unwrap();
    let header = |key: &str| headers.iter().find(|header| header["key"] == key).map(|header| header["value"].clone());
    assert_eq!(header("ratelimit-policy"), Some("\"quota\";q=40;w=1;tidegate-burst=40".into()));
    assert_eq!(header("retry-after"), None, "41 never fit");

    // Hits of a whole bucket, twice at once: the second finds it empty, and is told when to come again.
    let whole = ask(&client, &agent, 40, 40, &["destination_cluster=stock"]);
    let denied = whole.iter().find(|answer| answer["overallCode"] == "OVER_LIMIT").unwrap();
    let headers = denied["responseHeadersToAdd"].as_array().unwrap();
    assert!(headers.iter().any(|header| header["key"] == "retry-after" && header["value"] == "1"), "{denied}");

    let total = |service: &str| agent.metric(&format!("edge_requests_total{{service=\"{service}\"}}"));
    assert_eq!((total("shop"), total("stock")), (Some(201.0), Some(40.0)));
    agent.stop();
}
