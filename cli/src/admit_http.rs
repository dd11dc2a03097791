//! Admission over HTTP: `POST /v1/admit`, with a query, a small JSON body, or neither.
//!
//! ```text
//! query, body (at most 4 KiB) ─> Ask ─> Gate ─> Verdict ─> 200 or 429, with RateLimit fields; 429 with Retry-After
//! ```
//!
//! A denial is a problem document of type `quota-exceeded`, as draft-ietf-httpapi-ratelimit-headers-11 defines it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use tidegate_producers::admission::{Ask, Gate, POLICY, Verdict, limit, policy, retry_after, why};

/// Bytes of a body.
const BODY_LIMIT: usize = 4 << 10;
const RATE_LIMIT: &str = "ratelimit";
const RATE_LIMIT_POLICY: &str = "ratelimit-policy";
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// The routes of a gate.
pub(crate) fn router(gate: Arc<Gate>) -> Router {
    Router::new().route("/v1/admit", post(admit)).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(gate)
}

async fn admit(State(gate): State<Arc<Gate>>, query: Result<Query<Ask>, QueryRejection>, body: Bytes) -> Response {
    let refused = |why: String| (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response();
    let Query(ask) = match query {
        Ok(query) => query,
        Err(e) => return refused(format!("the query is not service=NAME&cost=NUMBER: {}", e.body_text())),
    };
    let ask = match ask.with_body(&body) {
        Ok(ask) => ask,
        Err(e) => return refused(e.to_string()),
    };
    answer(&gate.ask(&ask.service, ask.cost()), ask.cost())
}

fn answer(verdict: &Verdict, cost: u32) -> Response {
    let fields = [(RATE_LIMIT_POLICY, policy(verdict)), (RATE_LIMIT, limit(verdict))];
    if verdict.admitted {
        let body = json!({ "admitted": true, "remaining": verdict.remaining });
        let content = [(header::CONTENT_TYPE, "application/json")];
        return (StatusCode::OK, fields, content, format!("{body}\n")).into_response();
    }
    let body = json!({
        "type": QUOTA_EXCEEDED,
        "title": "Request cannot be satisfied as assigned quota has been exceeded",
        "detail": why(verdict, cost),
        "violated-policies": [POLICY],
    });
    let content = [(header::CONTENT_TYPE, "application/problem+json")];
    let retry = retry_after(verdict).map(|seconds| [(header::RETRY_AFTER, seconds)]);
    let answer = (StatusCode::TOO_MANY_REQUESTS, fields, content, format!("{body}\n"));
    match retry {
        Some(retry) => (retry, answer.into_response()).into_response(),
        None => answer.into_response(),
    }
}
