//! A data plane built on go-control-plane's stubs before the built gateway: its usage is load, its quota comes back.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_tests::binary::{self, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline, encoded, quota_command};
use tidegate_tests::process::wait_until;
use tidegate_tests::{go, places};

const MAPPING: &str = "[[bucket]]\ndomain = \"shop\"\nid = \"{domain}/{name}\"\npool = \"web\"\nbase_quota = 200.0\n\
                       [[bucket]]\nid = \"{name}\"\nbase_quota = 10.0\nstrategy = \"token_bucket\"\n";

fn start(client: &Path, address: &str, domain: &str, allowed: &str, denied: &str) -> Running {
    let mut command = Command::new(client);
    command.args([address, domain, "cart", allowed, denied, "120"]);
    binary::start(command).unwrap()
}

/// What it was told last.
fn last(plane: &Running) -> Value {
    plane.stdout().lines().filter_map(|line| serde_json::from_str(line).ok()).next_back().unwrap_or_default()
}

/// Requests in a unit of time, of the last assignment.
fn assigned(plane: &Running) -> (String, String) {
    let strategy = last(plane)["quotaAssignmentAction"]["rateLimitStrategy"]["requestsPerTimeUnit"].take();
    let text = |name: &str| strategy[name].as_str().unwrap_or_default().to_owned();
    (text("requestsPerTimeUnit"), text("timeUnit"))
}

fn wait_for_assignment(plane: &Running, requests: &str) {
    let there = wait_until(PATIENCE, || assigned(plane) == (requests.to_owned(), "SECOND".to_owned()));
    there.unwrap_or_else(|e| panic!("{requests}: {e}\n{}\n{}", plane.stdout(), plane.stderr()));
}

fn send(pipeline: &Pipeline, node: &str, sequence: i64, quota: f64) {
    let command: QuotaCommand = quota_command(node, sequence, quota);
    pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, node, &command)]);
}

#[test]
fn usage_of_envoys_buckets_is_load_and_their_quotas_are_assigned() {
    let Some(client) = go::program(&places::repository().join("tests/rlqs_client")) else { return };
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "rlqs");
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("buckets.toml");
    std::fs::write(&mapping, MAPPING).unwrap();
    let mut gateway = pipeline.start(&["gateway", "--listen", "127.0.0.1:0", "--mapping", mapping.to_str().unwrap()]);
    gateway.wait_for("gateway at http://", PATIENCE).unwrap();
    let said = gateway.stderr();
    let address = said.split_once("gateway at http://").unwrap().1.split_whitespace().next().unwrap().to_owned();

    // A new bucket has its base quota until it has a command.
    let one = start(&client, &address, "shop", "90", "20");
    wait_for_assignment(&one, "200");
    assert_eq!(last(&one)["bucketId"]["bucket"]["name"], "cart");
    assert_eq!(last(&one)["quotaAssignmentAction"]["assignmentTimeToLive"], "300s");
    // 110 requests in half a second, and those that were denied are part of the demand.
    pipeline.wait_for(Topic::Load, 3, &gateway);
    let load = pipeline.decoded::<LoadReport>(Topic::Load);
    let is_right =
        |r: &LoadReport| r.node_id == "shop/cart" && r.pool == "web" && r.cpu == Some(1.1) && r.base_quota == 200.0;
    assert!(load.iter().all(is_right), "{load:?}");
    assert_eq!((load[1].requests_total, load[1].requests_failed_total), (Some(220), Some(40)));

    send(&pipeline, "shop/cart", now_ms(), 264.0);
    wait_for_assignment(&one, "264");
    // A second data plane of the same bucket: both demands are the load, each has a half of the next quota.
    let two = start(&client, &address, "shop", "50", "0");
    let both = || pipeline.decoded::<LoadReport>(Topic::Load).iter().any(|r| r.cpu == Some(1.6));
    wait_until(PATIENCE, both).unwrap_or_else(|e| panic!("{e}\n{}", gateway.stderr()));
    send(&pipeline, "shop/cart", now_ms(), 300.0);
    wait_for_assignment(&one, "150");
    wait_for_assignment(&two, "150");
    // An old command changes nothing; the newest one of its domain does.
    send(&pipeline, "shop/cart", 1, 999.0);
    send(&pipeline, "shop/cart", now_ms(), 320.0);
    wait_for_assignment(&two, "160");
    assert!(!two.stdout().contains("\"499\"") && !two.stdout().contains("\"500\""), "{}", two.stdout());

    // A stream that breaks takes its share of the demand along, and nothing that it had reported.
    let before = pipeline.decoded::<LoadReport>(Topic::Load).len();
    drop(one.terminate());
    let alone = || pipeline.decoded::<LoadReport>(Topic::Load).iter().skip(before).any(|r| r.cpu == Some(0.5));
    wait_until(PATIENCE, alone).unwrap_or_else(|e| panic!("{e}\n{}", gateway.stderr()));

    // Another domain, another rule: a token bucket.
    let other = start(&client, &address, "blog", "1", "0");
    let bucket = || last(&other)["quotaAssignmentAction"]["rateLimitStrategy"]["tokenBucket"].take();
    wait_until(PATIENCE, || bucket()["maxTokens"] == 10).unwrap_or_else(|e| panic!("{e}\n{}", other.stdout()));
    assert_eq!((bucket()["tokensPerFill"].clone(), bucket()["fillInterval"].clone()), (10.into(), "1s".into()));
    for plane in [two, other] {
        drop(plane.terminate());
    }
    assert_eq!(gateway.terminate().unwrap().code, Some(0));
    assert!(pipeline.read(Topic::DeadLetters).is_empty());
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}
