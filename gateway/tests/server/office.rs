//! An authority that issues certificates, and the files that a gateway reads.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use tidegate_gateway::{Security, TlsFiles};

/// An authority, and the files of a gateway.
pub(crate) struct Office {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Office {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { authority, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A certificate and its key, PEM.
    pub(crate) fn issue(&self, common_name: &str, hosts: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        (params.signed_by(&key, &self.authority).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn install_server(&self) {
        let (cert, key) = self.issue("gate", &["127.0.0.1"]);
        self.write("gate.pem", &cert);
        self.write("gate.key", &key);
    }

    pub(crate) fn authority_pem(&self) -> String {
        self.authority.as_ref().pem()
    }

    /// TLS, edges known by certificates of this authority.
    pub(crate) fn security(&self) -> Security {
        self.install_server();
        let client_ca = Some(self.write("ca.pem", &self.authority_pem()));
        let tls = Some(TlsFiles { cert: self.path("gate.pem"), key: self.path("gate.key"), client_ca });
        Security { tls, ..Security::default() }
    }
}

/// Writes a file of tokens.
pub(crate) fn tokens(path: &Path, all: &[(&str, &str)]) {
    let line = |(name, token): &(&str, &str)| {
        let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{name} {hash}\n")
    };
    std::fs::write(path, all.iter().map(line).collect::<String>()).unwrap();
}
