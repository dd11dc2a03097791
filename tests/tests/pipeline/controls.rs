//! Operators' controls through the whole pipeline: override, freeze, recommend and clear, in force by event time, named in
//! each command that they touch, and kept over a restart.

use std::time::Duration;

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Control, LoadReport, QuotaCommand};
use tidegate_tests::binary::{Finished, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;

use crate::bad_settings::assert_refused;
use crate::fixture::{INTERVAL_MS, Pipeline, on_both_brokers, records, reports};

on_both_brokers!(
    override_freeze_recommend_and_clear_hold_by_event_time,
    a_file_of_controls_is_applied_once_and_a_plan_waits_for_its_time
);

const NODES: usize = 3;
/// Rounds of reports at hand; a control is in force long before they are used up.
const ROUNDS: i64 = 300;

/// A running pipeline that is fed round by round.
struct Fed<'a> {
    pipeline: Pipeline<'a>,
    running: Running,
    rounds: std::vec::IntoIter<Vec<LoadReport>>,
    sent: usize,
}

impl<'a> Fed<'a> {
    fn new(broker: &'a TestBroker, name: &str) -> Self {
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

/// `ENFORCE` or `RECOMMEND`, as consumers read it.
fn mode(command: &QuotaCommand) -> String {
    serde_json::to_value(command).unwrap()["mode"].as_str().unwrap().to_owned()
}

fn override_freeze_recommend_and_clear_hold_by_event_time(broker: &TestBroker) {
    let mut fed = Fed::new(broker, "controls");
    let plain = fed.round(|_| ());
    assert!(plain.iter().all(|c| c.limits_hit.is_empty() && mode(c) == "ENFORCE"), "{plain:?}");

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
    let advised = fed.until("the recommendation", |commands| mode(&commands[2]) == "RECOMMEND");
    assert_eq!((mode(&advised[0]), mode(&advised[1])), ("ENFORCE".into(), "ENFORCE".into()));

    // A new process knows all of it before its first decision.
    fed.restart();
    let after = fed.round(hot);
    assert!(has(&after[0], "override") && has(&after[1], "freeze") && mode(&after[2]) == "RECOMMEND", "{after:?}");

    let cleared = fed.control(&["clear", "node-0", "--by", "alice", "--why", "done"]);
    assert!(cleared.stdout.contains("node-0  cleared") && cleared.stdout.contains("instead of"), "{}", cleared.stdout);
    let free = fed.until("the end of the override", |commands| !has(&commands[0], "override"));
    assert!(!free[0].reason.contains("alice"), "{}", free[0].reason);
    assert!(has(&free[1], "freeze"), "the other controls hold on");

    by_event_time(&fed.pipeline);
    assert_eq!(fed.running.terminate().unwrap().code, Some(0));
}

/// No command of an event time before its control's beginning is touched.
fn by_event_time(pipeline: &Pipeline<'_>) {
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
    assert!(first(&|c| mode(c) == "RECOMMEND") >= begin("node-2"));
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

    // The stage has read the plan once it knows what stands before it and a round has passed; then the log decides.
    fed.until("the bound", |commands| has(&commands[0], "max"));
    while fed.round(|_| ())[0].timestamp < until {}
    let commands: Vec<QuotaCommand> = fed.pipeline.decoded(Topic::Quotas);
    for c in commands.iter().filter(|c| c.node_id == "node-1") {
        assert_eq!(has(c, "override"), (from..until).contains(&c.timestamp), "at {} of {from}: {c:?}", c.timestamp);
    }
    assert_eq!(said(fed.control(&["apply", path, "--prune"])), "applied: 0 added, 0 changed, 1 cleared, 1 unchanged");
    assert_eq!(fed.running.terminate().unwrap().code, Some(0));
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
    let stranger = pipeline.run(&[&["control", "set", "node-9", "--freeze"], &said[..]].concat()).expect_success();
    assert!(stranger.stderr.contains("no quota command of the node \"node-9\""), "{}", stranger.stderr);
    assert_eq!(pipeline.read(Topic::Controls).len(), 1);
}
