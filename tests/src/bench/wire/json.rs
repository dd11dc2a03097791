//! The reference's client: reports as JSON by HTTP/1.1, over a connection each or over one that is kept.

use anyhow::ensure;
use tidegate_schemas::records::LoadReport;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::Client;
use super::site::{Site, TOKEN};

/// The client; its agent keeps TLS sessions, so that a new connection resumes the one before.
pub(super) struct Json {
    agent: Agent,
    url: String,
    kept_alive: bool,
}

impl Json {
    pub(super) fn new(site: &Site, port: u16, kept_alive: bool) -> anyhow::Result<Self> {
        let authority = Certificate::from_pem(&std::fs::read(site.path("ca.pem"))?)?;
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build();
        let connections = usize::from(kept_alive);
        let config = Agent::config_builder().tls_config(tls).max_idle_connections(connections);
        let agent = config.max_idle_connections_per_host(connections).build().new_agent();
        Ok(Self { agent, url: format!("https://127.0.0.1:{port}/reports"), kept_alive })
    }
}

impl Client for Json {
    fn report(&mut self, reports: &[LoadReport]) -> anyhow::Result<()> {
        let mut request = self.agent.post(&self.url).header("authorization", format!("Bearer {TOKEN}"));
        if !self.kept_alive {
            request = request.header("connection", "close");
        }
        let answer = request.send_json(reports)?;
        ensure!(answer.status() == 204, "the reference answered {}", answer.status());
        Ok(())
    }
}
