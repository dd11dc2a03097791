//! The `[edge]` table: what the agent does without the centre, and what it runs.

use std::path::PathBuf;

use serde::Deserialize;
use tidegate_producers::edge::LocalPolicy;

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
        let said = toml::from_str::<Edge>("local_policy = \"keep\"").unwrap_err().to_string();
        assert!(said.contains("unknown variant `keep`") && said.contains("`hold`, `base`, `local`"), "{said}");
    }
}
