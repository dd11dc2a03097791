//! The agent's gRPC server, on a thread of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tidegate_broker::Stop;
use tidegate_otlp::{Encoding, Kind, Refusal};
use tidegate_producers::spans::{SpanIntake, receive};
use tokio::sync::Semaphore;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::message::message;
use super::proto::trace_service_server::{TraceService, TraceServiceServer};
use super::status::refused;
use crate::error::GatewayError;

/// Bytes of one message, as it comes and without its compression.
const MESSAGE_BYTES: usize = 16 << 20;
/// Messages that are in memory at a time; each waits for Kafka.
const PLACES: usize = 32;
/// Calls of one connection at a time.
const STREAMS: u32 = 100;
/// Bytes of a call's headers.
const HEADER_BYTES: u32 = 16 * 1024;
/// Between two pings of an idle connection, and how long an answer may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// How often the word to stop is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Serves the intake until `stop` is set.
///
/// # Errors
/// [`GatewayError::Start`] where there is no thread for it.
pub fn serve(listener: TcpListener, intake: Arc<dyn SpanIntake>, stop: &Stop) -> Result<(), GatewayError> {
    let failed = |source| GatewayError::Start { what: "serve OTLP over gRPC", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let stop = stop.clone();
    let thread = std::thread::Builder::new().name("otlp".into());
    let served = move || {
        if let Err(e) = runtime.block_on(serve_until_stopped(listener, intake, stop)) {
            tracing::error!("{e}");
        }
    };
    thread.spawn(served).map(drop).map_err(failed)
}

async fn serve_until_stopped(
    listener: TcpListener,
    intake: Arc<dyn SpanIntake>,
    stop: Stop,
) -> Result<(), GatewayError> {
    let failed = |source| GatewayError::Start { what: "listen", source };
    let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).map_err(failed)?);
    let stopped = async move {
        while !stop.is_set() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let service = TraceServiceServer::new(Service { intake, places: Arc::new(Semaphore::new(PLACES)) })
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MESSAGE_BYTES);
    Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_PATIENCE))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADER_BYTES)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming.with_nodelay(Some(true)), stopped)
        .await
        .map_err(|e| GatewayError::Serve(e.to_string()))
}

struct Service {
    intake: Arc<dyn SpanIntake>,
    places: Arc<Semaphore>,
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(&self, request: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(refused(&Refusal::new(Kind::Busy, format!("{PLACES} requests are being taken already"))));
        };
        let body = message(request.into_inner(), MESSAGE_BYTES).await?;
        let intake = Arc::clone(&self.intake);
        // It waits for Kafka on its thread.
        let taking = tokio::task::spawn_blocking(move || {
            let _place = place;
            receive(&*intake, Encoding::Protobuf, &body)
        });
        let taken = taking.await.unwrap_or_else(|e| Err(Refusal::new(Kind::Failed, e.to_string())));
        taken.map(|response| Response::new(response.encode_to_vec().into())).map_err(|refusal| refused(&refusal))
    }
}
