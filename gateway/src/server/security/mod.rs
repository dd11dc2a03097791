//! Who an edge is, and what it may do.
//!
//! ```text
//! certificate (TLS handshake) ─┐
//! authorization: Bearer … ─────┴─> Peer ─ names (tokens) ─ grants ─> may speak for a node, or a Status
//! files ─ every 2 s, changed? ─> TLS configuration, tokens, grants as they are now
//! ```
//!
//! Every batch, and every change of the files, is judged anew: what was revoked ends at once. Tokens and keys are never said.

mod doorman;
mod grants;
mod tls;
mod tokens;

use std::path::PathBuf;

use crate::error::GatewayError;

pub(super) use doorman::{Changes, Doorman, Peer};

/// PEM files of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, the chain behind it.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities that edges' certificates must come from; `None`: edges show none.
    pub client_ca: Option<PathBuf>,
}

/// How edges are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS; `None`: plain text.
    pub tls: Option<TlsFiles>,
    /// File of bearer tokens, as hashes.
    pub tokens: Option<PathBuf>,
    /// File of grants; `None`: each edge speaks for the node of its name.
    pub grants: Option<PathBuf>,
}

impl Security {
    /// Whether edges must show who they are.
    #[must_use]
    pub fn knows_edges(&self) -> bool {
        self.tokens.is_some() || self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }

    /// Reads all files, as a gateway does when it starts.
    ///
    /// # Errors
    /// [`GatewayError::Setting`] where one is missing or wrong.
    pub fn check(&self) -> Result<(), GatewayError> {
        Doorman::new(self.clone()).map(drop)
    }

    /// All files.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let tls = self.tls.iter().flat_map(|tls| [Some(&tls.cert), Some(&tls.key), tls.client_ca.as_ref()]);
        tls.flatten().chain(&self.tokens).chain(&self.grants)
    }
}
