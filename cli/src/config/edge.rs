//! The `[edge]` table: what the agent does without the centre, and what it runs.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;
use tidegate_gateway::link::Credentials;
use tidegate_producers::edge::LocalPolicy;

/// What the load of a node is measured by; the flag's and the file's words are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LoadOf {
    /// CPU and memory of the host
    Host,
    /// Requests asked for, admitted or denied, over what the base quota admits
    Requests,
}

/// Where requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CountBy {
    /// Where they are admitted; denied ones failed
    Admission,
    /// By the server spans of the services; those with status ERROR failed
    Spans,
}

/// The edge agent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Edge {
    /// `http(s)://HOST:PORT,…`; without it the agent speaks to Kafka.
    pub(crate) gateway: Option<String>,
    /// PEM file of the authorities that gateways' certificates must come from.
    pub(crate) ca: Option<PathBuf>,
    /// PEM file of the edge's own certificate.
    pub(crate) cert: Option<PathBuf>,
    /// PEM file of its key.
    pub(crate) key: Option<PathBuf>,
    /// File of its bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// Whether plain text is spoken to other machines, too.
    pub(crate) plain_text_anywhere: bool,
    /// Folder that keeps reports while no gateway answers.
    pub(crate) spool: Option<PathBuf>,
    /// Bytes of them at most.
    pub(crate) spool_bytes: Option<u64>,
    /// Age of them at most, in seconds.
    pub(crate) spool_age_s: Option<u64>,
    /// What holds once the lease is over.
    pub(crate) local_policy: Option<LocalPolicy>,
    /// File that keeps the agent's state over a restart.
    pub(crate) cache: Option<PathBuf>,
    /// Shell command to run on each change of the quota in force.
    pub(crate) on_change: Option<String>,
    /// Address at which spans are taken by OTLP over HTTP.
    pub(crate) otlp_listen: Option<String>,
    /// Address at which they are taken by OTLP over gRPC.
    pub(crate) otlp_grpc_listen: Option<String>,
    /// Requests/s that the base quota admits.
    pub(crate) admit: Option<f64>,
    /// Address at which requests are admitted over HTTP.
    pub(crate) admit_listen: Option<String>,
    /// Address of Envoy's rate limit service.
    pub(crate) admit_grpc_listen: Option<String>,
    /// How long the quota may be saved up for requests that come at once, ms.
    pub(crate) admit_burst_ms: Option<u64>,
    /// What the load is measured by.
    pub(crate) load: Option<LoadOf>,
    /// Where requests are counted.
    pub(crate) count: Option<CountBy>,
    /// Folder of the control group (v2) to limit.
    pub(crate) cgroup: Option<PathBuf>,
    /// Cores that the base quota stands for.
    pub(crate) cgroup_cpu: Option<f64>,
    /// Bytes of memory that the base quota stands for.
    pub(crate) cgroup_memory: Option<u64>,
}

impl Edge {
    /// The gateways, where the agent is to go through some: an empty text is none.
    pub(crate) fn gateways(&self) -> Option<&str> {
        self.gateway.as_deref().filter(|gateways| !gateways.is_empty())
    }

    /// What it shows to a gateway.
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials {
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            token: self.token_file.clone(),
        }
    }

    /// Whether services may send their spans to the agent.
    pub(crate) fn takes_spans(&self) -> bool {
        self.otlp_listen.is_some() || self.otlp_grpc_listen.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_setting_is_read_and_wrong_ones_are_named() {
        let text = "gateway = \"http://a:1\"\nlocal_policy = \"hold\"\ncache = \"/var/lib/tidegate/edge.json\"\non_change = \"limit\"\n";
        let edge: Edge = toml::from_str(text).unwrap();
        assert_eq!(edge.gateway.as_deref(), Some("http://a:1"));
        assert_eq!(edge.local_policy, Some(LocalPolicy::Hold));
        assert_eq!(edge.cache, Some(PathBuf::from("/var/lib/tidegate/edge.json")));
        assert_eq!(edge.on_change.as_deref(), Some("limit"));
        let text = "admit = 200.0\nadmit_listen = \"127.0.0.1:4700\"\nadmit_burst_ms = 500\nload = \"requests\"\ncount = \"spans\"\n";
        let edge: Edge = toml::from_str(text).unwrap();
        assert_eq!((edge.admit, edge.admit_burst_ms), (Some(200.0), Some(500)));
        assert_eq!((edge.load, edge.count), (Some(LoadOf::Requests), Some(CountBy::Spans)));
        let said = toml::from_str::<Edge>("local_policy = \"keep\"").unwrap_err().to_string();
        assert!(said.contains("unknown variant `keep`") && said.contains("`hold`, `base`, `local`"), "{said}");
    }
}
