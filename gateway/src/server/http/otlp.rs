//! `POST /v1/metrics` and `POST /v1/traces`: OTLP over HTTP, protobuf or JSON, plain or gzip.
//!
//! ```text
//! headers ─> Encoding ─ gzip ─> metrics ─> series ─> Samples ─> 200, partial_success
//!                          └──> spans ─> SpanReceiver ────────> 200, partial_success
//! ```

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidegate_otlp::{Encoding, ExportMetricsPartialSuccess, ExportMetricsServiceResponse, OtlpError, plain};
use tidegate_producers::spans::SpanIntake;
use tidegate_samples::remote_write::Contents;
use tidegate_samples::{Counts, otlp};

use super::reasons::reasons;
use super::{Http, Refusal, text};
use crate::server::security::Peer;

/// Which of the two.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Metrics,
    Traces,
}

/// What a request is, once it is here.
struct Received {
    peer: Peer,
    encoding: Encoding,
    compression: String,
    body: Bytes,
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
        match signal {
            Signal::Metrics => take_metrics(&http, received).await,
            Signal::Traces => take_spans(&http, received).await,
        }
    });
    taking.await.unwrap_or_else(|e| Err(internal(&e)))
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    Encoding::of(text(headers, "content-type")).map_err(refusal)
}

async fn take_metrics(http: &Arc<Http>, received: Received) -> Result<Response, Refusal> {
    let (samples, most, encoding) = (Arc::clone(&http.samples), http.limits.batch.bytes, received.encoding);
    let reading = tokio::task::spawn_blocking(move || {
        let decoded = encoding.metrics(&plain(&received.compression, &received.body, most)?)?;
        let mut request = tidegate_samples::collect::Request::default();
        let contents = otlp::read(&decoded, &mut |labels, of| samples.add(&mut request, &received.peer, labels, of));
        Ok::<_, OtlpError>((request, contents))
    });
    let (request, contents) = reading.await.map_err(|e| internal(&e))?.map_err(|e| {
        http.intake.refused("body");
        refusal(e)
    })?;
    let contents = contents.and(request.invalid());
    match http.samples.take(request).await {
        Ok(counts) => Ok(answer(encoding, &contents, &counts)),
        Err(why) => Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

fn answer(encoding: Encoding, contents: &Contents, counts: &Counts) -> Response {
    let refused = contents.invalid + counts.refused();
    let partial_success = (refused > 0).then(|| ExportMetricsPartialSuccess {
        rejected_data_points: i64::try_from(refused).unwrap_or(i64::MAX),
        error_message: reasons(contents, counts),
    });
    success(encoding, encoding.response(&ExportMetricsServiceResponse { partial_success }))
}

async fn take_spans(http: &Arc<Http>, received: Received) -> Result<Response, Refusal> {
    let (spans, most, encoding) = (Arc::clone(&http.spans), http.limits.batch.bytes, received.encoding);
    // It waits for Kafka on its thread.
    let taking = tokio::task::spawn_blocking(move || {
        let plain = plain(&received.compression, &received.body, most).map_err(refusal)?;
        let request = encoding.request(&plain).map_err(refusal)?;
        spans.take(request).map_err(|e| match e.is_retryable() {
            true => Refusal::later(StatusCode::SERVICE_UNAVAILABLE, e.to_string()),
            false => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
        })
    });
    let response = taking.await.map_err(|e| internal(&e))??;
    Ok(success(encoding, encoding.response(&response)))
}

fn success(encoding: Encoding, body: Vec<u8>) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}

fn refusal(error: OtlpError) -> Refusal {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal::new(status, error.to_string())
}

fn internal(error: &tokio::task::JoinError) -> Refusal {
    Refusal::later(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
