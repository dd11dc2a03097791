//! What all ways share: topics, one certificate with its authority, one token, and the gateway.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tidegate_schemas::Topic;

use crate::binary::{self, Running};
use crate::brokers::apply_topics;
use crate::certificates::{Authority, Validity};

const PREFIX: &str = "wire.";
/// The edge's bearer token.
pub(super) const TOKEN: &str = "a-token-of-the-usual-length-0123456789abcdef";
const START: Duration = Duration::from_secs(30);

/// The place of a run.
#[derive(Debug)]
pub(super) struct Site {
    brokers: String,
    folder: TempDir,
}

/// The running gateway.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) port: u16,
    _running: Running,
}

impl Site {
    /// Creates the topics and the files.
    pub(super) fn new(brokers: &str) -> anyhow::Result<Self> {
        apply_topics(brokers, PREFIX, 4, 1)?;
        let site = Self { brokers: brokers.to_owned(), folder: tempfile::tempdir()? };
        site.write_certificates()?;
        let digest: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(site.path("tokens"), format!("edge-1 {digest}\n"))?;
        std::fs::write(site.path("token"), TOKEN)?;
        std::fs::write(site.path("grants.toml"), "[[grant]]\nedge = \"edge-1\"\nnodes = [\"node-*\"]\n")?;
        Ok(site)
    }

    fn write_certificates(&self) -> anyhow::Result<()> {
        let authority = Authority::new()?;
        let (certificate, key) = authority.issue("127.0.0.1", Validity::Good)?;
        std::fs::write(self.path("ca.pem"), authority.pem())?;
        std::fs::write(self.path("server.pem"), certificate)?;
        std::fs::write(self.path("server.key"), key)?;
        Ok(())
    }

    /// A file of the site.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The load topic.
    pub(super) fn topic() -> String {
        Topic::Load.name(PREFIX)
    }

    /// Starts the gateway.
    pub(super) fn gateway(&self) -> anyhow::Result<Gateway> {
        let files = [
            ("--tls-cert", "server.pem"),
            ("--tls-key", "server.key"),
            ("--tokens", "tokens"),
            ("--grants", "grants.toml"),
        ];
        let mut arguments: Vec<String> =
            ["gateway", "--listen", "127.0.0.1:0", "--brokers", &self.brokers, "--prefix", PREFIX]
                .map(Into::into)
                .into();
        arguments
            .extend(files.iter().flat_map(|(flag, name)| [(*flag).to_owned(), self.path(name).display().to_string()]));
        let mut running = binary::spawn(&arguments);
        let words = "gateway at https://127.0.0.1:";
        running.wait_for(words, START)?;
        let said = running.stderr();
        let (_, rest) = said.split_once(words).context("the gateway tells no address")?;
        let port = rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse()?;
        Ok(Gateway { port, _running: running })
    }
}
