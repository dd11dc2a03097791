//! A webhook: `POST {"commands":[…]}` as JSON, batched. Any answer but 2xx is tried again by the driver, with backoff.

use std::time::Duration;

use tidegate_broker::DeliveryError;
use tidegate_broker::https::{self, Authorities};
use tidegate_schemas::records::QuotaCommand;

use super::Target;
use crate::error::SinkError;
use crate::http_address;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Commands in one request at most.
const PER_REQUEST: usize = 500;

/// The webhook.
#[derive(Debug)]
pub struct Webhook {
    url: String,
    agent: ureq::Agent,
    /// Requests of the current batch that were taken already.
    taken: usize,
}

#[derive(serde::Serialize)]
struct Body<'a> {
    commands: &'a [QuotaCommand],
}

impl Webhook {
    /// A webhook at `url`; `authorities` are believed where that is https.
    ///
    /// # Errors
    /// [`SinkError::Target`] where the URL is not one of http or https.
    pub fn new(url: &str, authorities: &Authorities) -> Result<Self, SinkError> {
        http_address::parsed("the webhook", url)?;
        let agent = authorities.client(TIMEOUT).build();
        Ok(Self { url: url.to_owned(), agent: agent.into(), taken: 0 })
    }
}

impl Target for Webhook {
    fn deliver(&mut self, commands: &[QuotaCommand]) -> Result<(), DeliveryError> {
        for part in commands.chunks(PER_REQUEST).skip(self.taken) {
            let body = serde_json::to_vec(&Body { commands: part }).map_err(|e| DeliveryError(e.to_string()))?;
            let sent = self.agent.post(&self.url).content_type("application/json").send(&body[..]);
            sent.map_err(|e| {
                let why = https::told(e.to_string());
                DeliveryError(format!("the webhook {} did not take the commands: {why}", self.url))
            })?;
            self.taken += 1;
        }
        self.taken = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_at_once() {
        let new = |url| Webhook::new(url, &Authorities::default());
        assert!(new("http://127.0.0.1:1/quotas").is_ok());
        let said = new("localhost:9000").unwrap_err().to_string();
        assert_eq!(said, "the webhook \"localhost:9000\" is not an http:// or https:// address");
    }
}
