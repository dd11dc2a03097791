//! Who may bring something, and whether there is a place for it: one answer for every transport.

use std::sync::Arc;

use tidegate_otlp::{Kind, Refusal};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::Http;
use crate::otlp::status::refused;
use crate::server::security::Peer;

/// Why somebody is not let in.
#[derive(Debug)]
pub(super) enum Denied {
    /// By the files of the gateway.
    Unknown(Status),
    /// For now.
    Full(Refusal),
}

impl Http {
    /// A place for a request, as long as it is kept.
    pub(super) fn admit(&self, peer: &Peer) -> Result<OwnedSemaphorePermit, Denied> {
        if self.stop.is_set() {
            return Err(Denied::Full(Refusal::new(Kind::Behind, "this gateway is stopping; use another one")));
        }
        self.intake.admit(peer, std::iter::empty()).map_err(Denied::Unknown)?;
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            self.intake.refused("requests");
            let most = self.limits.requests;
            Denied::Full(Refusal::new(Kind::Busy, format!("{most} requests are being taken already")))
        })
    }
}

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown(status) => status,
            Denied::Full(refusal) => refused(&refusal),
        }
    }
}
