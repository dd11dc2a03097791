//! Who sends, and who takes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tidegate_tests::binary::{self, Running};
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::{places, python};

/// Traces that a test sends.
pub(crate) const TRACES: usize = 60;
/// Spans of each.
pub(crate) const SPANS: usize = 4;

pub(crate) fn python() -> Option<PathBuf> {
    python::with(&places::repository().join("tests/spans/requirements.txt"))
}

/// A gateway, and where it is.
pub(crate) fn gateway(site: &Pipeline) -> (Running, String) {
    let mut gateway = site.start(&["gateway", "--listen", "127.0.0.1:0"]);
    gateway.wait_for("gateway at http://", PATIENCE).unwrap();
    let said = gateway.stderr();
    let (_, at) = said.split_once("gateway at ").unwrap();
    (gateway, at.split_whitespace().next().unwrap().to_owned())
}

/// An agent that takes spans over HTTP; and where.
pub(crate) fn agent(site: &Pipeline, flags: &[&str]) -> (Running, String) {
    let (agent, said) = taking(site, &[&["--otlp-listen", "127.0.0.1:0"], flags].concat(), "/v1/traces");
    let at = said.split_whitespace().find(|word| word.ends_with("/v1/traces")).unwrap();
    (agent, at.to_owned())
}

/// One that takes them over gRPC; and where.
pub(crate) fn agent_by_grpc(site: &Pipeline, flags: &[&str]) -> (Running, String) {
    let words = "spans by OTLP over gRPC at ";
    let (agent, said) = taking(site, &[&["--otlp-grpc-listen", "127.0.0.1:0"], flags].concat(), words);
    let (_, at) = said.split_once(words).unwrap();
    (agent, at.split_whitespace().next().unwrap().to_owned())
}

fn taking(site: &Pipeline, flags: &[&str], words: &str) -> (Running, String) {
    let mut agent = site.start(&[&["edge", "--node-id", "beside"], flags].concat());
    agent.wait_for(words, PATIENCE).unwrap();
    let said = agent.stderr();
    (agent, said)
}

/// Sends spans by the SDK over `http` or `grpc`; gives each as it was sent.
pub(crate) fn send(python: &Path, transport: &str, at: &str) -> Vec<Value> {
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/spans/send.py")).args([transport, at, &TRACES.to_string()]);
    let sent = binary::start(command).unwrap().wait(PATIENCE).unwrap();
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(!sent.stderr.contains("Failed to export"), "{}", sent.stderr);
    let sent: Vec<Value> = sent.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(sent.len(), TRACES * SPANS);
    sent
}
