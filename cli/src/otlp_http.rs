//! OTLP over HTTP: `POST /v1/traces`, protobuf or JSON, plain or gzip.
//!
//! ```text
//! body ─> at most 16 MiB ─> gzip, at most 32 MiB ─> request ─> SpanIntake (a thread of its own waits) ─> response
//! ```
//!
//! Answers by the specification: 200 with `partial_success` where spans were left out, 400 for what is no request, 413, 415, and
//! 503 with `Retry-After` while Kafka is behind.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use tidegate_broker::Stop;
use tidegate_otlp::{Encoding, OtlpError};
use tidegate_producers::ProducerError;
use tidegate_producers::spans::SpanIntake;

use crate::http;

/// Bytes of a body as it comes.
const BODY_LIMIT: usize = 16 << 20;
/// Bytes of a body without its compression.
const PLAIN_LIMIT: u64 = 32 << 20;
/// Seconds after which a client is to try again.
const RETRY_AFTER_S: &str = "2";

/// Serves the receiver at `address`. Gives the address in use.
pub(crate) fn serve(address: &str, intake: Arc<dyn SpanIntake>, stop: &Stop) -> anyhow::Result<SocketAddr> {
    let router = Router::new().route("/v1/traces", post(traces)).layer(DefaultBodyLimit::max(BODY_LIMIT));
    http::serve(address, router.with_state(intake), stop)
}

async fn traces(State(intake): State<Arc<dyn SpanIntake>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (content_type, compression) = (text(header::CONTENT_TYPE), text(header::CONTENT_ENCODING));
    let taken = tokio::task::spawn_blocking(move || take(&*intake, &content_type, &compression, &body));
    taken.await.unwrap_or_else(|e| refusal(StatusCode::INTERNAL_SERVER_ERROR, &e))
}

fn take(intake: &dyn SpanIntake, content_type: &str, compression: &str, body: &[u8]) -> Response {
    let encoding = match Encoding::of(content_type) {
        Ok(encoding) => encoding,
        Err(e) => return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &e),
    };
    let plain = match compression {
        "" | "identity" => Ok(body.to_vec()),
        "gzip" => inflated(body),
        other => {
            let said = format!("the content encoding {other:?} is not supported; send gzip or none");
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &said);
        }
    };
    let plain = match plain {
        Ok(plain) if plain.len() as u64 > PLAIN_LIMIT => {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is larger than {PLAIN_LIMIT} bytes"));
        }
        Ok(plain) => plain,
        Err(e) => return refusal(StatusCode::BAD_REQUEST, &format!("the body is no gzip: {e}")),
    };
    let request = match encoding.request(&plain) {
        Ok(request) => request,
        Err(e @ OtlpError::TooManyParts { .. }) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, &e),
        Err(e) => return refusal(StatusCode::BAD_REQUEST, &e),
    };
    match intake.take(request) {
        Ok(response) => {
            let content_type = [(header::CONTENT_TYPE, encoding.content_type())];
            (StatusCode::OK, content_type, encoding.response(&response)).into_response()
        }
        Err(e @ ProducerError::Behind { .. }) => {
            let after = [(header::RETRY_AFTER, RETRY_AFTER_S)];
            (after, refusal(StatusCode::SERVICE_UNAVAILABLE, &e)).into_response()
        }
        Err(e) if e.is_retryable() => refusal(StatusCode::SERVICE_UNAVAILABLE, &e),
        Err(e) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &e),
    }
}

/// As much as is allowed, and one byte more where there is more.
fn inflated(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(body).take(PLAIN_LIMIT + 1).read_to_end(&mut plain)?;
    Ok(plain)
}

fn refusal(status: StatusCode, why: &impl std::fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}
