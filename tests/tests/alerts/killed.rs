//! `run alerts` killed with SIGKILL in the middle, twice: what it tells over its lives is, byte for byte, what an undisturbed one tells of
//! the same forecasts.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Cause, Forecast, ForecastState, Load, MeasuredAt, Quantiles};
use tidegate_tests::binary::Running;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::{Counter, Raw};
use tidegate_tests::groups::{Position, Progress};
use tidegate_tests::pipeline::{PATIENCE, Pipeline, encoded};
use tidegate_tests::process::{signal, wait_until};

const NODES: i64 = 40;
/// An hour of reports every 10 s, and a minute until now.
const ROUNDS: i64 = 360;
const INTERVAL_MS: i64 = 10_000;
/// Each node is hot for so many of so many rounds, one after the other: its alert fires and is resolved again and again.
const HOT: i64 = 45;
const CYCLE: i64 = 70;
/// A producer that holds few records keeps the stage slow enough to be caught in the middle.
const SLOW: &str = "[kafka]\n\"session.timeout.ms\" = 6000\n\"heartbeat.interval.ms\" = 300\n\"linger.ms\" = 100\n\
                    \"queue.buffering.max.messages\" = 10\n";

fn forecast(node: i64, round: i64, begin: i64) -> Forecast {
    let at = begin + round * INTERVAL_MS + node;
    let cpu = if (round + node * 13) % CYCLE < HOT { 0.95 } else { 0.4 };
    Forecast {
        node_id: format!("node-{node}"),
        pool: String::new(),
        timestamp: at,
        sequence: at,
        base_quota: 1000.0,
        quota_in_force: Some(1000.0),
        quota_sequence: Some(at - INTERVAL_MS),
        requests_total: None,
        requests_failed_total: None,
        current: Load { cpu, memory: 0.4 },
        measured_at: MeasuredAt { cpu: at, memory: at },
        peak_cpu: Quantiles { p50: 0.6, p90: 0.7 },
        peak_memory: Quantiles { p50: 0.4, p90: 0.5 },
        path_cpu: vec![0.6; 5],
        path_memory: vec![0.4; 5],
        state: ForecastState::Ready,
        model: "made up".into(),
        cause: Cause { topic: "load".into(), partition: 0, offset: round * NODES + node },
    }
}

/// The same records for every pipeline, Kafka timestamps included.
fn forecasts() -> Vec<Raw> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let begin = now / 60_000 * 60_000 - (ROUNDS + 6) * INTERVAL_MS;
    let raw = |round, node| {
        let forecast = forecast(node, round, begin);
        let raw = encoded(Topic::Forecasts, &forecast.node_id, &forecast);
        Raw { timestamp: Some(forecast.timestamp + 500), ..raw }
    };
    (0..ROUNDS).flat_map(|round| (0..NODES).map(move |node| raw(round, node))).collect()
}

/// What was told of each alert, in order; what was told again by the next life stands once.
fn told(pipeline: &Pipeline) -> BTreeMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut told: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for record in pipeline.read(Topic::Alerts) {
        let of_alert = told.entry(record.key.unwrap()).or_default();
        let value = record.value.unwrap();
        if !of_alert.contains(&value) {
            of_alert.push(value);
        }
    }
    told
}

/// None while the broker does not tell.
fn positions(pipeline: &Pipeline) -> Vec<Position> {
    let progress = Progress::of(pipeline.bootstrap(), &pipeline.group("alerts"), &pipeline.topic(Topic::Forecasts));
    progress.unwrap().positions().unwrap_or_default()
}

fn wait_until_done(pipeline: &Pipeline, running: &Running) {
    let is_done = || {
        let positions = positions(pipeline);
        !positions.is_empty() && positions.iter().all(|p| p.end == 0 || p.committed == Some(p.end))
    };
    wait_until(PATIENCE, is_done).unwrap_or_else(|e| panic!("{e}: {:?}\n{}", positions(pipeline), running.stderr()));
}

/// Kills the stage once it has told so many alerts, and proves that it was in the middle.
fn kill_at(pipeline: &Pipeline, wanted: u64, running: Running) {
    let counter = Counter::new(pipeline.bootstrap(), &pipeline.topic(Topic::Alerts)).unwrap();
    let is_so_far = || counter.count().unwrap() >= wanted && positions(pipeline).iter().any(|p| p.committed > Some(0));
    wait_until(PATIENCE, is_so_far).unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
    signal(running.pid(), "KILL").unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code, None, "it ended by a signal");
    let positions = positions(pipeline);
    assert!(positions.iter().any(|p| p.committed.unwrap_or(0) < p.end), "nothing was left to do: {positions:?}");
}

fn a_killed_stage_tells_what_an_undisturbed_one_tells(broker: &TestBroker) {
    let forecasts = forecasts();
    let [calm, killed] = ["alerts-calm", "alerts-killed"].map(|name| Pipeline::new(broker, name));
    for pipeline in [&calm, &killed] {
        pipeline.send(Topic::Forecasts, &forecasts);
    }
    let running = calm.start(&["run", "alerts"]);
    wait_until_done(&calm, &running);
    assert_eq!(running.terminate().unwrap().code, Some(0));
    let wanted = told(&calm);
    let records: usize = wanted.values().map(Vec::len).sum();
    assert!(
        wanted.len() >= NODES as usize && records > 4 * NODES as usize,
        "{} alerts, {records} records",
        wanted.len()
    );

    let folder = tempfile::tempdir().unwrap();
    let slow = folder.path().join("slow.toml");
    std::fs::write(&slow, SLOW).unwrap();
    let run = ["run", "alerts", "--max-batch", "50", "--config", slow.to_str().unwrap()];
    for part in [1, 2] {
        kill_at(&killed, part * records as u64 / 5, killed.start(&run));
    }
    let running = killed.start(&run);
    wait_until_done(&killed, &running);
    assert_eq!(running.terminate().unwrap().code, Some(0));
    assert!(told(&killed) == wanted, "other bytes were told");
}

tidegate_tests::on_both_brokers!(a_killed_stage_tells_what_an_undisturbed_one_tells);
