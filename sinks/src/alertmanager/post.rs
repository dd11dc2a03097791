//! One Alertmanager: where it is, and what its answers mean.

use std::time::Duration;

use tidegate_broker::https::{self, Authorities};

use crate::error::SinkError;
use crate::http_address;

const PATH: &str = "/api/v2/alerts";
const TIMEOUT: Duration = Duration::from_secs(5);
/// What is read of an answer at most.
const ANSWER_BYTES: u64 = 4096;

#[derive(Debug)]
pub(super) struct Target {
    url: String,
    address: String,
    agent: ureq::Agent,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    /// It understood the request and will not have it.
    Refused(String),
    /// It is not there, or not itself: to be tried again.
    Away(String),
}

impl Target {
    pub(super) fn new(url: &str, authorities: &Authorities) -> Result<Self, SinkError> {
        http_address::parsed("the Alertmanager", url)?;
        let base = url.trim_end_matches('/');
        let address = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        let config = authorities.client(TIMEOUT).http_status_as_error(false);
        Ok(Self { url: url.to_owned(), address, agent: config.build().into() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn post(&self, body: &[u8]) -> Answer {
        match self.agent.post(&self.address).content_type("application/json").send(body) {
            Err(e) => Answer::Away(https::told(e.to_string())),
            Ok(mut response) => {
                let status = response.status().as_u16();
                let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
                let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
                let said = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
                meaning(status, is_page, &said.unwrap_or_default())
            }
        }
    }
}

fn meaning(status: u16, is_page: bool, said: &str) -> Answer {
    if is_page {
        return Answer::Away(format!("it answers {status} with a web page: is that the address of an Alertmanager?"));
    }
    let said: String = said.trim().trim_matches('"').chars().filter(|c| !c.is_control()).take(300).collect();
    match status {
        200..300 => Answer::Taken,
        400 | 413 | 422 => Answer::Refused(format!("{status} {said}")),
        _ => Answer::Away(format!("it answers {status} {said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_at_once() {
        let new = |url| Target::new(url, &Authorities::default());
        assert_eq!(new("http://a:9093/am/").unwrap().address, "http://a:9093/am/api/v2/alerts");
        assert_eq!(new("http://a:9093/api/v2/alerts").unwrap().address, "http://a:9093/api/v2/alerts");
        let said = new("localhost:9093").unwrap_err().to_string();
        assert_eq!(said, "the Alertmanager \"localhost:9093\" is not an http:// or https:// address");
    }

    #[test]
    fn answers_are_taken_refusals_or_absence() {
        assert_eq!(meaning(200, false, ""), Answer::Taken);
        assert_eq!(meaning(400, false, "\"bad labels\"\n"), Answer::Refused("400 bad labels".into()));
        assert!(matches!(meaning(200, true, "<html>"), Answer::Away(why) if why.contains("web page")));
        assert!(matches!(meaning(404, false, ""), Answer::Away(_)));
        assert!(matches!(meaning(503, false, ""), Answer::Away(_)));
    }
}
