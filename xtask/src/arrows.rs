//! Who may use whom. Arrows go down only, and each capability has one room: `cargo metadata` tells what is so, the tables
//! below what may be.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::programs::cargo;

/// What a room may use that runs the stages outside Kafka.
const AROUND_STAGES: &[&str] =
    &["tidegate-broker", "tidegate-forecast", "tidegate-quota", "tidegate-schemas", "tidegate-stages"];

/// Each room with the rooms that it may use. Tests of a crate (dev-dependencies) are held to the same.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("tidegate-schemas", &[]),
    ("tidegate-samples", &["tidegate-otlp", "tidegate-schemas"]),
    ("tidegate-broker", &["tidegate-schemas", "tidegate-traces"]),
    ("tidegate-traces", &["tidegate-otlp", "tidegate-schemas"]),
    ("tidegate-otlp", &["tidegate-schemas"]),
    (
        "tidegate-producers",
        &["tidegate-broker", "tidegate-otlp", "tidegate-quota", "tidegate-schemas", "tidegate-traces"],
    ),
    ("tidegate-sinks", &["tidegate-broker", "tidegate-otlp", "tidegate-schemas"]),
    (
        "tidegate-gateway",
        &[
            "tidegate-broker",
            "tidegate-otlp",
            "tidegate-producers",
            "tidegate-samples",
            "tidegate-schemas",
            "tidegate-traces",
        ],
    ),
    ("tidegate-forecast", &["tidegate-schemas"]),
    ("tidegate-quota", &["tidegate-schemas"]),
    ("tidegate-alerts", &[]),
    (
        "tidegate-stages",
        &["tidegate-alerts", "tidegate-broker", "tidegate-forecast", "tidegate-quota", "tidegate-schemas"],
    ),
    ("tidegate-backtest", AROUND_STAGES),
    ("tidegate-explain", AROUND_STAGES),
    (
        "tidegate",
        &[
            "tidegate-alerts",
            "tidegate-backtest",
            "tidegate-broker",
            "tidegate-explain",
            "tidegate-forecast",
            "tidegate-fuzz",
            "tidegate-gateway",
            "tidegate-otlp",
            "tidegate-producers",
            "tidegate-quota",
            "tidegate-samples",
            "tidegate-schemas",
            "tidegate-sinks",
            "tidegate-stages",
            "tidegate-traces",
        ],
    ),
    (
        "tidegate-fuzz",
        &[
            "tidegate-alerts",
            "tidegate-forecast",
            "tidegate-otlp",
            "tidegate-producers",
            "tidegate-quota",
            "tidegate-samples",
            "tidegate-schemas",
        ],
    ),
    (
        "tidegate-tests",
        &[
            "tidegate-alerts",
            "tidegate-broker",
            "tidegate-forecast",
            "tidegate-gateway",
            "tidegate-otlp",
            "tidegate-producers",
            "tidegate-quota",
            "tidegate-samples",
            "tidegate-schemas",
            "tidegate-sinks",
            "tidegate-stages",
            "tidegate-traces",
        ],
    ),
    ("xtask", &[]),
];

/// Libraries that only some rooms may know.
const ONLY_IN: [(&str, &[&str]); 9] = [
    ("rdkafka", &["tidegate-broker", "tidegate-tests"]),
    ("burn", &["tidegate-forecast"]),
    ("promql-parser", &["tidegate-alerts"]),
    ("tokio", &["tidegate", "tidegate-gateway", "tidegate-sinks", "tidegate-tests"]),
    ("tonic", &["tidegate-gateway", "tidegate-tests"]),
    ("envoy-types", &["tidegate-gateway"]),
    ("governor", &["tidegate-producers"]),
    ("opentelemetry_sdk", &["tidegate-traces"]),
    ("tracing-opentelemetry", &["tidegate-traces"]),
];

/// Compares the workspace with the tables.
pub(crate) fn check() -> anyhow::Result<()> {
    let output = cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = MAY_USE.iter().find(|(room, _)| *room == name) else {
            wrong.push(format!("{name} is in no table of xtask/src/arrows.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            wrong.extend(fault(name, allowed, dependency));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("the rooms do not keep to ARCHITECTURE:\n  {}", wrong.join("\n  "))
}

fn fault(room: &str, allowed: &[&str], dependency: &Value) -> Option<String> {
    let used = dependency["name"].as_str().unwrap_or_default();
    let ours = !dependency["path"].is_null();
    let known_to = ONLY_IN.iter().find(|(library, _)| *library == used).map(|(_, rooms)| *rooms);
    let forbidden = (ours && !allowed.contains(&used)) || known_to.is_some_and(|rooms| !rooms.contains(&room));
    forbidden.then(|| format!("{room} must not use {used}"))
}
