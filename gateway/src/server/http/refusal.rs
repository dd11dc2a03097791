//! How a request is refused: a status, one sentence, and whether to come again.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

use super::entry::Denied;
use crate::body::BodyError;

/// Seconds after which a sender is to try again.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("2");

/// An answer that takes nothing.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    why: String,
    is_later: bool,
}

impl Refusal {
    /// For good.
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into(), is_later: false }
    }

    /// For now.
    pub(super) fn later(status: StatusCode, why: impl Into<String>) -> Self {
        Self { is_later: true, ..Self::new(status, why) }
    }

    /// As gRPC would have said it.
    fn of_status(status: &Status) -> Self {
        let code = match status.code() {
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            _ => return Self::later(StatusCode::SERVICE_UNAVAILABLE, status.message()),
        };
        Self::new(code, status.message())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown(status) => Self::of_status(&status),
            Denied::Full(refusal) => refusal.into(),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let why = error.to_string();
        match error {
            BodyError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, why),
            BodyError::Broken(_) => Self::new(StatusCode::BAD_REQUEST, why),
            BodyError::Slow => Self::later(StatusCode::SERVICE_UNAVAILABLE, why),
        }
    }
}

impl From<tidegate_otlp::Refusal> for Refusal {
    fn from(refusal: tidegate_otlp::Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { is_later: refusal.retry_after().is_some(), ..Self::new(status, refusal.why) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.why)).into_response();
        let headers = response.headers_mut();
        if self.is_later {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
