//! A stock Python consumer: Confluent's client, its AvroDeserializer and its registry client, and nothing of tidegate's.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Forecast, LoadReport, QuotaCommand};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::ports::free_port;
use tidegate_tests::{binary, parts, places, process, python};

use crate::fixture::{PATIENCE, Pipeline, encoded, names, record, records, reports};

/// Serves the catalogue's schemas while `then` runs.
fn with_registry(then: impl FnOnce(&str)) {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let mut registry = binary::spawn(&["schemas", "serve", "--listen", &address]);
    registry.wait_for(&address, PATIENCE).unwrap();
    then(&format!("http://{address}"));
    assert_eq!(registry.terminate().unwrap().code, Some(0));
}

fn check(python: &Path, pipeline: &Pipeline, registry: &str) -> Output {
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/consumer/check.py"));
    command.args(["--brokers", pipeline.bootstrap(), "--prefix", pipeline.prefix(), "--registry", registry]);
    command.arg("--check-formula").stdin(Stdio::null()).output().unwrap()
}

fn consumer() -> Option<std::path::PathBuf> {
    python::with(&places::repository().join("tests/consumer/requirements.txt"))
}

/// Feeds the load topic, runs both stages, and lets the consumer judge.
fn judged(name: &str, feed: impl FnOnce(&Pipeline)) {
    let Some(broker) = TestBroker::kafka() else { return };
    let Some(python) = consumer() else { return };
    let pipeline = Pipeline::new(&broker, name);
    feed(&pipeline);
    let held = pipeline.read(Topic::Load).len();
    let running = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.wait_for(Topic::Quotas, held, &running);
    assert_eq!(running.terminate().unwrap().code, Some(0));
    with_registry(|registry| {
        let output = check(&python, &pipeline, registry);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let summary: serde_json::Value = serde_json::from_str(said.trim().lines().last().unwrap()).unwrap();
        assert_eq!(summary["load"], held);
        assert_eq!(summary["quotas"], held);
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3 * held);
    });
}

#[test]
fn a_simulated_fleet_is_answered_by_the_formula() {
    judged("python-simulate", |pipeline| {
        let flags = ["--nodes", "20", "--seed", "7", "--for", "20m", "--speed", "max"];
        let _simulated = pipeline.run(&[&["simulate"], &flags[..]].concat()).expect_success();
    });
}

#[test]
fn recorded_load_is_answered_by_the_formula() {
    let Some(file) = parts::recorded("loads/exathlon_10s.csv.gz") else { return };
    judged("python-replay", |pipeline| {
        let _replayed = pipeline.run(&["replay", file.to_str().unwrap(), "--speed", "max"]).expect_success();
    });
}

/// The judge itself: it must find what is wrong, or the tests above say nothing.
#[test]
fn the_check_notices_a_missing_and_a_wrong_answer() {
    let Some(broker) = TestBroker::kafka() else { return };
    let Some(python) = consumer() else { return };
    let pipeline = Pipeline::new(&broker, "python-judge");
    let all = reports(3, 3);
    answer(&pipeline, &all[..8]);
    pipeline.send_load(&[record(&all[8])]);
    with_registry(|registry| {
        let found = |words: [&str; 2]| {
            let output = check(&python, &pipeline, registry);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        };
        found(["node-2", "has no quota command"]);
        answer_wrongly(&pipeline, all[8].sequence);
        found(["node-2", "by the formula"]);
    });
}

/// Runs both stages over these reports.
fn answer(pipeline: &Pipeline, load: &[LoadReport]) {
    pipeline.send_load(&records(load));
    let running = pipeline.start(&["run", "forecast", "quota"]);
    pipeline.wait_for(Topic::Quotas, load.len(), &running);
    assert_eq!(running.terminate().unwrap().code, Some(0));
}

/// Answers a report of node-2 as its last one was answered, with 50 units too many.
fn answer_wrongly(pipeline: &Pipeline, sequence: i64) {
    let forecasts: Vec<Forecast> = pipeline.decoded(Topic::Forecasts);
    let mut forecast = forecasts.into_iter().rfind(|f| f.node_id == "node-2").unwrap();
    let commands: Vec<QuotaCommand> = pipeline.decoded(Topic::Quotas);
    let mut command = commands.into_iter().rfind(|c| c.node_id == "node-2").unwrap();
    (forecast.sequence, command.sequence) = (sequence, sequence);
    command.quota += 50.0;
    command.scale_factor = command.quota / command.base_quota;
    pipeline.send(Topic::Forecasts, &[encoded(Topic::Forecasts, "node-2", &forecast)]);
    pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, "node-2", &command)]);
}

/// The script of the README, as it stands there: under the default prefix.
#[test]
fn the_short_script_prints_every_command() {
    let Some(broker) = TestBroker::kafka() else { return };
    let Some(python) = consumer() else { return };
    let pipeline = Pipeline::new(&broker, "tidegate");
    let all = reports(3, 4);
    answer(&pipeline, &all);
    with_registry(|registry| {
        let script = places::repository().join("tests/consumer/quotas.py");
        let mut reader = Command::new("timeout")
            .arg("60")
            .arg(&python)
            .arg(script)
            .args([pipeline.bootstrap(), registry])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(reader.stdout.take().unwrap()).lines().take(all.len());
        let mut printed: Vec<(String, i64)> = lines
            .map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap())
            .map(|command| (command["node_id"].as_str().unwrap().into(), command["sequence"].as_i64().unwrap()))
            .collect();
        printed.sort();
        process::signal(reader.id(), "TERM").unwrap();
        reader.wait().unwrap();
        assert_eq!(printed, names(&all));
    });
}
