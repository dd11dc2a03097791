//! `POST /v1/metrics` and `POST /v1/traces`: OTLP over HTTP, protobuf or JSON, plain or gzip.
//!
//! ```text
//! headers ─> Encoding, compression ─ body ─> signals ─> 200, partial_success
//!    └ 415                            └ 413     └ 400, 413, 503
//! ```

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidegate_otlp::Encoding;

use super::signals::{Received, failed};
use super::{Http, Refusal, text};

/// Which of the two.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Metrics,
    Traces,
}

/// Answers one request of metrics.
pub(super) async fn metrics(State(http): State<Arc<Http>>, request: Request) -> Response {
    let answer = receive(&http, request, Signal::Metrics).await.unwrap_or_else(IntoResponse::into_response);
    http.metrics.answered("metrics", answer.status().as_u16());
    answer
}

/// Answers one request of spans.
pub(super) async fn traces(State(http): State<Arc<Http>>, request: Request) -> Response {
    let answer = receive(&http, request, Signal::Traces).await.unwrap_or_else(IntoResponse::into_response);
    http.metrics.answered("traces", answer.status().as_u16());
    answer
}

async fn receive(http: &Arc<Http>, request: Request, signal: Signal) -> Result<Response, Refusal> {
    let entered = http.enter(&request).and_then(|entered| Ok((entered, encoding(request.headers())?)));
    let ((peer, place), encoding) = match entered {
        Ok(entered) => entered,
        Err(refusal) => return Err(http.refuse(request, refusal).await),
    };
    let compression = text(request.headers(), "content-encoding").to_owned();
    let received = Received { peer, encoding, compression, body: http.body(request).await? };
    let http = Arc::clone(http);
    let taking = tokio::spawn(async move {
        let _place = place;
        Ok(match signal {
            Signal::Metrics => encoding.response(&http.take_metrics(received).await?),
            Signal::Traces => encoding.response(&http.take_spans(received).await?),
        })
    });
    let taken: Result<Vec<u8>, tidegate_otlp::Refusal> = taking.await.unwrap_or_else(|e| Err(failed(&e)));
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, encoding.content_type())], taken?).into_response())
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    Encoding::of(text(headers, "content-type")).map_err(|e| tidegate_otlp::Refusal::from(e).into())
}
