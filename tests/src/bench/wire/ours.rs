//! Our client: the edge's own link, watching its nodes; what is acknowledged is read from its metrics.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tidegate_broker::Registry;
use tidegate_gateway::Link;
use tidegate_gateway::link::{Credentials, LinkSettings};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::HeadSampler;
use tidegate_traces::Origin;

use super::Client;
use super::site::Site;

const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks, which the latency includes.
const LOOK: Duration = Duration::from_micros(50);

/// The client.
pub(super) struct Ours {
    link: Link,
    registry: Registry,
    sent: u64,
}

impl Ours {
    pub(super) fn new(site: &Site, port: u16, nodes: u64) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let settings = LinkSettings {
            addresses: vec![format!("https://127.0.0.1:{port}")],
            credentials: Credentials {
                ca: Some(site.path("ca.pem")),
                token: Some(site.path("token")),
                ..Credentials::default()
            },
            node_ids: (0..nodes).map(|node| format!("node-{node:06}")).collect(),
            kept: 1000,
            spool: None,
            has_spans: false,
            origin: Origin::new("tidegate-edge", HeadSampler::new(1, 0.0)),
        };
        let link = Link::start(settings, Box::new(|_| {}), &registry)?;
        Ok(Self { link, registry, sent: 0 })
    }

    fn acknowledged(&self) -> anyhow::Result<u64> {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == "tidegate_edge_link_reports_total");
        let metrics = family.context("the link counts no reports")?.get_metric();
        let acknowledged = metrics.iter().find(|m| m.get_label().iter().any(|label| label.value() == "acknowledged"));
        Ok(acknowledged.map_or(0, |metric| metric.get_counter().get_value() as u64))
    }
}

impl Client for Ours {
    fn report(&mut self, reports: &[LoadReport]) -> anyhow::Result<()> {
        for report in reports {
            ensure!(self.link.send(report.clone()), "the link has ended");
        }
        self.sent += reports.len() as u64;
        let began = Instant::now();
        while self.acknowledged()? < self.sent {
            ensure!(began.elapsed() < PATIENCE, "only {} of {} are acknowledged", self.acknowledged()?, self.sent);
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}
