//! `tidegate schemas metrics`: every metric of every role, as one table.
//!
//! ```text
//! each role's registry, with all that it may register ─> Described ─> a row a metric, with the roles that show it
//! ```

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use serde_json::json;
use tidegate_broker::{Described, Registry};
use tidegate_producers::admission::{AdmissionMetrics, RequestCounts};
use tidegate_producers::edge::EdgeMetrics;
use tidegate_producers::spans::SpanMetrics;

use crate::own_spans;
use crate::pipeline::{self, Work};

/// Metrics whose name does not end with their unit.
const UNITS: [(&str, &str); 9] = [
    ("tidegate_edge_admission_rate", "requests/s"),
    ("tidegate_edge_breaker_state", "0 or 1"),
    ("tidegate_edge_link_connected", "0 or 1"),
    ("tidegate_edge_load", "fraction of the base quota"),
    ("tidegate_edge_quota", "resource units"),
    ("tidegate_edge_quota_source", "0 or 1"),
    ("tidegate_edge_quota_valid_until_seconds", "seconds since the epoch"),
    ("tidegate_edge_quota_sequence", "sequence"),
    ("tidegate_forecast_peak_errors_total", "base quotas"),
];

const HEAD: &str = "# Metrics\n\n\
    What `/metrics` shows, by role: `run` and its work, in `demo` as well; `edge`, and an `edge` behind a gateway; `gateway`. A family with\n\
    labels is there once it has a value. All names, labels and units are an interface. This page is printed by `tidegate schemas metrics`.\n\n\
    | metric | type | labels | unit | what | of |\n| --- | --- | --- | --- | --- | --- |\n";

/// A metric with the roles that show it.
type Rows = BTreeMap<Described, Vec<String>>;
/// Values that labels have from the begin, by metric and label.
type Values = BTreeMap<(String, String), BTreeSet<String>>;

/// Labels whose values say who runs, or where something is sent.
const OF_THE_PLACE: [&str; 2] = ["work", "target"];

/// Prints the table.
pub(super) fn run(as_json: bool) -> anyhow::Result<()> {
    let (rows, values) = rows()?;
    if as_json {
        let object = |(d, roles): (&Described, &Vec<String>)| json!({ "name": d.name, "type": d.kind, "labels": d.labels, "unit": unit(&d.name), "help": d.help, "roles": roles });
        return super::super::say_json(&json!({ "metrics": rows.iter().map(object).collect::<Vec<_>>() }));
    }
    let row = |(d, roles): (&Described, &Vec<String>)| {
        let labels: Vec<String> = d.labels.iter().map(|label| with_values(&d.name, label, &values)).collect();
        let help = d.help.trim_end_matches('.').replace('|', "\\|");
        let (labels, roles) = (labels.join("; "), of(roles));
        format!("| `{}` | {} | {labels} | {} | {help} | {roles} |\n", d.name, d.kind, unit(&d.name))
    };
    let table: String = rows.iter().map(row).collect();
    super::super::say(format!("{HEAD}{}", table.trim_end()))
}

/// What each role may register.
fn rows() -> anyhow::Result<(Rows, Values)> {
    let (mut rows, mut values) = (Rows::new(), Values::new());
    let mut add = |role: &str, registry: &Registry| {
        for described in registry.described() {
            rows.entry(described).or_default().push(role.to_owned());
        }
        note_values(registry, &mut values);
    };
    for work in Work::value_variants() {
        let registry = Registry::new();
        own_spans::counted(&registry)?;
        pipeline::describe(*work, &registry)?;
        add(&format!("run {}", work.name()), &registry);
    }
    let edge = Registry::new();
    own_spans::counted(&edge)?;
    EdgeMetrics::register(&edge)?;
    SpanMetrics::register(&edge)?;
    RequestCounts::register(&edge)?;
    AdmissionMetrics::register(&edge)?;
    add("edge", &edge);
    let link = Registry::new();
    tidegate_gateway::metrics::of_link(&link)?;
    add("edge --gateway", &link);
    let gateway = Registry::new();
    own_spans::counted(&gateway)?;
    tidegate_gateway::metrics::of_server(&gateway)?;
    add("gateway", &gateway);
    Ok((rows, values))
}

fn note_values(registry: &Registry, values: &mut Values) {
    for family in registry.gather() {
        for pair in family.get_metric().iter().flat_map(|metric| metric.get_label()) {
            let of = values.entry((family.name().to_owned(), pair.name().to_owned())).or_default();
            of.insert(pair.value().to_owned());
        }
    }
}

/// A label, with its values where it has them from the begin.
fn with_values(metric: &str, label: &str, values: &Values) -> String {
    let known = values.get(&(metric.to_owned(), label.to_owned())).filter(|_| !OF_THE_PLACE.contains(&label));
    let known: Vec<String> = known.into_iter().flatten().map(|value| format!("`{value}`")).collect();
    if known.is_empty() { format!("`{label}`") } else { format!("`{label}`: {}", known.join(", ")) }
}

/// Roles in words: those of all work of `run` are said at once.
fn of(roles: &[String]) -> String {
    let of_run = roles.iter().filter(|role| role.starts_with("run ")).count();
    let words = |role: &String| format!("`{role}`");
    if of_run < Work::value_variants().len() {
        return roles.iter().map(words).collect::<Vec<_>>().join(", ");
    }
    let others = roles.iter().filter(|role| !role.starts_with("run ")).map(words);
    ["`run`".to_owned()].into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

fn unit(name: &str) -> &'static str {
    if let Some((_, unit)) = UNITS.iter().find(|(of, _)| *of == name) {
        return unit;
    }
    let base = name.trim_end_matches("_total");
    match () {
        () if base.ends_with("_seconds") => "seconds",
        () if base.ends_with("_bytes") => "bytes",
        () if base.ends_with("_offset") => "offset",
        () => "count",
    }
}
