//! What can happen between an edge and its gateways, and to the edge: no acknowledged report is lost, no quota of the centre's
//! is left before its lease is over, and each edge is back by itself.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tidegate_schemas::Topic;
use tidegate_tests::binary;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::certificates::{Authority, Validity};
use tidegate_tests::faults::clock::Clock;
use tidegate_tests::faults::delivery::{SmallDisk, fill};
use tidegate_tests::faults::proxy::Proxy;
use tidegate_tests::parts::{self, Part};
use tidegate_tests::process::{signal, wait_until};

use crate::agents::{Agent, Gateway, send, send_leased, sequences};
use crate::fixture::{PATIENCE, Pipeline};

const OPENED: &str = "the way to the centre: closed -> open";
const CLOSED: &str = "the way to the centre: half-open -> closed";

/// A pipeline with a gateway, and a proxy before it.
struct Place {
    pipeline: Pipeline,
    gateway: Gateway,
    proxy: Proxy,
    _broker: TestBroker,
}

impl Place {
    fn new(name: &str) -> Self {
        let broker = TestBroker::embedded();
        let pipeline = Pipeline::new(&broker, name);
        let gateway = Gateway::start(&pipeline, "127.0.0.1:0");
        let proxy = Proxy::before(gateway.port()).unwrap();
        Self { pipeline, gateway, proxy, _broker: broker }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy.port())
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_gateway_that_vanished_without_a_word_is_noticed_and_the_other_one_taken() {
    let place = Place::new("half-open");
    let other = Gateway::start(&place.pipeline, "127.0.0.1:0");
    let mut agent = Agent::with(&format!("{},{}", place.url(), other.url()), folder(), &[]);
    send(&place.pipeline, 1100.0);
    agent.wait_for_quota(1100.0);
    place.proxy.freeze();
    agent.wait_for(&format!("connected to {}", other.url()));
    assert!(place.proxy.vanished() > 0, "something was on its way");
    send(&place.pipeline, 1200.0);
    agent.wait_for_quota(1200.0);
    agent.wait_for_reports(&place.pipeline);
    assert!(!agent.running.stderr().contains(OPENED), "one failure opens nothing:\n{}", agent.running.stderr());
}

#[test]
fn a_gateway_that_accepts_and_never_answers_is_left_for_the_other_one() {
    let place = Place::new("silent");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut taken = Vec::new();
        for stream in silent.incoming().flatten() {
            let mut reader = stream.try_clone().unwrap();
            std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
            taken.push(stream);
        }
    });
    let mut agent = Agent::with(&format!("http://{address},{}", place.url()), folder(), &[]);
    agent.wait_for(&format!("http://{address}: no answer within 5 s"));
    agent.wait_for(&format!("connected to {}", place.url()));
    send(&place.pipeline, 1100.0);
    agent.wait_for_quota(1100.0);
    agent.wait_for_reports(&place.pipeline);
}

#[test]
fn a_slow_link_is_no_failure() {
    let place = Place::new("slow");
    place.proxy.slow(Duration::from_millis(100));
    let agent = Agent::with(&place.url(), folder(), &[]);
    send(&place.pipeline, 1100.0);
    agent.wait_for_quota(1100.0);
    wait_until(PATIENCE, || sequences(&place.pipeline).len() >= 5).unwrap();
    agent.wait_for_reports(&place.pipeline);
    assert!(place.proxy.delayed() > 10);
    let said = agent.running.stderr();
    assert!(!said.contains("the way to the centre") && said.matches("connected to").count() == 1, "{said}");
}

#[test]
fn a_link_cut_for_longer_than_the_lease_leaves_the_local_policy_and_is_back_by_itself() {
    const LEASE_MS: i64 = 4_000;
    let place = Place::new("cut");
    let folder = folder();
    let changes = folder.path().join("changes");
    let on_change = format!("echo $TIDEGATE_SOURCE $TIDEGATE_QUOTA >> {}", changes.display());
    let mut agent = Agent::with(&place.url(), folder, &["--local-policy", "hold", "--on-change", &on_change]);
    agent.wait_for("connected to");
    send_leased(&place.pipeline, 1250.0, LEASE_MS);
    agent.wait_for_quota(1250.0);
    assert_eq!(place.proxy.cut(), 1);
    agent.wait_for(OPENED);
    agent.wait_for_source("hold", 1250.0);
    agent.wait_for("the way to the centre: half-open -> open");
    // A command that is made meanwhile is the first to be heard of.
    send_leased(&place.pipeline, 900.0, 600_000);
    place.proxy.mend();
    agent.wait_for(CLOSED);
    agent.wait_for_quota(900.0);
    agent.wait_for_reports(&place.pipeline);
    let wanted = ["base 1000", "centre 1250", "hold 1250", "centre 900"];
    let seen = || std::fs::read_to_string(&changes).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>();
    wait_until(PATIENCE, || seen() == wanted).unwrap_or_else(|e| panic!("{e}: {:?}", seen()));
    as_specified(&agent.running.stderr());
}

/// Of the breaker's transitions in a log, each follows from the one before.
fn as_specified(log: &str) {
    let said = log.lines().filter_map(|line| line.split_once("the way to the centre: "));
    let mut state = "closed";
    for (_, transition) in said {
        let (from, to) = transition.trim().split_once(" -> ").unwrap();
        assert_eq!(from, state, "{log}");
        assert!(
            matches!((from, to), ("closed" | "half-open", "open") | ("open", "half-open") | ("half-open", "closed")),
            "{log}"
        );
        state = to;
    }
    assert_eq!(state, "closed", "{log}");
}

#[test]
fn an_expired_certificate_keeps_the_edge_away_until_it_is_renewed() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "expired");
    let (authority, files) = (Authority::new().unwrap(), folder());
    let path = |name: &str| files.path().join(name).display().to_string();
    let install = |validity| {
        let (certificate, key) = authority.issue("127.0.0.1", validity).unwrap();
        std::fs::write(path("gate.pem"), certificate).unwrap();
        std::fs::write(path("gate.key"), key).unwrap();
    };
    std::fs::write(path("ca.pem"), authority.pem()).unwrap();
    std::fs::write(path("token"), "secret").unwrap();
    // SHA-256 of the word above.
    std::fs::write(path("tokens"), "edge-1 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n")
        .unwrap();
    install(Validity::Expired);
    let (cert, key, tokens) = (path("gate.pem"), path("gate.key"), path("tokens"));
    let flags = ["--tls-cert", &cert, "--tls-key", &key, "--tokens", &tokens];
    let gateway = Gateway::with(&pipeline, "127.0.0.1:0", &flags);
    let (ca, token) = (path("ca.pem"), path("token"));
    let url = format!("https://{}", gateway.address);
    let mut agent = Agent::with(&url, folder(), &["--ca", &ca, "--token-file", &token]);
    agent.wait_for(OPENED);
    let said = agent.running.stderr();
    assert!(said.to_lowercase().contains("expired"), "it says why:\n{said}");
    assert!(!said.contains("secret"));
    assert!(sequences(&pipeline).is_empty());

    install(Validity::Good);
    agent.wait_for(CLOSED);
    send(&pipeline, 1100.0);
    agent.wait_for_quota(1100.0);
    agent.wait_for_reports(&pipeline);
}

#[test]
fn a_clock_that_is_minutes_ahead_costs_its_reports_and_not_the_quota() {
    let place = Place::new("edge-clock");
    let folder = folder();
    let clock = match Clock::new(folder.path()) {
        Ok(clock) => clock,
        Err(e) => return parts::missing(Part::Debian, &format!("{e:#}")),
    };
    let mut command = Command::new(binary::path());
    clock.lend(&mut command);
    let mut agent = Agent::by(command, &place.url(), folder, &[]);
    send_leased(&place.pipeline, 1100.0, 60_000);
    agent.wait_for_quota(1100.0);
    clock.move_by(300).unwrap();
    agent.wait_for("records were set aside at the centre");
    // What was set aside is kept with its bytes and goes back to where it would have gone; the lease goes by another clock.
    let letters = place.pipeline.read(Topic::DeadLetters).len();
    assert!(letters > 0);
    let replay = ["dead-letters", "replay", "--match", "class=clock-ahead", "--json"];
    let replayed = place.pipeline.run(&replay).expect_success().stdout;
    let back = || place.pipeline.read(Topic::Load).iter().filter(|raw| raw.header("replayed.from").is_some()).count();
    assert!(back() >= letters, "{replayed}");
    agent.wait_for_quota(1100.0);
    send(&place.pipeline, 1200.0);
    agent.wait_for_quota(1200.0);

    clock.move_by(0).unwrap();
    let before = sequences(&place.pipeline).len();
    let again = || sequences(&place.pipeline).len() > before + 1;
    wait_until(PATIENCE, again).unwrap_or_else(|e| panic!("{e}\n{}", agent.running.stderr()));
    assert!(!agent.running.stderr().contains(OPENED), "{}", agent.running.stderr());
}

#[test]
fn a_full_disk_leaves_reports_in_memory_and_none_is_lost() {
    let place = Place::new("full-disk");
    let disk = folder();
    let Some(small) = SmallDisk::probe(disk.path()) else {
        return parts::skip("a small disk: no process may have a mount of its own here");
    };
    let mut command = small.command(disk.path());
    command.arg(binary::path());
    let spool = disk.path().join("spool").display().to_string();
    let mut agent = Agent::by(command, &place.url(), folder(), &["--spool", &spool]);
    wait_until(PATIENCE, || sequences(&place.pipeline).len() >= 2).unwrap();
    let ballast = fill(agent.running.pid(), disk.path()).unwrap();
    place.proxy.cut();
    agent.wait_for(OPENED);
    agent.wait_for("reports are kept in memory meanwhile");
    let waiting = |agent: &Agent| agent.metric("tidegate_edge_link_waiting_reports");
    wait_until(PATIENCE, || waiting(&agent) >= 3).unwrap();
    remove(&ballast);
    place.proxy.mend();
    agent.wait_for(CLOSED);
    agent.wait_for_reports(&place.pipeline);
    assert_eq!(agent.metric("tidegate_edge_link_reports_total{result=\"dropped\"}"), 0);
    assert_eq!(agent.running.terminate().unwrap().code, Some(0));
    drop(place.gateway);
}

#[test]
fn spans_wait_on_the_disk_over_a_kill() {
    let place = Place::new("spooled-spans");
    let folder = folder();
    let spool = folder.path().join("spool").display().to_string();
    let flags = ["--spool", &spool, "--otlp-listen", "127.0.0.1:0"];
    let mut agent = Agent::with(&place.url(), folder, &flags);
    agent.wait_for("/v1/traces");
    agent.wait_for("connected to");
    place.proxy.cut();
    agent.wait_for(OPENED);
    for trace in 1..=3 {
        post_span(&agent, &format!("{trace:032x}"));
    }
    wait_until(PATIENCE, || agent.metric("tidegate_edge_spool_spans") == 3).unwrap();
    signal(agent.running.pid(), "KILL").unwrap();
    agent.running.wait(PATIENCE).unwrap();

    let mut agent = Agent::with(&place.url(), agent.folder, &flags);
    assert_eq!(agent.metric("tidegate_edge_spool_spans"), 3);
    place.proxy.mend();
    agent.wait_for("connected to");
    wait_until(PATIENCE, || place.pipeline.read(Topic::Spans).len() == 3).unwrap();
    wait_until(PATIENCE, || agent.metric("tidegate_edge_spool_spans") == 0).unwrap();
    agent.wait_for_reports(&place.pipeline);
    let keys: Vec<_> = place.pipeline.read(Topic::Spans).into_iter().filter_map(|raw| raw.key).collect();
    assert!((1..=3).all(|trace| keys.contains(&format!("{trace:032x}").into_bytes())));
}

fn post_span(agent: &Agent, trace: &str) {
    let said = agent.running.stderr();
    let at = said.split_whitespace().find(|word| word.ends_with("/v1/traces")).unwrap().to_owned();
    let span = serde_json::json!({"traceId": trace, "spanId": "eee19b7ec3c1b174", "name": "x"});
    let body = serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    assert_eq!(ureq::post(&at).send_json(body).unwrap().status(), 200);
}

fn remove(path: &Path) {
    std::fs::remove_file(path).unwrap();
}
