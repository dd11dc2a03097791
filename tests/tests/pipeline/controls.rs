//! Operators' controls through the whole pipeline: override, freeze, recommend and clear, in force by event time, named in
//! each command that they touch, and kept over a restart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Control, LoadReport, QuotaCommand, QuotaMode};
use tidegate_tests::binary::{Finished, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;
use tidegate_tests::process::wait_until;

use crate::bad_settings::assert_refused;
use crate::fixture::{INTERVAL_MS, PATIENCE, Pipeline, encoded, on_both_brokers, quota_command, records, reports};

on_both_brokers!(
    override_freeze_recommend_and_clear_hold_by_event_time,
    a_file_of_controls_is_applied_once_and_a_plan_waits_for_its_time,
    an_edge_keeps_its_base_quota_under_a_recommendation
);

const NODES: usize = 3;
/// Rounds of reports at hand; a control is in force long before they are used up.
const ROUNDS: i64 = 300;

/// A running pipeline that is fed round by round.
struct Fed {
    pipeline: Pipeline,
    running: Running,
    rounds: std::vec::IntoIter<Vec<LoadReport>>,
    sent: usize,
}

impl Fed {
    fn new(broker: &TestBroker, name: &str) -> Self {
        let pipeline = Pipeline::new(broker, name);
        let running = pipeline.start(&["run", "forecast", "quota"]);
        let rounds: Vec<Vec<LoadReport>> = reports(NODES, ROUNDS).chunks(NODES).map(<[_]>::to_vec).collect();
        Self { pipeline, running, rounds: rounds.into_iter(), sent: 0 }
    }

    /// Sends the next round and gives its commands, in the order of the nodes.
    fn round(&mut self, change: impl Fn(&mut LoadReport)) -> Vec<QuotaCommand> {
        let mut round = self.rounds.next().expect("a round is left");
        round.iter_mut().for_each(change);
        self.pipeline.send_load(&records(&round));
        self.sent += round.len();
        self.pipeline.wait_for(Topic::Quotas, self.sent, &self.running);
        let mut commands: Vec<QuotaCommand> = self.pipeline.decoded(Topic::Quotas);
        commands.retain(|c| c.timestamp == round[0].timestamp);
        commands.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        assert_eq!(commands.len(), NODES);
        commands
    }

    /// Sends all rounds before an event time at once.
    fn all_before(&mut self, end: i64) {
        let rest: Vec<LoadReport> =
            self.rounds.by_ref().take_while(|round| round[0].timestamp < end).flatten().collect();
        self.pipeline.send_load(&records(&rest));
        self.sent += rest.len();
        self.pipeline.wait_for(Topic::Quotas, self.sent, &self.running);
    }

    /// Sends rounds until one holds what is waited for: a control takes a moment to reach the stage.
    fn until(&mut self, what: &str, holds: impl Fn(&[QuotaCommand]) -> bool) -> Vec<QuotaCommand> {
        for _ in 0..60 {
            let commands = self.round(|_| ());
            if holds(&commands) {
                return commands;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{what} never came\n{}", self.running.stderr())
    }

    fn control(&self, arguments: &[&str]) -> Finished {
        self.pipeline.run(&[&["control"], arguments].concat()).expect_success()
    }

    fn restart(&mut self) {
        let next = self.pipeline.start(&["run", "forecast", "quota"]);
        let before = std::mem::replace(&mut self.running, next);
        assert_eq!(before.terminate().unwrap().code, Some(0));
    }
}

fn has(command: &QuotaCommand, rail: &str) -> bool {
    command.limits_hit.iter().any(|hit| hit == rail)
}

fn override_freeze_recommend_and_clear_hold_by_event_time(broker: &TestBroker) {
    let mut fed = Fed::new(broker, "controls");
    let plain = fed.round(|_| ());
    assert!(plain.iter().all(|c| c.limits_hit.is_empty() && c.mode == QuotaMode::Enforce), "{plain:?}");

    // A record that is no control holds nothing up.
    fed.pipeline.send(Topic::Controls, &[Raw::new("node-0", *b"not avro at all")]);
    fed.control(&["set", "node-0", "--override", "777", "--by", "alice", "--why", "maintenance"]);
    let under = fed.until("the override", |commands| has(&commands[0], "override"));
    assert!((under[0].quota - 777.0).abs() < 1e-9, "{:?}", under[0]);
    assert!(under[0].reason.contains("alice") && under[0].reason.contains("maintenance"), "{}", under[0].reason);
    assert_eq!((under[1].quota, under[2].quota), (plain[1].quota, plain[2].quota), "the others are as before");

    // Nodes 0 and 2 are in pool-0, node 1 in pool-1.
    fed.control(&["set", "pool:pool-1", "--freeze", "--by", "bob", "--why", "release"]);
    let frozen = fed.until("the freeze", |commands| has(&commands[1], "freeze"));
    let hot = |report: &mut LoadReport| report.cpu = Some(0.99);
    let still = fed.round(hot);
    assert_eq!(still[1].quota, frozen[1].quota, "{}", still[1].reason);
    assert!(still[1].reason.contains("bob") && !has(&still[2], "freeze"), "{still:?}");

    fed.control(&["set", "node-2", "--mode", "recommend", "--by", "bob", "--why", "look on"]);
    let advised = fed.until("the recommendation", |commands| commands[2].mode == QuotaMode::Recommend);
    assert_eq!((advised[0].mode, advised[1].mode), (QuotaMode::Enforce, QuotaMode::Enforce));

    // A new process knows all of it before its first decision.
    fed.restart();
    let after = fed.round(hot);
    assert!(
        has(&after[0], "override") && has(&after[1], "freeze") && after[2].mode == QuotaMode::Recommend,
        "{after:?}"
    );

    let cleared = fed.control(&["clear", "node-0", "--by", "alice", "--why", "done"]);
    assert!(cleared.stdout.contains("node-0  cleared") && cleared.stdout.contains("instead of"), "{}", cleared.stdout);
    let free = fed.until("the end of the override", |commands| !has(&commands[0], "override"));
    assert!(!free[0].reason.contains("alice"), "{}", free[0].reason);
    assert!(has(&free[1], "freeze"), "the other controls hold on");

    by_event_time(&fed.pipeline);
    assert_eq!(fed.running.terminate().unwrap().code, Some(0));
}

/// No command of an event time before its control's beginning is touched.
fn by_event_time(pipeline: &Pipeline) {
    let begin = |target: &str| {
        let controls = pipeline.read(Topic::Controls);
        let mut decoder = tidegate_schemas::Decoder::new(std::sync::Arc::new(tidegate_schemas::CatalogueIds));
        let mut controls = controls.iter().filter_map(|r| decoder.decode::<Control>(r.value.as_deref()?).ok());
        controls.find(|c| c.target == target).unwrap().timestamp
    };
    let first = |touched: &dyn Fn(&QuotaCommand) -> bool| {
        let commands: Vec<QuotaCommand> = pipeline.decoded(Topic::Quotas);
        commands.iter().filter(|c| touched(c)).map(|c| c.timestamp).min().unwrap()
    };
    assert!(first(&|c| has(c, "override")) >= begin("node-0"));
    assert!(first(&|c| has(c, "freeze")) >= begin("pool:pool-1"));
    assert!(first(&|c| c.mode == QuotaMode::Recommend) >= begin("node-2"));
}

fn a_file_of_controls_is_applied_once_and_a_plan_waits_for_its_time(broker: &TestBroker) {
    let mut fed = Fed::new(broker, "controls-file");
    let now = fed.round(|_| ())[0].timestamp;
    // Far enough ahead that the file is read by then, near enough that the rounds reach it.
    let (from, until) = (now + 100 * INTERVAL_MS, now + 105 * INTERVAL_MS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("controls.toml");
    let text = format!(
        "by = \"alice\"\nwhy = \"plan\"\n[[control]]\ntarget = \"node-1\"\noverride = 600\nfrom = {from}\nuntil = {until}\n"
    );
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    fed.control(&["set", "node-0", "--max", "100", "--by", "bob", "--why", "his own"]);
    let said = |finished: Finished| finished.stdout.lines().last().unwrap().to_owned();
    let nothing = said(fed.control(&["diff", path]));
    assert_eq!(nothing, "nothing was changed; it would be: 1 added, 0 changed, 0 cleared, 0 unchanged");
    assert_eq!(said(fed.control(&["apply", path])), "applied: 1 added, 0 changed, 0 cleared, 0 unchanged");
    assert_eq!(said(fed.control(&["apply", path])), "applied: 0 added, 0 changed, 0 cleared, 1 unchanged");
    assert_eq!(fed.pipeline.read(Topic::Controls).len(), 2);
    let listed = fed.control(&["list"]).stdout;
    assert!(listed.contains("in force  node-0  max 100") && listed.contains("planned   node-1"), "{listed}");

    // The stage knows what stands before the plan, and soon the plan; then the log alone decides, whatever the batches.
    fed.until("the bound", |commands| has(&commands[0], "max"));
    (0..3).for_each(|_| drop(fed.round(|_| ())));
    fed.all_before(until + 5 * INTERVAL_MS);
    let commands: Vec<QuotaCommand> = fed.pipeline.decoded(Topic::Quotas);
    for c in commands.iter().filter(|c| c.node_id == "node-1") {
        assert_eq!(has(c, "override"), (from..until).contains(&c.timestamp), "at {} of {from}: {c:?}", c.timestamp);
    }
    assert_eq!(said(fed.control(&["apply", path, "--prune"])), "applied: 0 added, 0 changed, 1 cleared, 1 unchanged");
    assert_eq!(fed.running.terminate().unwrap().code, Some(0));
}

fn an_edge_keeps_its_base_quota_under_a_recommendation(broker: &TestBroker) {
    let pipeline = Pipeline::new(broker, "recommend");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quota.json");
    let delivered = folder.path().join("delivered");
    let edge = ["edge", "--node-id", "edge-1", "--base-quota", "1000", "--quota-file", file.to_str().unwrap()];
    let edge = pipeline.start(&edge);
    let deliver = pipeline.start(&["run", "deliver", "--folder", delivered.to_str().unwrap()]);
    let begin = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let command = |sequence: i64, mode: QuotaMode| QuotaCommand {
        mode,
        valid_until: begin + 300_000,
        ..quota_command("edge-1", begin + sequence, 1250.0)
    };
    let quota_file = || -> Option<serde_json::Value> { serde_json::from_slice(&std::fs::read(&file).ok()?).ok() };
    let wait_for = |enforced: bool| {
        let there = || quota_file().is_some_and(|content| content["enforced"] == enforced);
        wait_until(PATIENCE, there).unwrap_or_else(|e| panic!("{e}: {:?}\n{}", quota_file(), edge.stderr()));
        quota_file().unwrap()
    };
    for sequence in [1, 2] {
        let advice = command(sequence, QuotaMode::Recommend);
        pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, "edge-1", &advice)]);
    }
    let advised = wait_for(false);
    assert_eq!((&advised["quota"], &advised["recommended_quota"]), (&1000.0.into(), &1250.0.into()));
    let passed_on =
        || std::fs::read(delivered.join("edge-1.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    wait_until(PATIENCE, || passed_on().is_some()).unwrap_or_else(|e| panic!("{e}\n{}", deliver.stderr()));
    let passed_on: QuotaCommand = passed_on().unwrap();
    assert_eq!((passed_on.mode, passed_on.quota), (QuotaMode::Recommend, 1250.0), "deliver passes it on as it is");

    let order = command(3, QuotaMode::Enforce);
    pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, "edge-1", &order)]);
    let obeyed = wait_for(true);
    assert_eq!((&obeyed["quota"], &obeyed["recommended_quota"]), (&1250.0.into(), &serde_json::Value::Null));
    let ended = edge.terminate().unwrap();
    assert_eq!(ended.code, Some(0));
    let said = ended.stderr.matches("recommendations from now on").count();
    assert_eq!(said, 1, "said once:\n{}", ended.stderr);
    assert_eq!(deliver.terminate().unwrap().code, Some(0));
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "bad-controls");
    let said = ["--by", "a", "--why", "b"];
    for (arguments, word) in [
        (&["node-1", "--override", "-5"][..], "override is -5"),
        (&["node-1", "--override", "NaN"], "override is NaN"),
        (&["node-1", "--max", "inf"], "max is inf"),
        (&["node-1", "--min", "3", "--max", "2"], "min must not be above max"),
        (&["node-1", "--policy", "best"], "threshold"),
        (&["node-1", "--freeze", "--from", "2000", "--until", "1000"], "not after its beginning"),
        (&["node-1", "--freeze", "--until", "0s"], "longer"),
        (&["node-1"], "nothing is asked for"),
        (&["pool:", "--freeze"], "pool:NAME"),
    ] {
        assert_refused(&pipeline.arguments(&[&["control", "set"], arguments, &said].concat()), 64, word);
    }
    let unsaid = ["control", "set", "node-1", "--freeze", "--by", " ", "--why", "b"];
    assert_refused(&pipeline.arguments(&unsaid), 64, "by is empty");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("controls.toml");
    let path = path.to_str().unwrap();
    assert_refused(&pipeline.arguments(&["control", "apply", path]), 66, path);
    std::fs::write(path, "[[control]]\ntarget = 'a'\noverride = -1\nby = 'a'\nwhy = 'b'\n").unwrap();
    assert_refused(&pipeline.arguments(&["control", "apply", path]), 65, "line 1: a: override is -1");
    assert_eq!(pipeline.read(Topic::Controls), []);

    // A node that nobody knows is no mistake of the command: it is warned of.
    let stranger = ["control", "set", "node-9", "--freeze", "--from", "2026-01-05T00:00:00Z"];
    let stranger = pipeline.run(&[&stranger, &said[..]].concat()).expect_success();
    assert!(stranger.stderr.contains("no quota command of the node \"node-9\""), "{}", stranger.stderr);
    assert_eq!(pipeline.read(Topic::Controls).len(), 1);
}

#[test]
fn a_control_without_a_beginning_waits_for_the_fleets_first_command() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "first-control");
    let set = ["control", "set", "node-1", "--freeze", "--by", "a", "--why", "b"];
    // Nobody comes: refused, and nothing is said that could never begin.
    assert_refused(&pipeline.arguments(&set), 69, "no event time at which the control could begin");
    assert_eq!(pipeline.read(Topic::Controls), []);

    // Ready before the wait of 30 s begins: a lone report is answered as soon as it is there.
    let running = pipeline.start(&["run", "forecast", "quota"]);
    wait_until(PATIENCE, || running.stderr().matches("partition taken").count() >= 2).unwrap();
    let mut waiting = pipeline.start(&set);
    waiting.wait_for("waiting up to 30 s", PATIENCE).unwrap();
    let first = reports(NODES, 1);
    pipeline.send_load(&records(&first));
    pipeline.wait_for(Topic::Quotas, NODES, &running);
    assert_eq!(waiting.wait(PATIENCE).unwrap().code, Some(0));
    let said: Vec<Control> = pipeline.decoded(Topic::Controls);
    assert_eq!(said[0].timestamp, first[0].timestamp + 1, "by the fleet's event time");
    assert_eq!(running.terminate().unwrap().code, Some(0));
}
