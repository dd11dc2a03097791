//! Requests that spans tell of: server spans by service, and those of them that failed. Pure.

use std::collections::BTreeMap;

use tidegate_schemas::records::{AttributeValue, Span, SpanKind, StatusCode};

use crate::admission::RequestCounts;

/// Resource attribute that names the service.
const SERVICE_NAME: &str = "service.name";

/// Counts the requests that spans tell of.
pub fn count_served(spans: &[Span], counts: &RequestCounts) {
    for (service, (requests, failed)) in served(spans) {
        counts.count(service, requests, failed);
    }
}

/// Requests and failures of each service; a span of kind SERVER is a request, one with status ERROR failed.
fn served(spans: &[Span]) -> BTreeMap<&str, (u64, u64)> {
    let mut services = BTreeMap::new();
    for span in spans.iter().filter(|span| span.kind == SpanKind::Server) {
        let (requests, failed) = services.entry(service(span)).or_insert((0, 0));
        *requests += 1;
        *failed += u64::from(span.status.code == StatusCode::Error);
    }
    services
}

fn service(span: &Span) -> &str {
    let named = span.resource_attributes.iter().find(|attribute| attribute.key == SERVICE_NAME);
    match named.map(|attribute| &attribute.value) {
        Some(AttributeValue::Text(name)) => name,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use tidegate_otlp::{Encoding, records_of};

    use super::*;

    #[test]
    fn server_spans_are_requests_and_those_with_an_error_failed() {
        let span = |kind: u8, status: u8| {
            format!(
                r#"{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET","kind":{kind},
                "startTimeUnixNano":"1","endTimeUnixNano":"2","status":{{"code":{status}}}}}"#
            )
        };
        let resource = |attributes: &str, spans: &[String]| {
            let spans = spans.join(",");
            format!(r#"{{"resource":{{"attributes":[{attributes}]}},"scopeSpans":[{{"spans":[{spans}]}}]}}"#)
        };
        let shop = resource(
            r#"{"key":"service.name","value":{"stringValue":"shop"}}"#,
            &[span(2, 0), span(2, 1), span(2, 2), span(3, 2), span(1, 0)],
        );
        let unnamed = resource("", &[span(2, 0)]);
        let body = format!(r#"{{"resourceSpans":[{shop},{unnamed}]}}"#);
        let spans = records_of(Encoding::Json.request(body.as_bytes()).unwrap()).spans;
        assert_eq!(served(&spans), BTreeMap::from([("", (1, 0)), ("shop", (3, 1))]));
    }
}
