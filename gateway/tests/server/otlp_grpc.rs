//! OTLP over gRPC at the gateway: the same as over HTTP, in gRPC's words.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_broker::https::Authorities;
use tidegate_gateway::otlp::GrpcBackend;
use tidegate_gateway::{Limits, Security};
use tidegate_otlp::{
    Answer, Encoding, ExportMetricsServiceRequest, ExportMetricsServiceResponse, ExportTraceServiceRequest, SpanBackend,
};
use tidegate_schemas::Topic;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::office::{Office, tokens};
use crate::otlp::{metrics, now_s};
use crate::site::{LIMITS, PATIENCE, Site};

const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

fn spans(json: &str) -> ExportTraceServiceRequest {
    Encoding::Json.request(json.as_bytes()).unwrap()
}

/// One that is a span, and one that is none.
fn two_spans() -> ExportTraceServiceRequest {
    spans(
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"x"},
        {"traceId":"00","spanId":"eee19b7ec3c1b174","name":"y"}]}]}]}"#,
    )
}

fn large() -> ExportTraceServiceRequest {
    let name = "n".repeat(2 * LIMITS.batch.bytes);
    spans(&format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"{name}"}}]}}]}}]}}"#))
}

fn backend(site: &Site, headers: &[(&str, &str)], gzip: bool) -> GrpcBackend {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    GrpcBackend::new(&site.address, &headers.collect::<BTreeMap<_, _>>(), gzip, &Authorities::default()).unwrap()
}

async fn connect(site: &Site) -> Grpc<Channel> {
    let channel = Endpoint::from_shared(site.address.clone()).unwrap().connect().await.unwrap();
    let mut service = Grpc::new(channel);
    service.ready().await.unwrap();
    service
}

async fn send_metrics(site: &Site, token: &str, body: &str) -> Result<ExportMetricsServiceResponse, Status> {
    let mut request = Request::new(Encoding::Json.metrics(body.as_bytes()).unwrap());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let codec = ProstCodec::<ExportMetricsServiceRequest, ExportMetricsServiceResponse>::default();
    let answer = connect(site).await.unary(request, PathAndQuery::from_static(METRICS), codec).await;
    answer.map(tonic::Response::into_inner)
}

#[test]
fn spans_are_taken_plain_and_compressed_and_what_is_none_is_said() {
    let site = Site::start();
    for (gzip, stand) in [(false, 1), (true, 2)] {
        let answer = backend(&site, &[], gzip).send(&two_spans());
        assert!(matches!(&answer, Answer::Partly(1, why) if why.contains("trace id has 1 bytes")), "{answer:?}");
        assert_eq!(site.read(Topic::Spans).len(), stand);
    }
}

#[test]
fn what_is_too_large_is_refused_for_good_before_it_is_large_in_memory() {
    let site = Site::start();
    for gzip in [false, true] {
        let answer = backend(&site, &[], gzip).send(&large());
        let wanted = "status RESOURCE_EXHAUSTED a message of more than 200000 bytes is not taken";
        assert_eq!(answer, Answer::Never(wanted.into()), "gzip: {gzip}");
    }
    // Two bytes each on the wire, and some hundred in memory.
    let limits = Limits { batch: tidegate_gateway::batch::BatchLimits { bytes: 4 << 20, ..LIMITS.batch }, ..LIMITS };
    let site = Site::limited(Security::default(), limits);
    let mut many = two_spans();
    many.resource_spans[0].scope_spans[0].spans = vec![Default::default(); 500_000];
    let answer = backend(&site, &[], true).send(&many);
    assert!(matches!(&answer, Answer::Never(why) if why.contains("more than 400000 spans")), "{answer:?}");
    assert_eq!(site.read(Topic::Spans).len(), 0);
}

#[test]
fn who_asks_is_known_as_over_http() {
    let office = Office::new();
    tokens(&office.path("tokens"), &[("web-1", "secret")]);
    let site = Site::secured(Security { tokens: Some(office.path("tokens")), ..Security::default() });
    let answer = backend(&site, &[], true).send(&two_spans());
    assert_eq!(answer, Answer::Never("status UNAUTHENTICATED show a certificate or a token".into()));
    let answer = backend(&site, &[("authorization", "Bearer secret")], true).send(&two_spans());
    assert!(matches!(answer, Answer::Partly(1, _)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_become_load_where_they_are_granted() {
    let office = Office::new();
    tokens(&office.path("tokens"), &[("web-1", "secret")]);
    let site = Site::secured(Security { tokens: Some(office.path("tokens")), ..Security::default() });
    let first = now_s() - 30;
    for (at, busy) in [(first, 0.1), (first + 10, 0.3), (first + 20, 0.5)] {
        let answer = send_metrics(&site, "secret", &metrics("web-1", at, busy)).await.unwrap();
        assert_eq!(answer.partial_success, None);
    }
    let answer = send_metrics(&site, "secret", &metrics("web-2", first, 0.1)).await.unwrap();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_data_points, 5);
    assert!(partial.error_message.contains("may not speak for their node"), "{}", partial.error_message);
    let refused = send_metrics(&site, "other", &metrics("web-1", first, 0.1)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert_eq!(site.read(Topic::Load).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_comes_again_and_what_is_no_request_does_not() {
    let site = Site::start();
    let mut first = connect(&site).await;
    let waiting = tokio::spawn(async move {
        loop {
            let never = Request::new(tokio_stream::pending::<Vec<u8>>());
            let codec = ProstCodec::<Vec<u8>, ()>::default();
            // Whoever asks below may have the place first.
            first.ready().await.unwrap();
            drop(first.client_streaming(never, PathAndQuery::from_static(TRACES), codec).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let ask = async |site: &Site| {
        // On the wire this is a request whose first part is no `ResourceSpans`.
        let codec = ProstCodec::<Vec<u8>, ()>::default();
        let request = Request::new(vec![0xff; 8]);
        connect(site).await.unary(request, PathAndQuery::from_static(TRACES), codec).await.unwrap_err()
    };
    // Until the first call is there, there is a place.
    let mut status = ask(&site).await;
    let until = tokio::time::Instant::now() + PATIENCE;
    while status.code() != tonic::Code::ResourceExhausted && tokio::time::Instant::now() < until {
        status = ask(&site).await;
    }
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert!(site.counted("requests") > 0);
    let said = tidegate_gateway::otlp::meaning(8, status.details());
    assert!(matches!(said, Answer::Later(Some(_), _)), "{said:?}");
    waiting.abort();
    let until = tokio::time::Instant::now() + PATIENCE;
    // A refusal may come before its request was sent whole, and then the client knows only that its stream was reset.
    while status.code() != tonic::Code::InvalidArgument && tokio::time::Instant::now() < until {
        status = ask(&site).await;
    }
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{}", status.message());
    assert!(status.message().contains("no ExportTraceServiceRequest as protobuf"), "{}", status.message());
}
