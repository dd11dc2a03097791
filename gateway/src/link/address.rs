//! Where the gateways are, and what proves who is who. Files are read at each attempt, so that a renewed certificate or token
//! is used without a restart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::error::{GatewayError, with_causes};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// Between two pings, and how long an answer may take: so a gateway that vanished is known.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_PATIENCE: Duration = Duration::from_secs(5);

/// What an edge shows to a gateway, and what a gateway must show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// PEM file of the authorities that gateways' certificates must come from.
    pub ca: Option<PathBuf>,
    /// PEM file of the edge's own certificate, its chain behind it.
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// File that holds the edge's bearer token.
    pub token: Option<PathBuf>,
}

/// Checks `http(s)://HOST:PORT,…`.
///
/// # Errors
/// [`GatewayError::Setting`] that names what is wrong.
pub fn addresses(text: &str) -> Result<Vec<String>, GatewayError> {
    let wrong = |address: &str, why: &str| {
        GatewayError::Setting(format!("the gateway address {address:?} {why}; it wants http(s)://HOST:PORT,…"))
    };
    let mut all = Vec::new();
    for address in text.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| wrong(address, "is no address"))?;
        if !matches!(endpoint.uri().scheme_str(), Some("http" | "https")) {
            return Err(wrong(address, "has no scheme"));
        }
        if endpoint.uri().port().is_none() {
            return Err(wrong(address, "has no port"));
        }
        all.push(address.to_owned());
    }
    if all.is_empty() { Err(wrong(text, "is empty")) } else { Ok(all) }
}

impl Credentials {
    /// Checks that they go together, can be read, and are enough for these addresses.
    ///
    /// # Errors
    /// [`GatewayError::Setting`] that says what to do.
    pub fn check(&self, addresses: &[String], plain_text_anywhere: bool) -> Result<(), GatewayError> {
        let wrong = |what: String| Err(GatewayError::Setting(what));
        if self.cert.is_some() != self.key.is_some() {
            return wrong("a certificate and its key are given together: --cert and --key".into());
        }
        for address in addresses {
            let is_tls = address.starts_with("https:");
            if is_tls && self.ca.is_none() {
                return wrong(format!("{address} wants --ca FILE, the authority that its certificate comes from"));
            }
            if !is_tls && !plain_text_anywhere && !is_loopback(address) {
                return wrong(format!("{address} is on another machine: use https, or say --plain-text-anywhere"));
            }
        }
        for path in [&self.ca, &self.cert, &self.key, &self.token].into_iter().flatten() {
            read(path).map_err(GatewayError::Setting)?;
        }
        Ok(())
    }

    /// Connects to a gateway.
    pub(super) async fn connect(&self, address: &str) -> Result<Channel, String> {
        let mut endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(|e| e.to_string())?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_PATIENCE)
            .keep_alive_while_idle(true);
        if address.starts_with("https:") {
            endpoint = endpoint.tls_config(self.tls()?).map_err(|e| told(&e))?;
        }
        endpoint.connect().await.map_err(|e| told(&e))
    }

    fn tls(&self) -> Result<ClientTlsConfig, String> {
        let mut tls = ClientTlsConfig::new().timeout(CONNECT);
        if let Some(ca) = &self.ca {
            tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
        }
        if let Some((cert, key)) = self.cert.as_ref().zip(self.key.as_ref()) {
            tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        Ok(tls)
    }

    /// The `authorization` header, where there is a token.
    pub(super) fn bearer(&self) -> Result<Option<MetadataValue<Ascii>>, String> {
        let Some(path) = &self.token else { return Ok(None) };
        let token = String::from_utf8_lossy(&read(path)?).trim().to_owned();
        let mut bearer: MetadataValue<Ascii> =
            format!("Bearer {token}").parse().map_err(|_| format!("{} holds no token", path.display()))?;
        bearer.set_sensitive(true);
        Ok(Some(bearer))
    }
}

fn is_loopback(address: &str) -> bool {
    let host = Endpoint::from_shared(address.to_owned()).ok().and_then(|e| e.uri().host().map(str::to_owned));
    host.is_some_and(|host| {
        let bare = host.trim_matches(['[', ']']);
        host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))
}

/// An error with its causes, each said once.
fn told(error: &dyn std::error::Error) -> String {
    with_causes(error.to_string(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_on_this_machine_unless_it_is_said() {
        let none = Credentials::default();
        let check = |address: &str, anywhere| none.check(&[address.to_owned()], anywhere).map_err(|e| e.to_string());
        for near in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            assert_eq!(check(near, false), Ok(()));
        }
        assert!(check("http://10.0.0.1:1", false).unwrap_err().contains("--plain-text-anywhere"));
        assert_eq!(check("http://gate:1", true), Ok(()));
        assert!(check("https://gate:1", false).unwrap_err().contains("--ca FILE"));
        let half = Credentials { cert: Some("c".into()), ..none.clone() };
        assert!(half.check(&[], false).unwrap_err().to_string().contains("--cert and --key"));
        let gone = Credentials { token: Some("/nowhere/token".into()), ..none };
        assert!(gone.check(&[], false).unwrap_err().to_string().contains("/nowhere/token cannot be read"));
    }

    #[test]
    fn addresses_are_split_and_wrong_ones_are_named() {
        let all = addresses("http://127.0.0.1:4317, https://gate.example:443,").unwrap();
        assert_eq!(all, ["http://127.0.0.1:4317", "https://gate.example:443"]);
        for (text, why) in [
            ("gate:4317", "has no scheme"),
            ("http://gate", "has no port"),
            ("ftp://gate:1", "has no scheme"),
            (",", "is empty"),
            ("http://a b:1", "is no address"),
        ] {
            let said = addresses(text).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("http(s)://HOST:PORT"), "{text}: {said}");
        }
    }
}
