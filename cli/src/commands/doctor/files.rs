//! What the settings name is read as those would read it that use it: quota settings, model, rules, mappings, who edges are.

use std::net::ToSocketAddrs;

use anyhow::Context;
use tidegate_gateway::link::addresses;

use super::finding::Finding;
use crate::commands::gateway::LISTEN;
use crate::config::Settings;
use crate::pipeline;

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let quota = settings.quota();
    let promise = settings.processing.promise();
    let mut found = vec![
        Finding::of("settings", quota.and_then(|quota| Ok((quota, promise?))), |(quota, promise)| {
            let how_often = if promise.is_exactly_once() { "exactly once" } else { "at least once" };
            format!("policy {}, {how_often}", quota.policy.name())
        }),
        Finding::of("model", pipeline::model(settings), |model| match &settings.forecast.model {
            Some(path) => format!("{} of {}", model.name(), path.display()),
            None => format!("{}, the shipped one", model.name()),
        }),
        Finding::of("rules", settings.alerts.rules(), |rules| {
            crate::commands::counted(rules.names().count() as u64, "alert rule")
        }),
        Finding::of("mappings", settings.gateway.mapping(), |_| "samples of others can be read".to_owned()),
    ];
    found.push(Finding::of("gateway", gateway(settings), ToOwned::to_owned));
    if let Some(gateways) = &settings.edge.gateway {
        let checked = addresses(gateways).and_then(|addresses| {
            let is_plain = settings.edge.plain_text_anywhere;
            settings.edge.credentials().check(&addresses, is_plain).map(|()| addresses.len())
        });
        found.push(Finding::of("edge", checked.map_err(Into::into), |count| {
            format!("{} and what they are shown go together", crate::commands::counted(*count as u64, "gateway"))
        }));
    }
    found
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
    Ok(format!("at {at}: {tls}, {who}"))
}
