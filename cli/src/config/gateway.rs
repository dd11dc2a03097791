//! The `[gateway]` table: where the gateway listens, how edges are known, and how much it takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use tidegate_gateway::{Limits, Security, TlsFiles};
use tidegate_samples::Mapping;

use crate::exit::{self, failure};

/// The gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Address for edges.
    pub(crate) listen: Option<String>,
    /// PEM file of its certificate.
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub(crate) tls_key: Option<PathBuf>,
    /// PEM file of the authorities of edges' certificates.
    pub(crate) client_ca: Option<PathBuf>,
    /// File of bearer tokens, as hashes.
    pub(crate) tokens: Option<PathBuf>,
    /// File of grants.
    pub(crate) grants: Option<PathBuf>,
    /// Whether plain text is served to other machines, too.
    pub(crate) plain_text_anywhere: bool,
    /// Bytes of one message.
    pub(crate) max_message_bytes: Option<usize>,
    /// Bytes of one batch, uncompressed.
    pub(crate) max_batch_bytes: Option<usize>,
    /// Records of one batch.
    pub(crate) max_batch_records: Option<usize>,
    /// Batches of one edge that wait for Kafka.
    pub(crate) max_in_flight: Option<usize>,
    /// Connections at a time.
    pub(crate) max_connections: Option<usize>,
    /// Nodes of one stream.
    pub(crate) max_nodes: Option<usize>,
    /// HTTP requests at a time.
    pub(crate) max_requests: Option<usize>,
    /// Nodes that are known by samples.
    pub(crate) max_sampled_nodes: Option<usize>,
    /// What samples of others are: presets and files.
    pub(crate) mappings: Vec<String>,
}

/// The mappings where none is named: they share no series, and pods become nodes only where that is asked for.
const MAPPINGS: [&str; 2] = ["node_exporter", "opentelemetry"];
/// Our own edge agent puts so many reports into a batch.
const LEAST_RECORDS: usize = 64;
/// And its batches are smaller than this.
const LEAST_BYTES: usize = 64 * 1024;

impl Gateway {
    /// How edges are known at this address, checked.
    pub(crate) fn security(&self, at: SocketAddr) -> anyhow::Result<Security> {
        let wrong = |what: &str| Err(failure(exit::CONFIG, what));
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                Some(TlsFiles { cert: cert.clone(), key: key.clone(), client_ca: self.client_ca.clone() })
            }
            (None, None) if self.client_ca.is_some() => {
                return wrong("client_ca wants TLS: give tls_cert and tls_key, too");
            }
            (None, None) => None,
            _ => return wrong("TLS wants both tls_cert and tls_key"),
        };
        let security = Security { tls, tokens: self.tokens.clone(), grants: self.grants.clone() };
        if security.grants.is_some() && !security.knows_edges() {
            return wrong("grants are by name, and nothing names the edges: give client_ca or tokens, too");
        }
        if at.ip().is_loopback() || self.plain_text_anywhere {
            return Ok(security);
        }
        if security.tls.is_none() {
            return wrong(&format!(
                "{at} can be reached from elsewhere: give tls_cert and tls_key, or say plain_text_anywhere"
            ));
        }
        if !security.knows_edges() {
            return wrong(&format!(
                "{at} can be reached from elsewhere: give client_ca or tokens, to know the edges by"
            ));
        }
        Ok(security)
    }

    /// What samples of others are.
    pub(crate) fn mapping(&self) -> anyhow::Result<Mapping> {
        if self.mappings.is_empty() { mapping(&MAPPINGS.map(str::to_owned)) } else { mapping(&self.mappings) }
    }

    /// The limits, checked.
    pub(crate) fn limits(&self) -> anyhow::Result<Limits> {
        let mut limits = Limits::default();
        let set = |slot: &mut usize, value: Option<usize>, name: &str, least: usize| match value {
            Some(value) if value < least || value > usize::MAX >> 4 => {
                Err(failure(exit::CONFIG, format!("the setting gateway.{name} is {value}; it wants at least {least}")))
            }
            Some(value) => {
                *slot = value;
                Ok(())
            }
            None => Ok(()),
        };
        set(&mut limits.message_bytes, self.max_message_bytes, "max_message_bytes", LEAST_BYTES)?;
        set(&mut limits.batch.bytes, self.max_batch_bytes, "max_batch_bytes", LEAST_BYTES)?;
        set(&mut limits.batch.records, self.max_batch_records, "max_batch_records", LEAST_RECORDS)?;
        set(&mut limits.in_flight, self.max_in_flight, "max_in_flight", 1)?;
        set(&mut limits.connections, self.max_connections, "max_connections", 1)?;
        set(&mut limits.nodes, self.max_nodes, "max_nodes", 1)?;
        set(&mut limits.requests, self.max_requests, "max_requests", 1)?;
        set(&mut limits.sampled.nodes, self.max_sampled_nodes, "max_sampled_nodes", 1)?;
        Ok(limits)
    }
}

/// All mappings together. What has a slash or a dot in its name is a file.
fn mapping(names: &[String]) -> anyhow::Result<Mapping> {
    let one = |name: &String| {
        if !name.contains(['/', '.']) {
            return Mapping::preset(name).map_err(|e| failure(exit::CONFIG, e.to_string()));
        }
        let text = std::fs::read_to_string(name)
            .map_err(|e| failure(exit::CONFIG, format!("the mapping {name} cannot be read: {e}")))?;
        Mapping::parse(name, &text).map_err(|e| failure(exit::CONFIG, e.to_string()))
    };
    names.iter().map(one).try_fold(Mapping::default(), |all, next| Ok(all.and(next?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(text: &str, at: &str) -> Result<Security, String> {
        toml::from_str::<Gateway>(text).unwrap().security(at.parse().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_others_can_reach_wants_tls_and_a_way_to_know_the_edges() {
        let tls = "tls_cert = \"c\"\ntls_key = \"k\"\n";
        assert_eq!(security("", "127.0.0.1:1"), Ok(Security::default()));
        assert_eq!(security("plain_text_anywhere = true", "10.0.0.1:1"), Ok(Security::default()));
        assert!(security(&format!("{tls}client_ca = \"a\"\n"), "10.0.0.1:1").unwrap().knows_edges());
        assert!(security(&format!("{tls}tokens = \"t\"\n"), "0.0.0.0:1").unwrap().knows_edges());
        for (text, why) in [
            ("", "plain_text_anywhere"),
            (tls, "to know the edges by"),
            ("tokens = \"t\"", "plain_text_anywhere"),
            ("tls_cert = \"c\"", "both tls_cert and tls_key"),
            ("client_ca = \"c\"", "wants TLS"),
            ("grants = \"g\"", "nothing names the edges"),
        ] {
            let said = security(text, "0.0.0.0:1").unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn mappings_are_presets_and_files_and_what_is_wrong_is_named() {
        let of = |names: &[&str]| {
            let mappings = names.iter().map(|name| (*name).to_owned()).collect();
            Gateway { mappings, ..Gateway::default() }.mapping().map(drop).map_err(|e| e.to_string())
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(
            &file,
            "[[node]]\nid = \"{a}\"\nbase_quota = 1.0\nseries = [{ is = \"cpu\", metric = \"m\" }]\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        assert_eq!((of(&[]), of(&["kubernetes", file])), (Ok(()), Ok(())));
        assert!(of(&["kubernetis"]).unwrap_err().contains("there are node_exporter, kubernetes"));
        assert!(of(&["./none.toml"]).unwrap_err().contains("cannot be read"));
        std::fs::write(file, "[[node]]\nid = 1\n").unwrap();
        assert!(of(&[file]).unwrap_err().contains("mine.toml: line 2"));
    }

    #[test]
    fn limits_are_read_and_those_that_would_shut_our_own_edges_out_are_refused() {
        let text = "listen = \"a:1\"\nmax_message_bytes = 100000\nmax_batch_records = 64\nmax_connections = 3\n";
        let gateway: Gateway = toml::from_str(text).unwrap();
        let limits = gateway.limits().unwrap();
        assert_eq!((limits.message_bytes, limits.batch.records, limits.connections), (100_000, 64, 3));
        assert_eq!(limits.in_flight, Limits::default().in_flight);
        let few: Gateway = toml::from_str("max_batch_records = 63").unwrap();
        let said = few.limits().unwrap_err().to_string();
        assert_eq!(said, "the setting gateway.max_batch_records is 63; it wants at least 64");
    }
}
