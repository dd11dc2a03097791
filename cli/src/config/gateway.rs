//! The `[gateway]` table: where the gateway listens and how much it takes.

use serde::Deserialize;
use tidegate_gateway::Limits;

use crate::exit::{self, failure};

/// The gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gateway {
    /// Address for edges.
    pub(crate) listen: Option<String>,
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
}

/// Our own edge agent puts so many reports into a batch.
const LEAST_RECORDS: usize = 64;
/// And its batches are smaller than this.
const LEAST_BYTES: usize = 64 * 1024;

impl Gateway {
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
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
