//! OTLP over HTTP: `POST /v1/traces`, protobuf or JSON, plain or gzip.
//!
//! ```text
//! body ─> at most 16 MiB ─> gzip, at most 32 MiB ─> receive (a thread of its own waits) ─> response
//! ```
//!
//! Answers by the specification: 200 with `partial_success` where spans were left out, 400 for what is no request, 413, 415, and
//! 503 with `Retry-After` while Kafka is behind, 429 for a body that does not come within 10 s.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tidegate_broker::Stop;
use tidegate_gateway::body::{self, BodyError};
use tidegate_otlp::{Encoding, Kind, Refusal, plain};
use tidegate_producers::spans::{SpanIntake, receive};

use crate::http;

/// Bytes of a body as it comes.
const BODY_LIMIT: usize = 16 << 20;
/// Bytes of a body without its compression.
const PLAIN_LIMIT: usize = 32 << 20;

/// Serves the receiver at `address`. Gives the address in use.
pub(crate) fn serve(address: &str, intake: Arc<dyn SpanIntake>, stop: &Stop) -> anyhow::Result<SocketAddr> {
    let router = Router::new().route("/v1/traces", post(traces));
    http::serve(address, router.with_state(intake), stop)
}

async fn traces(State(intake): State<Arc<dyn SpanIntake>>, request: Request) -> Response {
    let [content_type, compression] =
        [header::CONTENT_TYPE, header::CONTENT_ENCODING].map(|name| text(request.headers(), &name));
    let body = match body::whole(request.into_body(), BODY_LIMIT).await {
        Ok(body) => body,
        Err(error) => return refused(&unread(&error)),
    };
    let taken = tokio::task::spawn_blocking(move || take(&*intake, &content_type, &compression, &body));
    let taken = taken.await.unwrap_or_else(|e| Err(Refusal::new(Kind::Failed, e.to_string())));
    taken.unwrap_or_else(|refusal| refused(&refusal))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn take(intake: &dyn SpanIntake, content_type: &str, compression: &str, body: &[u8]) -> Result<Response, Refusal> {
    let encoding = Encoding::of(content_type)?;
    let response = receive(intake, encoding, &plain(compression, body, PLAIN_LIMIT)?)?;
    let content_type = [(header::CONTENT_TYPE, encoding.content_type())];
    Ok((StatusCode::OK, content_type, encoding.response(&response)).into_response())
}

fn unread(error: &BodyError) -> Refusal {
    let kind = match error {
        BodyError::TooLarge { .. } => Kind::TooLarge,
        BodyError::Broken(_) => Kind::Malformed,
        BodyError::Slow => Kind::Busy,
    };
    Refusal::new(kind, error.to_string())
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, format!("{}\n", refusal.why)).into_response();
    if let Some(after) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().into());
    }
    response
}
