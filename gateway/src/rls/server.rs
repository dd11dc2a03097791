//! The gRPC server, on a thread of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use prost::Message;
use tidegate_broker::Stop;
use tidegate_producers::admission::Gate;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::answer::answer;
use super::question::Question;
use crate::error::GatewayError;

/// Bytes of one request; those of Envoy have some hundreds.
const MESSAGE_BYTES: usize = 64 * 1024;
/// Requests of one connection at a time; Envoy has one connection for each of its threads.
const STREAMS: u32 = 1_000;
/// Bytes of a request's headers.
const HEADER_BYTES: u32 = 16 * 1024;
/// Between two pings of an idle connection, and how long an answer may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// How often the word to stop is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Serves the gate until `stop` is set.
///
/// # Errors
/// [`GatewayError::Start`] where there is no thread for it.
pub fn serve(listener: TcpListener, gate: Arc<Gate>, stop: &Stop) -> Result<(), GatewayError> {
    let failed = |source| GatewayError::Start { what: "serve the rate limit service", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let stop = stop.clone();
    let thread = std::thread::Builder::new().name("rls".into());
    let served = move || {
        if let Err(e) = runtime.block_on(serve_until_stopped(listener, gate, stop)) {
            tracing::error!("{e}");
        }
    };
    thread.spawn(served).map(drop).map_err(failed)
}

async fn serve_until_stopped(listener: TcpListener, gate: Arc<Gate>, stop: Stop) -> Result<(), GatewayError> {
    let failed = |source| GatewayError::Start { what: "listen", source };
    let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).map_err(failed)?);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<RateLimitServiceServer<Service>>().await;
    let stopped = async move {
        while !stop.is_set() {
            tokio::time::sleep(LOOK).await;
        }
        health.set_not_serving::<RateLimitServiceServer<Service>>().await;
    };
    let service = RateLimitServiceServer::new(Service { gate }).max_decoding_message_size(MESSAGE_BYTES);
    Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_PATIENCE))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADER_BYTES)
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming.with_nodelay(Some(true)), stopped)
        .await
        .map_err(|e| GatewayError::Serve(e.to_string()))
}

#[derive(Debug)]
struct Service {
    gate: Arc<Gate>,
}

#[tonic::async_trait]
impl RateLimitService for Service {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        ask(&self.gate, request.get_ref()).map(Response::new).map_err(Status::invalid_argument)
    }
}

fn ask(gate: &Gate, request: &RateLimitRequest) -> Result<RateLimitResponse, &'static str> {
    let question = Question::of(request)?;
    let returned = (question.back > 0).then(|| gate.give_back(question.back));
    let asked = question.take.map(|cost| gate.ask(question.service, cost));
    let verdict = asked.or(returned).unwrap_or_else(|| gate.give_back(0));
    Ok(answer(&verdict, request.descriptors.len(), question.take.unwrap_or(0)))
}

/// The answer to a request in bytes, as the server gives it; `None` where they are no request. For the fuzz target.
#[must_use]
pub fn respond(gate: &Gate, bytes: &[u8]) -> Option<Vec<u8>> {
    let request = RateLimitRequest::decode(bytes).ok()?;
    ask(gate, &request).ok().map(|response| response.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use tidegate_broker::Registry;
    use tidegate_producers::admission::{Admission, AdmissionMetrics, RequestCounts};

    use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
    use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;

    use super::*;

    #[test]
    fn hits_are_taken_from_the_quota_counted_once_and_given_back() {
        let registry = Registry::new();
        let counts = RequestCounts::register(&registry).unwrap();
        let metrics = AdmissionMetrics::register(&registry).unwrap();
        // A bucket of a year at one request a day: no time passes while this test runs.
        let admission = Admission::new(1.0 / 86_400.0, Duration::from_secs(400 * 86_400));
        let gate = Gate::new(admission, Some(counts.clone()), metrics);
        gate.set_quota(1.0);
        gate.give_back(10);
        let request = |hits_addend, is_negative_hits| RateLimitRequest {
            domain: "edge".into(),
            descriptors: vec![RateLimitDescriptor { is_negative_hits, ..RateLimitDescriptor::default() }; 3],
            hits_addend,
        };
        let code = |request: RateLimitRequest| ask(&gate, &request).unwrap().overall_code();
        assert_eq!(code(request(8, false)), Code::Ok);
        assert_eq!(code(request(8, false)), Code::OverLimit);
        assert_eq!(code(request(6, true)), Code::Ok);
        assert_eq!(code(request(8, false)), Code::Ok);
        let mut report = tidegate_schemas::records::LoadReport::new("a", 1, 10_000, 1.0);
        counts.put_into(&mut report);
        assert_eq!((report.requests_total, report.requests_failed_total), (Some(3), Some(1)));
        assert_eq!(gate.asked(), 24);
        let bytes = request(1, false).encode_to_vec();
        let told = respond(&gate, &bytes).map(|bytes| RateLimitResponse::decode(&*bytes).unwrap().statuses.len());
        assert_eq!(told, Some(3));
        assert!(respond(&gate, &bytes[1..]).is_none());
    }
}
