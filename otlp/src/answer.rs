//! What a backend's answer over HTTP means (OTLP/HTTP, "Failures" and "Throttling").

use std::time::Duration;

use prost::Message;

use crate::{EXCERPT, Encoding, ExportTraceServiceResponse};

/// What to do after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All of it was taken.
    Taken,
    /// So many spans were not, and are not to be sent again; why.
    Partly(u64, String),
    /// Nothing was taken; try again, after so long where the backend says it; why.
    Later(Option<Duration>, String),
    /// Nothing was taken, and never will be; why.
    Never(String),
}

/// By status, `Retry-After` and body; `encoding` is the body's where it is one of OTLP's.
#[must_use]
pub fn answer(status: u16, retry_after: Option<&str>, encoding: Option<Encoding>, body: &[u8]) -> Answer {
    let why = || {
        let text = String::from_utf8_lossy(body);
        let text: String = text.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
        format!("status {status} {text}").trim_end().to_owned()
    };
    match status {
        200..300 => partly(encoding, body),
        429 | 502 | 503 | 504 => {
            let seconds = retry_after.and_then(|seconds| seconds.trim().parse().ok());
            Answer::Later(seconds.map(Duration::from_secs), why())
        }
        _ => Answer::Never(why()),
    }
}

/// A backend that answers something else with success has taken it.
fn partly(encoding: Option<Encoding>, body: &[u8]) -> Answer {
    let response = match encoding {
        Some(Encoding::Protobuf) => ExportTraceServiceResponse::decode(body).ok(),
        Some(Encoding::Json) => serde_json::from_slice::<ExportTraceServiceResponse>(body).ok(),
        None => None,
    };
    partial(response)
}

/// What a response refuses.
pub(crate) fn partial(response: Option<ExportTraceServiceResponse>) -> Answer {
    match response.and_then(|response| response.partial_success) {
        Some(partial) if partial.rejected_spans > 0 => {
            Answer::Partly(partial.rejected_spans.unsigned_abs(), partial.error_message)
        }
        _ => Answer::Taken,
    }
}
