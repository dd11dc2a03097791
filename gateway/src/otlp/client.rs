//! A backend over gRPC, for the export: a call out, its answer understood.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tidegate_broker::https::{self, Authorities};
use tidegate_otlp::{Answer, ExportTraceServiceRequest, SpanBackend, grpc_success};
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::codec::Raw;
use super::status::understood;
use crate::error::{GatewayError, with_causes};
use crate::guard::readable;

const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Between two pings while a call waits, and how long an answer may take: so a backend that vanished is known.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const ANSWER_LIMIT: usize = 64 * 1024;
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A backend over gRPC. Its connection is made at the first call, and again whenever it is lost.
#[derive(Debug)]
pub struct GrpcBackend {
    address: String,
    headers: MetadataMap,
    service: Grpc<Channel>,
    runtime: Runtime,
}

impl GrpcBackend {
    /// A backend at `http(s)://HOST:PORT`; `authorities` are believed where that is https. `headers` go with every call.
    ///
    /// # Errors
    /// [`GatewayError::Setting`] where the address or a header is none; [`GatewayError::Start`] where there is no thread for it.
    pub fn new(
        address: &str,
        headers: &BTreeMap<String, String>,
        gzip: bool,
        authorities: &Authorities,
    ) -> Result<Self, GatewayError> {
        let endpoint = endpoint(address, authorities)?;
        let failed = |source| GatewayError::Start { what: "start the export's client", source };
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        // One thread, so that the connection is looked after between two calls, too.
        let runtime = builder.worker_threads(1).thread_name("otlp").enable_all().build().map_err(failed)?;
        let channel = {
            let _entered = runtime.enter();
            endpoint.connect_lazy()
        };
        let mut service =
            Grpc::new(channel).accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(ANSWER_LIMIT);
        if gzip {
            service = service.send_compressed(CompressionEncoding::Gzip);
        }
        Ok(Self { address: address.to_owned(), headers: metadata(headers)?, service, runtime })
    }
}

impl SpanBackend for GrpcBackend {
    fn address(&self) -> &str {
        &self.address
    }

    fn send(&mut self, request: &ExportTraceServiceRequest) -> Answer {
        let message = Bytes::from(request.encode_to_vec());
        let (service, headers) = (self.service.clone(), self.headers.clone());
        let call = async { tokio::time::timeout(TIMEOUT, readable(call(service, message, headers))).await };
        match self.runtime.block_on(call) {
            Ok(Err(unreadable)) => Answer::Later(None, unreadable.to_string()),
            Ok(Ok(Ok(answer))) => grpc_success(&answer),
            // A status that was made here, of a connection that is none, tells more in its causes.
            Ok(Ok(Err(status))) => match std::error::Error::source(&status) {
                Some(cause) => {
                    let why = https::told(with_causes(cause.to_string(), cause));
                    Answer::Later(None, format!("it did not answer: {why}"))
                }
                None => understood(&status),
            },
            Err(_) => Answer::Later(None, format!("it did not answer within {} s", TIMEOUT.as_secs())),
        }
    }
}

async fn call(mut service: Grpc<Channel>, message: Bytes, headers: MetadataMap) -> Result<Bytes, Status> {
    service.ready().await.map_err(|e| Status::from_error(Box::new(e)))?;
    let mut request = Request::new(message);
    *request.metadata_mut() = headers;
    let answer = service.unary(request, PathAndQuery::from_static(EXPORT), Raw).await?;
    Ok(answer.into_inner())
}

fn endpoint(address: &str, authorities: &Authorities) -> Result<Endpoint, GatewayError> {
    let wrong = |why: &str| {
        let said = format!(
            "the OTLP backend {address:?} {why}; over gRPC it wants http(s)://HOST:PORT, as http://localhost:4317"
        );
        GatewayError::Setting(said)
    };
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| wrong("is no address"))?;
    let uri = endpoint.uri();
    let is_tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong("is not an http:// or https:// address")),
    };
    if !matches!(uri.path(), "" | "/") {
        return Err(wrong("has a path"));
    }
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE)
        .tcp_nodelay(true);
    if !is_tls {
        return Ok(endpoint);
    }
    let tls = ClientTlsConfig::new().timeout(CONNECT);
    let tls = match authorities.pem() {
        Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
        None => tls.with_webpki_roots(),
    };
    endpoint.tls_config(tls).map_err(|e| GatewayError::Setting(e.to_string()))
}

fn metadata(headers: &BTreeMap<String, String>) -> Result<MetadataMap, GatewayError> {
    let mut all = MetadataMap::new();
    for (name, value) in headers {
        let wrong =
            || GatewayError::Setting(format!("the header {name:?} of [export.headers] is none that gRPC can send"));
        let key = name.to_ascii_lowercase().parse::<AsciiMetadataKey>().map_err(|_| wrong())?;
        all.insert(key, value.parse::<AsciiMetadataValue>().map_err(|_| wrong())?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_said() {
        for (address, why) in [
            ("localhost:4317", "is not an http:// or https:// address"),
            ("ftp://localhost:4317", "is not an http:// or https:// address"),
            ("http://localhost:4318/v1/traces", "has a path"),
            ("http://a b", "is no address"),
        ] {
            let said = endpoint(address, &Authorities::default()).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("http://localhost:4317"), "{address}: {said}");
        }
        assert!(endpoint("https://tempo.example:4317", &Authorities::default()).is_ok());
    }

    #[test]
    fn headers_go_along_and_one_that_cannot_is_named() {
        let of = |name: &str, value: &str| metadata(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
        assert_eq!(of("Authorization", "Bearer x").unwrap().get("authorization").unwrap(), "Bearer x");
        for (name, value) in [("a b", "x"), ("x-bin", "x"), ("x", "a\nb")] {
            assert!(of(name, value).unwrap_err().to_string().contains(&format!("{name:?}")), "{name}");
        }
    }

    #[test]
    fn a_backend_that_is_not_there_is_tried_again_later() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let mut backend = GrpcBackend::new(&address, &BTreeMap::new(), true, &Authorities::default()).unwrap();
        let answer = backend.send(&ExportTraceServiceRequest::default());
        assert!(matches!(&answer, Answer::Later(None, why) if why.contains("did not answer")), "{answer:?}");
    }
}
