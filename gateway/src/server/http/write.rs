//! `POST /api/v1/write`: Prometheus Remote-Write 1.0 and 2.0, answered by their specifications.
//!
//! ```text
//! headers ─> Protocol ─ snappy ─> series ─> Samples ─> 204
//!    └ 415                └ 400, 413              └ 400, 403: the rest was taken; 503: send it again
//! ```

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tidegate_samples::remote_write::{self, Contents, Protocol};
use tidegate_samples::{Counts, SamplesError};

use super::reasons::reasons;
use super::{Http, Refusal, text};
use crate::server::security::Peer;

/// The headers of 2.0 that say how much was written.
const WRITTEN: [&str; 3] = [
    "x-prometheus-remote-write-samples-written",
    "x-prometheus-remote-write-histograms-written",
    "x-prometheus-remote-write-exemplars-written",
];

/// Answers one request.
pub(super) async fn write(State(http): State<Arc<Http>>, request: Request) -> Response {
    let answer = receive(&http, request).await.unwrap_or_else(IntoResponse::into_response);
    http.metrics.answered("write", answer.status().as_u16());
    answer
}

async fn receive(http: &Arc<Http>, request: Request) -> Result<Response, Refusal> {
    let entered = http.enter(&request).and_then(|entered| Ok((entered, protocol(request.headers()).map_err(refusal)?)));
    let ((peer, place), protocol) = match entered {
        Ok(entered) => entered,
        Err(refusal) => return Err(http.refuse(request, refusal).await),
    };
    let body = http.body(request).await?;
    let http = Arc::clone(http);
    let taking = tokio::spawn(async move {
        let _place = place;
        take(&http, protocol, peer, body).await
    });
    taking.await.unwrap_or_else(|e| Err(Refusal::later(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())))
}

fn protocol(headers: &HeaderMap) -> Result<Protocol, SamplesError> {
    let version = text(headers, "x-prometheus-remote-write-version");
    Protocol::of(text(headers, "content-type"), text(headers, "content-encoding"), version)
}

async fn take(http: &Arc<Http>, protocol: Protocol, peer: Peer, body: Bytes) -> Result<Response, Refusal> {
    let (samples, allowed) = (Arc::clone(&http.samples), http.limits.batch.bytes);
    let reading = tokio::task::spawn_blocking(move || {
        let plain = remote_write::uncompress(&body, allowed)?;
        let mut request = tidegate_samples::collect::Request::default();
        let contents = remote_write::read(protocol, &plain, &mut |labels, of| {
            samples.add(&mut request, &peer, labels, of);
        })?;
        Ok::<_, SamplesError>((request, contents))
    });
    let read = reading.await.map_err(|e| Refusal::later(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    let (request, contents) = read.map_err(|e| {
        http.intake.refused("body");
        refusal(e)
    })?;
    let contents = contents.and(request.invalid());
    match http.samples.take(request).await {
        Ok(counts) => Ok(answer(protocol, &contents, &counts)),
        Err(why) => Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, why)),
    }
}

fn refusal(error: SamplesError) -> Refusal {
    let status = match &error {
        SamplesError::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        e if e.is_size() => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Refusal::new(status, error.to_string())
}

/// What was taken is on its way or needs none; what was not will never be.
fn answer(protocol: Protocol, contents: &Contents, counts: &Counts) -> Response {
    let refused = counts.refused() + contents.invalid;
    let status = match (refused, counts.not_granted) {
        (0, _) => StatusCode::NO_CONTENT,
        (_, 0) => StatusCode::BAD_REQUEST,
        _ => StatusCode::FORBIDDEN,
    };
    let said = if refused == 0 { String::new() } else { format!("{}\n", reasons(contents, counts)) };
    let mut response = (status, said).into_response();
    if protocol == Protocol::V2 {
        let samples = contents.samples.saturating_sub(counts.refused());
        for (name, count) in WRITTEN.into_iter().zip([samples, contents.histograms, contents.exemplars]) {
            response.headers_mut().insert(name, HeaderValue::from(count));
        }
    }
    response
}
