//! One OTLP/HTTP endpoint: a request out, its answer understood.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate_broker::https::{self, Authorities};
use tidegate_otlp::{Answer, Encoding, ExportTraceServiceRequest, SpanBackend, answer};

use crate::error::SinkError;
use crate::http_address;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Of a signal on a base address (OTLP/HTTP, "endpoint URLs").
const TRACES: &str = "/v1/traces";
/// Bytes of an answer that are read at most.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// How bodies are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyCompression {
    /// As `Content-Encoding: gzip`.
    #[default]
    Gzip,
    /// Not at all: some receivers know no compression.
    None,
}

/// A backend over HTTP.
#[derive(Debug)]
pub struct HttpBackend {
    url: String,
    compression: BodyCompression,
    headers: BTreeMap<String, String>,
    agent: ureq::Agent,
}

impl HttpBackend {
    /// A backend at `url`: a base address, to which `/v1/traces` is added, or a whole one. `headers` go with every request.
    /// `authorities` are believed where that is https.
    ///
    /// # Errors
    /// [`SinkError::Target`] where the URL is not one of http or https.
    pub fn new(url: &str, headers: BTreeMap<String, String>, authorities: &Authorities) -> Result<Self, SinkError> {
        let uri = http_address::parsed("the OTLP backend", url)?;
        let base = url.trim_end_matches('/');
        let whole =
            if uri.path().trim_end_matches('/').is_empty() { format!("{base}{TRACES}") } else { url.to_owned() };
        let agent = authorities.client(TIMEOUT).http_status_as_error(false).build();
        Ok(Self { url: whole, compression: BodyCompression::default(), headers, agent: agent.into() })
    }

    /// The same backend, sent bodies of this compression.
    #[must_use]
    pub fn with_compression(self, compression: BodyCompression) -> Self {
        Self { compression, ..self }
    }

    /// The answer; an error where there is none.
    fn post(&self, spans: &ExportTraceServiceRequest) -> Result<Answer, String> {
        let mut body = Encoding::Protobuf.body(spans);
        let mut request = self.agent.post(&self.url).content_type(Encoding::Protobuf.content_type());
        if self.compression == BodyCompression::Gzip {
            body = compressed(&body).map_err(|e| e.to_string())?;
            request = request.header("Content-Encoding", "gzip");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.send(&body[..]).map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (after, content_type) = (header("Retry-After"), header("Content-Type"));
        let encoding = content_type.and_then(|ty| Encoding::of(&ty).ok());
        let said = response.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec().map_err(|e| e.to_string())?;
        let answer = answer(status, after.as_deref(), encoding, &said);
        Ok(if self.compression == BodyCompression::Gzip { hinted(answer, status) } else { answer })
    }
}

impl SpanBackend for HttpBackend {
    fn address(&self) -> &str {
        &self.url
    }

    fn send(&mut self, request: &ExportTraceServiceRequest) -> Answer {
        self.post(request).unwrap_or_else(|why| Answer::Later(None, format!("it did not answer: {}", https::told(why))))
    }
}

/// Some receivers know no compression, and call a compressed body a malformed one.
fn hinted(answer: Answer, status: u16) -> Answer {
    match answer {
        Answer::Never(why) if matches!(status, 400 | 415) => {
            Answer::Never(format!("{why}; where it reads no gzip, set --otlp-compression none"))
        }
        answer => answer,
    }
}

fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_compressed_body_may_have_caused_is_hinted_at() {
        let said = |status| match hinted(Answer::Never("bad body".into()), status) {
            Answer::Never(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(said(400), "bad body; where it reads no gzip, set --otlp-compression none");
        assert_eq!(said(401), "bad body");
    }

    #[test]
    fn a_base_address_gets_the_path_of_traces() {
        let url = |of: &str| {
            HttpBackend::new(of, BTreeMap::new(), &Authorities::default())
                .map(|backend| backend.url)
                .map_err(|e| e.to_string())
        };
        assert_eq!(url("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url("http://127.0.0.1:4318/").unwrap(), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url("https://tempo.example/otlp/v1/traces").unwrap(), "https://tempo.example/otlp/v1/traces");
        let said = url("127.0.0.1:4318").unwrap_err();
        assert_eq!(said, "the OTLP backend \"127.0.0.1:4318\" is not an http:// or https:// address");
    }
}
