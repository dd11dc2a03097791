//! The server of the schema registry's REST API for our catalogue: sockets here, answers in `tidegate-schemas`.

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tidegate_schemas::registry_api::{Request, answer};

/// Content type of the registry's answers.
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Routes of the registry for the topics with `prefix`.
pub fn router(prefix: &str) -> Router {
    let prefix = prefix.to_owned();
    Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
        let prefix = prefix.clone();
        async move { serve(&prefix, &method, &uri, &body) }
    })
}

fn serve(prefix: &str, method: &Method, uri: &Uri, body: &[u8]) -> Response {
    let segments: Vec<String> = uri.path().trim_matches('/').split('/').map(percent_decode).collect();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = answer(prefix, Request { method: method.as_str(), path: &path, body });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], answer.body.to_string()).into_response()
}

/// Decodes `%XX`; what is malformed stays as it is.
fn percent_decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = segment.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        if let Some(byte) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            out.push(byte);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded() {
        assert_eq!(percent_decode("tidegate.quotas-value"), "tidegate.quotas-value");
        assert_eq!(percent_decode("a%2Fb%zz%"), "a/b%zz%");
    }
}
