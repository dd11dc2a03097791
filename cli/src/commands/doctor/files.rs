//! What the settings name is read as those would read it that use it: quota settings, model, rules, mappings, targets, who edges are.

use std::net::ToSocketAddrs;
use std::path::Path;

use anyhow::{Context, ensure};
use tidegate_broker::Registry;
use tidegate_gateway::link::addresses;
use tidegate_sinks::alertmanager::Alertmanagers;
use tidegate_sinks::deliver::Webhook;

use super::finding::Finding;
use crate::commands::counted;
use crate::commands::edge::requests::{Base, Requests};
use crate::commands::gateway::LISTEN;
use crate::config::Settings;
use crate::pipeline;

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let quota = settings.quota();
    let promise = settings.processing.promise();
    vec![
        Finding::of("settings", quota.and_then(|quota| Ok((quota, promise?))), |(quota, promise)| {
            let how_often = if promise.is_exactly_once() { "exactly once" } else { "at least once" };
            format!("policy {}, {how_often}", quota.policy.name())
        }),
        Finding::of("model", pipeline::model(settings), |model| match &settings.forecast.model {
            Some(path) => format!("{} of {}", model.name(), path.display()),
            None => format!("{}, the shipped one", model.name()),
        }),
        Finding::of("rules", settings.alerts.rules(), |rules| counted(rules.names().count() as u64, "alert rule")),
        Finding::of("mappings", settings.gateway.mapping(), |_| "samples of others can be read".to_owned()),
        Finding::of("targets", targets(settings), |count| counted(*count, "target") + " of quotas, alerts and spans"),
        Finding::of("gateway", gateway(settings), ToOwned::to_owned),
        Finding::of("edge", edge(settings), |gateways| match gateways {
            0 => "to Kafka, with no gateway between".to_owned(),
            count => format!("by way of {}, and what they are shown is there", counted(*count, "gateway")),
        }),
    ]
}

/// Where `run` sends: addresses are addresses, and the folder is one or can be made. Nobody is asked here.
fn targets(settings: &Settings) -> anyhow::Result<u64> {
    let mut count = 0;
    if let Some(url) = &settings.deliver.webhook {
        Webhook::new(url, &settings.authorities)?;
        count += 1;
    }
    if let Some(folder) = &settings.deliver.folder {
        writable(folder)?;
        count += 1;
    }
    let alertmanagers = settings.alerts.alertmanagers();
    if !alertmanagers.is_empty() {
        Alertmanagers::new(&alertmanagers, None, &settings.authorities, &Registry::new())?;
        count += alertmanagers.len() as u64;
    }
    if settings.export.otlp.is_some() {
        pipeline::backend(settings)?;
        count += 1;
    }
    Ok(count)
}

/// Whether a folder, or the one in which it would be made, may be written by somebody.
fn writable(folder: &Path) -> anyhow::Result<()> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let about = there.metadata().with_context(|| format!("{} cannot be looked at", there.display()))?;
    ensure!(about.is_dir(), "{} is no folder", there.display());
    ensure!(!about.permissions().readonly(), "{} may not be written", there.display());
    Ok(())
}

/// Who may be served at the gateway's address.
fn gateway(settings: &Settings) -> anyhow::Result<String> {
    settings.gateway.limits()?;
    let listen = settings.gateway.listen.as_deref().unwrap_or(LISTEN);
    let mut addresses = listen.to_socket_addrs().with_context(|| format!("{listen} is no address"))?;
    let at = addresses.next().with_context(|| format!("{listen} is no address"))?;
    let security = settings.gateway.security(at)?;
    security.check()?;
    let tls = if security.tls.is_some() { "TLS" } else { "plain text" };
    let who = if security.knows_edges() { "edges are known" } else { "everybody is believed" };
    Ok(format!("would serve at {at}: {tls}, {who}"))
}

/// How many gateways an agent would go through, and whether it would start.
fn edge(settings: &Settings) -> anyhow::Result<u64> {
    let edge = &settings.edge;
    // The base quota is a flag of the agent: any will do.
    Requests::new(edge, Base { quota: 1000.0, is_given: true }, &Registry::new())?;
    let Some(gateways) = edge.gateways() else { return Ok(0) };
    let addresses = addresses(gateways)?;
    edge.credentials().check(&addresses, edge.plain_text_anywhere)?;
    Ok(addresses.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, check_of: &str) -> String {
        let settings = Settings::parse(text).unwrap();
        let found = check(&settings).into_iter().find(|finding| finding.check == check_of).unwrap();
        found.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_run_gateway_or_edge_would_refuse_is_wrong() {
        for (text, check, why) in [
            ("[deliver]\nwebhook = \"ftp://a\"", "targets", "wrong targets the webhook"),
            ("[deliver]\nfolder = \"/dev/null/quotas\"", "targets", "/dev/null is no folder"),
            ("[alerts]\nalertmanager = [\"a:1\"]", "targets", "wrong targets the Alertmanager"),
            ("[export]\notlp = \"http://a:1/x\"\nprotocol = \"grpc\"", "targets", "has a path"),
            ("[gateway]\nlisten = \"0.0.0.0:4600\"", "gateway", "wrong gateway 0.0.0.0:4600 can be reached"),
            ("[edge]\nadmit = 3.0", "edge", "nobody can ask for requests"),
            ("[edge]\ngateway = \"a:1\"", "edge", "wrong edge the gateway address"),
        ] {
            let said = said(text, check);
            assert!(said.starts_with("wrong") && said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn what_nobody_set_is_nothing_to_complain_of() {
        let text = "[edge]\ngateway = \"\"\n";
        assert_eq!(said(text, "edge"), "ok edge to Kafka, with no gateway between");
        assert_eq!(said(text, "targets"), "ok targets 0 targets of quotas, alerts and spans");
    }
}
