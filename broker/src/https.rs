//! Whose certificates are believed where tidegate asks others by https: registries, webhooks, Alertmanagers, OTLP backends.
//!
//! ```text
//! PEM file ─> Authorities ─┬─> client: of HTTP
//!                          └─> pem: for clients of gRPC
//! ```
//!
//! Without a file these are the public ones, as Mozilla keeps them.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use crate::error::BrokerError;

/// The authorities that are believed.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Option<Own>);

#[derive(Debug, Clone)]
struct Own {
    pem: Vec<u8>,
    roots: RootCerts,
}

impl Authorities {
    /// Those of a PEM file, in the place of the public ones.
    ///
    /// # Errors
    /// [`BrokerError::Authorities`] where it cannot be read, or holds no certificate.
    pub fn read(path: &Path) -> Result<Self, BrokerError> {
        let wrong = |message: String| BrokerError::Authorities { path: path.to_owned(), message };
        let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        let items: Vec<PemItem<'_>> = parse_pem(&pem).collect::<Result<_, _>>().map_err(|e| wrong(e.to_string()))?;
        let certificate = |item| if let PemItem::Certificate(one) = item { Some(one) } else { None };
        let certificates: Vec<Certificate<'static>> = items.into_iter().filter_map(certificate).collect();
        if certificates.is_empty() {
            return Err(wrong("it holds no certificate".to_owned()));
        }
        Ok(Self(Some(Own { pem, roots: certificates.into_iter().into() })))
    }

    /// What HTTP clients begin with: they believe these, and wait so long for an answer.
    #[must_use]
    pub fn client(&self, patience: Duration) -> ConfigBuilder<AgentScope> {
        let client = Agent::config_builder().timeout_global(Some(patience));
        match &self.0 {
            Some(own) => client.tls_config(TlsConfig::builder().root_certs(own.roots.clone()).build()),
            None => client,
        }
    }

    /// Whether somebody answers at a URL, whatever the answer is: the status of a HEAD.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn status_of(&self, url: &str, patience: Duration) -> Result<u16, String> {
        let agent: Agent = self.client(patience).http_status_as_error(false).build().into();
        let answer = agent.head(url).call();
        answer.map(|answer| answer.status().as_u16()).map_err(|e| told(e.to_string()))
    }

    /// The file; `None`: the public ones.
    #[must_use]
    pub fn pem(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|own| &own.pem[..])
    }
}

/// What a client said, with what may help against it.
#[must_use]
pub fn told(said: String) -> String {
    // As rustls says it, whatever client is above it.
    if said.contains("UnknownIssuer") {
        return format!(
            "{said}; where the certificate comes from an authority of your own, give its file: --https-ca FILE"
        );
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = |text: &str| {
            let file = folder.path().join("ca.pem");
            std::fs::write(&file, text).unwrap();
            Authorities::read(&file).unwrap_err().to_string().replace(&file.display().to_string(), "FILE")
        };
        let want = "FILE gives no authorities for https: it holds no certificate; it wants a PEM file of certificates";
        for text in ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(said(text), want, "{text}");
        }
        assert!(
            said("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n")
                .starts_with("FILE gives no authorities")
        );
        assert!(Authorities::read(&folder.path().join("none")).is_err());
        assert!(Authorities::default().pem().is_none());
    }

    #[test]
    fn only_an_unknown_authority_is_hinted_at() {
        assert!(told("invalid peer certificate: UnknownIssuer".into()).ends_with("--https-ca FILE"));
        assert_eq!(told("invalid peer certificate: Expired".into()), "invalid peer certificate: Expired");
    }
}
