//! The files as they are now, and the answer to each request by them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::grants::Grants;
use super::tokens::{Digest, Tokens};
use super::{Security, tls};
use crate::error::GatewayError;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What an edge showed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// Names in its certificate.
    certificate: Arc<[String]>,
    token: Option<Digest>,
}

/// What the files say.
#[derive(Debug)]
struct Rules {
    tls: Option<Arc<ServerConfig>>,
    tokens: Tokens,
    grants: Grants,
}

/// Answers by the files.
#[derive(Debug)]
pub(crate) struct Doorman {
    security: Security,
    /// The files as they were read first.
    first: Stamps,
    rules: watch::Sender<Arc<Rules>>,
}

/// Size and time of each file.
type Stamps = Vec<Option<(u64, SystemTime)>>;

impl Doorman {
    /// Reads the files.
    pub(crate) fn new(security: Security) -> Result<Self, GatewayError> {
        let first = stamps(&security);
        let rules = read(&security).map_err(GatewayError::Setting)?;
        Ok(Self { security, first, rules: watch::Sender::new(Arc::new(rules)) })
    }

    /// Reads the files again whenever they change. What is wrong with them is said, and the old rules stay.
    pub(crate) async fn keep_up(&self) -> std::convert::Infallible {
        let mut known = self.first.clone();
        let mut last = known.clone();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = stamps(&self.security);
            // A file that is being written is left until it is quiet.
            let is_quiet = now == std::mem::replace(&mut last, now.clone());
            if now == known || !is_quiet {
                continue;
            }
            match read(&self.security) {
                Ok(rules) => {
                    tracing::info!("certificates, tokens and grants were read again");
                    self.rules.send_replace(Arc::new(rules));
                }
                Err(e) => tracing::warn!("the old certificates, tokens and grants stay: {e}"),
            }
            known = now;
        }
    }

    /// TLS for the next connection; `None`: plain text.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.rules.borrow().tls.clone()
    }

    /// Changes of the files are told to this receiver.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.rules.subscribe())
    }

    /// Whether an edge may speak for these nodes.
    ///
    /// # Errors
    /// The status that refuses it.
    pub(crate) fn admit<'n>(&self, peer: &Peer, mut nodes: impl Iterator<Item = &'n [u8]>) -> Result<(), Status> {
        if !self.security.knows_edges() {
            return Ok(());
        }
        let rules = Arc::clone(&self.rules.borrow());
        let of_token = peer.token.map(|token| rules.tokens.name(token));
        let Some(of_token) = of_token.map_or(Some(None), |name| name.map(Some)) else {
            return Err(Status::unauthenticated("the token is unknown"));
        };
        if of_token.is_none() && peer.certificate.is_empty() {
            return Err(Status::unauthenticated("show a certificate or a token"));
        }
        let names = || peer.certificate.iter().map(String::as_str).chain(of_token);
        let refused = nodes.find(|node| !std::str::from_utf8(node).is_ok_and(|node| rules.grants.allow(names(), node)));
        match refused {
            None => Ok(()),
            Some(node) => {
                let (node, name) = (String::from_utf8_lossy(node), names().next().unwrap_or_default());
                Err(Status::permission_denied(format!("{name:?} may not speak for node {node:?}")))
            }
        }
    }
}

/// Tells when the rules have changed.
#[derive(Debug)]
pub(crate) struct Changes(watch::Receiver<Arc<Rules>>);

impl Changes {
    /// Ready at the next change.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The doorman has gone, and nothing changes any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Peer {
    /// Of a connection whose handshake ended with these certificates.
    pub(crate) fn of(certificates: Option<&[CertificateDer<'_>]>) -> Self {
        let names = certificates.and_then(<[_]>::first).map(tls::names).unwrap_or_default();
        Self { certificate: names.into(), token: None }
    }

    /// The same with the token of a request, if it has one.
    pub(crate) fn with(&self, request: &MetadataMap) -> Self {
        self.bearing(request.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default())
    }

    /// The same with the token in a header `authorization`, if it has one.
    pub(crate) fn bearing(&self, authorization: &str) -> Self {
        let token = authorization.strip_prefix("Bearer ").map(|token| Digest::of(token.trim()));
        Self { token, ..self.clone() }
    }
}

fn read(security: &Security) -> Result<Rules, String> {
    let text = |path: &Path| {
        std::fs::read_to_string(path).map_err(|e| format!("the file {} cannot be read: {e}", path.display()))
    };
    let named = |path: &Path, e: String| format!("the file {}: {e}", path.display());
    let tokens = match &security.tokens {
        Some(path) => Tokens::parse(&text(path)?).map_err(|e| named(path, e))?,
        None => Tokens::default(),
    };
    let grants = match &security.grants {
        Some(path) => Grants::parse(&text(path)?).map_err(|e| named(path, e))?,
        None => Grants::default(),
    };
    let other_proof = security.tokens.is_some();
    let tls = security.tls.as_ref().map(|files| tls::config(files, other_proof)).transpose()?;
    Ok(Rules { tls, tokens, grants })
}

fn stamps(security: &Security) -> Stamps {
    let stamp = |path: &std::path::PathBuf| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()?))
    };
    security.files().map(stamp).collect()
}
