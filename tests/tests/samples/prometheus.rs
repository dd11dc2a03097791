//! A real Prometheus before the built gateway.
//!
//! ```text
//! node_exporter <─ scrape ─ Prometheus ─ remote-write ─> gateway ─> load ─> run ─> quotas
//!       └────── asked every second by the test ─────────────────── compared
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidegate_schemas::Topic;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_tests::binary::Running;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::process::{signal, wait_until};
use tidegate_tests::prometheus::{Served, third};
use tidegate_tests::{debian, places};

use crate::cpu::Reference;

const NODE: &str = "this-host";
/// The SHA-256 of `test`.
const TOKENS: &str = "prometheus-1 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";
const GRANTS: &str = "[[grant]]\nedge = \"prometheus-1\"\nnodes = [\"this-host\"]\n";

/// A gateway that awaits a token, and where it is.
fn gateway(pipeline: &Pipeline, folder: &Path, listen: &str, more: &[&str]) -> (Running, String) {
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let (tokens, grants) = (file("tokens", TOKENS), file("grants.toml", GRANTS));
    let arguments = ["gateway", "--listen", listen, "--tokens", &tokens, "--grants", &grants];
    let mut running = pipeline.start(&[&arguments[..], more].concat());
    running.wait_for("gateway at http://", PATIENCE).unwrap();
    let said = running.stderr();
    let (_, rest) = said.split_once("gateway at http://").unwrap();
    let address = rest.split_whitespace().next().unwrap().to_owned();
    (running, address)
}

/// The configuration of a Prometheus that scrapes this exporter and writes to this gateway.
fn config(exporter: &Served, gateway: &str, interval: &str, replica: &str, more: &str) -> String {
    format!(
        "global: {{scrape_interval: {interval}, external_labels: {{prometheus_replica: '{replica}'}}}}\n\
         remote_write:\n  - url: http://{gateway}/api/v1/write\n    authorization: {{credentials: test}}\n{more}\
         scrape_configs:\n  - job_name: node\n    static_configs:\n      - targets: ['{}']\n\
         \x20       labels: {{instance: '{NODE}:9100'}}\n",
        exporter.address()
    )
}

fn reports(pipeline: &Pipeline) -> Vec<LoadReport> {
    pipeline.decoded(Topic::Load)
}

fn wait_for_reports(pipeline: &Pipeline, wanted: usize, patience: Duration, about: impl Fn() -> String) {
    let there = wait_until(patience, || reports(pipeline).len() >= wanted);
    there.unwrap_or_else(|e| panic!("{} of {wanted} reports: {e}\n{}", reports(pipeline).len(), about()));
}

/// This host's CPU over a minute as its reports have it, against what node_exporter says, in points.
fn the_host_is_a_node(pipeline: &Pipeline, prometheus: &Path, more: &str) {
    let Some(exporter) = Served::node_exporter().map(Arc::new) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (one, address) = gateway(pipeline, folder.path(), "127.0.0.1:0", &[]);
    let stages = pipeline.start(&["run", "forecast", "quota"]);
    let reference = Reference::start(Arc::clone(&exporter));
    let prometheus = Served::prometheus(prometheus, &config(&exporter, &address, "5s", "a", more));
    let about = || format!("{}\n{}", one.stderr(), prometheus.log());
    // A minute of reports, every 5 s, and the one before them.
    wait_for_reports(pipeline, 13, Duration::from_secs(150), about);
    let minute: Vec<_> = reports(pipeline).into_iter().take(13).collect();
    assert!(minute.iter().all(|r| r.node_id == NODE && r.pool == "node"), "{minute:?}");
    // The first ones know of one or two distances, and a scrape may be late.
    assert!(minute.iter().skip(3).all(|r| r.interval_ms == 5_000), "{minute:?}");
    assert!(minute.iter().all(|r| r.memory.is_some_and(|m| m > 0.0 && m < 1.0)), "{minute:?}");
    std::thread::sleep(Duration::from_secs(2));
    let seen = reference.share(minute[0].timestamp, minute[12].timestamp);
    // Each report stands for the time since the one before it.
    let part = |pair: &[LoadReport]| pair[1].cpu.unwrap() * (pair[1].timestamp - pair[0].timestamp) as f64;
    let told = minute.windows(2).map(part).sum::<f64>() / (minute[12].timestamp - minute[0].timestamp) as f64;
    assert!((seen - told).abs() < 0.04, "node_exporter saw {seen:.4}, the reports say {told:.4}");

    let commands = || pipeline.decoded::<QuotaCommand>(Topic::Quotas);
    wait_until(PATIENCE, || commands().iter().any(|c| c.node_id == NODE && c.quota > 0.0))
        .unwrap_or_else(|e| panic!("{e}\n{}", stages.stderr()));

    // Another gateway in the place of the first: Prometheus goes on, and no sequence comes twice.
    assert_eq!(one.terminate().unwrap().code, Some(0));
    let before = reports(pipeline).len();
    let (two, _) = gateway(pipeline, folder.path(), &address, &[]);
    wait_for_reports(pipeline, before + 3, Duration::from_secs(90), || {
        format!("{}\n{}", two.stderr(), prometheus.log())
    });
    let sequences: Vec<_> = reports(pipeline).iter().map(|report| report.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
    assert!(pipeline.read(Topic::DeadLetters).is_empty());
    for running in [two, stages] {
        assert_eq!(running.terminate().unwrap().code, Some(0));
    }
}

#[test]
fn this_host_is_a_node_by_a_real_prometheus() {
    let (Some(broker), Some(program)) = (TestBroker::kafka(), debian::prometheus()) else { return };
    the_host_is_a_node(&Pipeline::new(&broker, "remote-write"), &program, "");
}

/// Building Prometheus 3 takes minutes: `cargo test --release --workspace --test samples -- --ignored`.
#[test]
#[ignore = "it builds Prometheus 3 from its sources"]
fn this_host_is_a_node_by_prometheus_3_and_protocol_2() {
    let (Some(broker), Some(program)) = (TestBroker::kafka(), third()) else { return };
    let second = "    protobuf_message: io.prometheus.write.v2.Request\n";
    the_host_is_a_node(&Pipeline::new(&broker, "remote-write-2"), &program, second);
}

#[test]
fn two_replicas_of_a_prometheus_count_once_and_one_takes_over_from_the_other() {
    let (Some(program), Some(exporter)) = (debian::prometheus(), Served::node_exporter()) else { return };
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "replicas");
    let folder = tempfile::tempdir().unwrap();
    let preset = places::repository().join("samples/src/mapping/presets/node_exporter.toml");
    let mapping = folder.path().join("mapping.toml");
    std::fs::write(&mapping, format!("failover_s = 5\n{}", std::fs::read_to_string(preset).unwrap())).unwrap();
    let mapping = ["--mapping", mapping.to_str().unwrap()];
    let (gateway, address) = gateway(&pipeline, folder.path(), "127.0.0.1:0", &mapping);
    let start = |replica| Served::prometheus(&program, &config(&exporter, &address, "1s", replica, ""));
    let one = start("a");
    wait_for_reports(&pipeline, 3, PATIENCE, || format!("{}\n{}", gateway.stderr(), one.log()));
    let other = start("b");
    let before = reports(&pipeline).len();
    wait_for_reports(&pipeline, before + 15, PATIENCE, || gateway.stderr());
    let times: Vec<i64> = reports(&pipeline).iter().map(|report| report.timestamp).collect();
    // Those of two would be twice as many as there were seconds.
    let lasted = times[times.len() - 1] - times[0];
    assert!((times.len() as i64 - 3) * 1000 <= lasted, "{times:?}");
    signal(one.pid(), "KILL").unwrap();
    let before = reports(&pipeline).len();
    wait_for_reports(&pipeline, before + 8, PATIENCE, || format!("{}\n{}", gateway.stderr(), other.log()));
    let times: Vec<i64> = reports(&pipeline).iter().map(|report| report.timestamp).collect();
    assert!(times.windows(2).any(|pair| pair[1] - pair[0] >= 5_000), "the other waited: {times:?}");
    assert_eq!(gateway.terminate().unwrap().code, Some(0));
}
