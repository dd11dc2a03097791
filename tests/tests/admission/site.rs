//! A gateway and an agent that admits requests, with clients of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_schemas::Topic;
use tidegate_schemas::records::QuotaCommand;
use tidegate_tests::binary::{self, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::metrics;
use tidegate_tests::pipeline::{PATIENCE, Pipeline, encoded, quota_command};
use tidegate_tests::process::{signal, wait_until};

pub(crate) const NODE: &str = "edge-1";
/// Requests/s.
pub(crate) const BASE: f64 = 40.0;

/// Topics, a gateway before them, and a folder for the agent.
pub(crate) struct Site {
    pub(crate) pipeline: Pipeline,
    folder: tempfile::TempDir,
    gateway: Option<Running>,
    address: String,
}

impl Site {
    pub(crate) fn new(broker: &TestBroker, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:0".to_owned();
        let mut site = Self { pipeline: Pipeline::new(broker, name), folder, gateway: None, address };
        site.start_gateway();
        site
    }

    /// Starts the gateway, where it was before.
    pub(crate) fn start_gateway(&mut self) {
        let mut gateway = self.pipeline.start(&["gateway", "--listen", &self.address]);
        gateway.wait_for("gateway at http://", PATIENCE).unwrap();
        self.address = after(&gateway.stderr(), "gateway at http://");
        self.gateway = Some(gateway);
    }

    pub(crate) fn kill_gateway(&mut self) {
        kill(self.gateway.take().unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An agent of this node behind the gateway.
    pub(crate) fn agent(&self, extra: &[&str]) -> Agent {
        let (url, cache, base) = (format!("http://{}", self.address), self.path("cache.json"), BASE.to_string());
        let arguments = [
            &["edge", "--node-id", NODE, "--base-quota", &base, "--interval", "1s", "--gateway", &url][..],
            &["--cache", cache.to_str().unwrap(), "--metrics-listen", "127.0.0.1:0"],
            extra,
        ];
        let mut running = binary::spawn(&arguments.concat());
        running.wait_for("reporting every", PATIENCE).unwrap();
        Agent { running, client: client() }
    }

    /// One that admits requests over HTTP and by gRPC.
    pub(crate) fn admitting(&self) -> Agent {
        self.agent(&["--admit-listen", "127.0.0.1:0", "--admit-grpc-listen", "127.0.0.1:0"])
    }

    /// Puts a fresh command on the topic.
    pub(crate) fn send(&self, quota: f64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let command = quota_command(NODE, i64::try_from(now).unwrap(), quota);
        let command = QuotaCommand { base_quota: BASE, scale_factor: quota / BASE, ..command };
        self.pipeline.send(Topic::Quotas, &[encoded(Topic::Quotas, NODE, &command)]);
    }
}

/// A running agent.
pub(crate) struct Agent {
    pub(crate) running: Running,
    client: ureq::Agent,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What became of requests that were sent without a pause.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    pub(crate) admitted: u32,
    pub(crate) denied: u32,
    pub(crate) seconds: f64,
}

impl Agent {
    pub(crate) fn url(&self) -> String {
        after(&self.running.stderr(), "requests are admitted at ")
    }

    pub(crate) fn grpc(&self) -> String {
        after(&self.running.stderr(), "Envoy's rate limit service at ")
    }

    pub(crate) fn ask(&self, query: &str, body: &str) -> Answer {
        answer(self.client.post(format!("{}{query}", self.url())).send(body).unwrap())
    }

    pub(crate) fn get(&self, url: &str) -> Answer {
        answer(self.client.get(url).call().unwrap())
    }

    /// Asks again and again for so long.
    pub(crate) fn drive(&self, time: Duration) -> Driven {
        let (url, began, mut driven) = (self.url(), Instant::now(), Driven::default());
        while began.elapsed() < time {
            match self.client.post(&url).send_empty().unwrap().status().as_u16() {
                200 => driven.admitted += 1,
                429 => driven.denied += 1,
                other => panic!("status {other}"),
            }
        }
        driven.seconds = began.elapsed().as_secs_f64();
        driven
    }

    /// Asks for so long: no more is admitted than the rate gives and a full bucket held, and the rate is there to be used.
    pub(crate) fn assert_follows(&self, rate: f64, time: Duration) {
        let uses = || {
            let driven = self.drive(time);
            let admitted = f64::from(driven.admitted);
            assert!(admitted <= rate * driven.seconds + rate.max(1.0), "{driven:?} at {rate}/s");
            // On a machine that is busy with something else this is tried again: what is not asked for while the bucket is
            // full is lost.
            admitted >= rate * driven.seconds / 4.0 && driven.denied > 0
        };
        wait_until(PATIENCE, uses).unwrap_or_else(|e| panic!("{rate}/s is not used: {e}"));
    }

    /// Waits until this rate is in force.
    pub(crate) fn wait_for_rate(&self, rate: u32) {
        let wanted = format!("\"quota\";q={rate};w=1;");
        let there = || self.ask("", "").header("ratelimit-policy").starts_with(&wanted);
        wait_until(PATIENCE, there).unwrap_or_else(|e| panic!("{e}: {rate}/s\n{}", self.running.stderr()));
    }

    /// One value of its metrics.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let url = format!("http://{}", after(&self.running.stderr(), "metrics at http://"));
        let text = self.get(&url).body;
        assert_eq!(metrics::undocumented(&text), [""; 0], "docs/metrics.md has all of them");
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    pub(crate) fn stop(self) -> String {
        let ended = self.running.terminate().unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stderr
    }

    pub(crate) fn kill(self) {
        kill(self.running);
    }
}

/// A client that takes every status for an answer.
fn client() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(PATIENCE)).build().into()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let body = response.body_mut().read_to_string().unwrap();
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

fn kill(running: Running) {
    signal(running.pid(), "KILL").unwrap();
    running.wait(PATIENCE).unwrap();
}

/// What a log says behind some words, up to the next space.
pub(crate) fn after(log: &str, words: &str) -> String {
    let (_, rest) = log.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in\n{log}"));
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}
