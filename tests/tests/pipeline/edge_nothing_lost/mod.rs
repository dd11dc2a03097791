//! Nothing lost between edges and the topic, whatever happens to their gateway, judged from outside: by each agent's count of
//! the reports that it made, by the requests that the test itself asked for, and by a plain consumer of `load` and `quotas`.
//!
//! ```text
//! asking ─> three agents ─> proxy ─> gateway ─> load ─> forecast, quota ─> quotas ─> back to the agents
//!             └ reports made            ^ killed, or the link to it cut
//! ```

mod checks;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate_schemas::Topic;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_tests::binary::Running;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::faults::proxy::Proxy;
use tidegate_tests::process::wait_until;

use crate::agents::{Agent, Gateway, after};
use crate::fixture::{PATIENCE, Pipeline};
use checks::{obeyed, quotas_within_rails, without_repeats};

const NODES: [&str; 3] = ["edge-1", "edge-2", "edge-3"];
/// Requests/s.
const BASE: f64 = 40.0;
const RAILS: &str = "[quota]\nmin_scale = 0.5\nmax_scale = 1.3\nlargest_step_up = 0.1\nlargest_step_down = 0.1\n";
const MIN: f64 = 0.5;
const MAX: f64 = 1.3;
const STEP: f64 = 0.1;

/// What is done to the way, and for how long.
enum Harm {
    Cut(u64),
    Kill(u64),
}

#[test]
fn nothing_is_lost_when_the_gateway_is_killed() {
    nothing_is_lost("lossless", &[Harm::Kill(1)]);
}

/// Three minutes: `cargo test --release --workspace --test pipeline -- --ignored --nocapture nothing_is_lost`.
#[test]
#[ignore = "it cuts a link for two minutes of real time"]
fn nothing_is_lost_when_the_link_is_cut_for_two_minutes() {
    nothing_is_lost("lossless-long", &[Harm::Cut(10), Harm::Kill(10), Harm::Cut(120)]);
}

fn nothing_is_lost(name: &str, harms: &[Harm]) {
    let broker = TestBroker::embedded();
    let mut site = Site::new(&broker, name);
    let asked: Vec<AtomicU64> = NODES.iter().map(|_| AtomicU64::new(0)).collect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = Over(&is_over);
        for (agent, asked) in site.agents.iter().zip(&asked) {
            let url = after(&agent.running.stderr(), "requests are admitted at ");
            let is_over = &is_over;
            scope.spawn(move || ask(&url, asked, is_over));
        }
        for agent in &site.agents {
            wait_until(PATIENCE, || agent.metric("tidegate_edge_quota_sequence") > 0).unwrap();
        }
        for harm in harms {
            harm.done_to(&site.pipeline, &site.proxy, &mut site.gateway);
            NODES.iter().zip(&site.agents).for_each(|(node, agent)| site.wait_for_all(node, agent));
        }
        // Few and many requests take turns: sooner or later each quota moves.
        for node in NODES {
            let moved = wait_until(PATIENCE, || site.quotas(node).len() > 1);
            moved.unwrap_or_else(|e| panic!("{e}: {node} has the quota {:?}", site.quotas(node)));
        }
        drop(over);
    });
    for ((node, agent), asked) in NODES.iter().zip(&site.agents).zip(&asked) {
        site.judge(node, agent, asked.load(Ordering::SeqCst));
    }
    assert!(site.pipeline.read(Topic::DeadLetters).is_empty());
}

/// Ends the asking, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks for requests until it is over, few and many in turn, and counts them. An answer that is none panics: requests are
/// admitted or denied all the time.
fn ask(url: &str, asked: &AtomicU64, is_over: &AtomicBool) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let client: ureq::Agent = config.timeout_global(Some(PATIENCE)).build().into();
    let began = Instant::now();
    while !is_over.load(Ordering::SeqCst) {
        let status = client.post(url).send_empty().unwrap().status().as_u16();
        assert!(matches!(status, 200 | 429), "status {status}");
        asked.fetch_add(1, Ordering::SeqCst);
        let is_busy = began.elapsed().as_secs() / 4 % 2 == 1;
        std::thread::sleep(Duration::from_millis(if is_busy { 15 } else { 80 }));
    }
}

impl Harm {
    fn done_to(&self, pipeline: &Pipeline, proxy: &Proxy, gateway: &mut Option<Gateway>) {
        match *self {
            Self::Cut(seconds) => {
                assert!(proxy.cut() >= NODES.len(), "each agent had a connection");
                std::thread::sleep(Duration::from_secs(seconds));
                proxy.mend();
            }
            Self::Kill(seconds) => {
                let address = gateway.take().unwrap().kill();
                std::thread::sleep(Duration::from_secs(seconds));
                *gateway = Some(Gateway::start(pipeline, &address));
            }
        }
    }
}

/// Stages, a gateway behind a proxy, and agents before it.
struct Site {
    pipeline: Pipeline,
    agents: Vec<Agent>,
    proxy: Proxy,
    gateway: Option<Gateway>,
    _stages: Running,
    _settings: tempfile::TempDir,
}

impl Site {
    fn new(broker: &TestBroker, name: &str) -> Self {
        let pipeline = Pipeline::new(broker, name);
        let settings = tempfile::tempdir().unwrap();
        let rails = settings.path().join("rails.toml");
        std::fs::write(&rails, RAILS).unwrap();
        let stages = pipeline.start(&["run", "forecast", "quota", "--config", rails.to_str().unwrap()]);
        let gateway = Gateway::start(&pipeline, "127.0.0.1:0");
        let proxy = Proxy::before(gateway.port()).unwrap();
        let url = format!("http://127.0.0.1:{}", proxy.port());
        let agents = NODES.iter().map(|node| agent(node, &url)).collect();
        Self { pipeline, agents, proxy, gateway: Some(gateway), _stages: stages, _settings: settings }
    }

    /// The node's reports in the order of the topic.
    fn reports(&self, node: &str) -> Vec<LoadReport> {
        let all = self.pipeline.decoded::<LoadReport>(Topic::Load);
        all.into_iter().filter(|report| report.node_id == node).collect()
    }

    /// The quotas that were commanded for a node, each change once.
    fn quotas(&self, node: &str) -> Vec<f64> {
        let commands = self.pipeline.decoded::<QuotaCommand>(Topic::Quotas);
        quotas_within_rails(commands.iter().filter(|command| command.node_id == node))
    }

    /// Waits for a moment at which exactly the reports that the agent has made stand on the topic.
    fn wait_for_all(&self, node: &str, agent: &Agent) {
        let made = || usize::try_from(agent.metric("tidegate_edge_reports_total")).unwrap();
        let all = || {
            let before = made();
            let there = self.reports(node).iter().map(|report| report.sequence).collect::<BTreeSet<_>>().len();
            before > 2 && before == there && before == made()
        };
        let waited = wait_until(PATIENCE, all);
        waited.unwrap_or_else(|e| {
            panic!("{e}: {node} made {}, {} are there\n{}", made(), self.reports(node).len(), agent.running.stderr())
        });
    }

    /// Judges what a node left on the topics, and what it obeyed.
    fn judge(&self, node: &str, agent: &Agent, asked: u64) {
        let counted = || self.reports(node).last().and_then(|report| report.requests_total);
        let asked = i64::try_from(asked).unwrap();
        let waited = wait_until(PATIENCE, || counted() == Some(asked));
        waited.unwrap_or_else(|e| panic!("{e}: {node} was asked {asked} times, not {:?}", counted()));
        let reports = self.reports(node);
        let kept = without_repeats(&reports);
        assert!(kept.is_sorted_by_key(|report| report.sequence), "{node}: in the order in which they were made");
        assert!(kept.is_sorted_by_key(|report| report.requests_total), "{node}: so were their requests");

        // Before the quotas are read: what is obeyed by now was commanded by then.
        let obeyed = obeyed(&agent.path("changes"));
        let quotas = self.quotas(node);
        for quota in kept.iter().filter_map(|report| report.quota_in_force) {
            assert!(quotas.contains(&quota), "{node} obeyed {quota}, which was never commanded: {quotas:?}");
        }
        assert_eq!(obeyed.first().map(|(source, quota)| (&**source, *quota)), Some(("base", BASE)));
        let mut told = quotas.iter();
        for (source, quota) in &obeyed[1..] {
            assert_eq!(source, "centre", "{node}: its lease held all the time: {obeyed:?}");
            assert!(told.any(|one| one == quota), "{node}: as commanded, in that order: {obeyed:?} of {quotas:?}");
        }
        tell(&format!(
            "{node}: {} reports, each once; {} came twice; {asked} requests; {} quotas commanded, {} obeyed",
            kept.len(),
            reports.len() - kept.len(),
            quotas.len(),
            obeyed.len() - 1
        ));
    }
}

/// An agent that admits requests and writes down what it obeys; the first one spools.
fn agent(node: &str, url: &str) -> Agent {
    let folder = tempfile::tempdir().unwrap();
    let on_change = format!("echo $TIDEGATE_SOURCE $TIDEGATE_QUOTA >> {}", folder.path().join("changes").display());
    let spool = folder.path().join("spool").display().to_string();
    let mut flags = vec!["--admit-listen", "127.0.0.1:0", "--on-change", &on_change];
    if node == NODES[0] {
        flags.extend(["--spool", &spool]);
    }
    Agent::of((node, &BASE.to_string()), url, folder, &flags)
}

#[expect(clippy::print_stderr, reason = "the figures of the long run")]
fn tell(figures: &str) {
    eprintln!("{figures}");
}
