//! Connections of edges: accepted one by one, no more than are allowed at a time.
//!
//! ```text
//! TCP accept ─ a free place? ─> Connection ─> tonic
//!                  └ no: closed at once and counted; the edge tries another gateway
//! ```

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::drain::Draining;
use super::metrics::{Counted, GatewayMetrics};

/// Accepted connections that wait for the server.
const WAITING: usize = 64;
/// After an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection, counted as long as it lives.
#[derive(Debug)]
pub(super) struct Connection {
    io: TcpStream,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Accepts connections until the gateway stops.
pub(super) fn accept(
    listener: TcpListener,
    most: usize,
    metrics: GatewayMetrics,
    mut draining: Draining,
) -> ReceiverStream<io::Result<Connection>> {
    let (accepted, connections) = mpsc::channel(WAITING);
    let places = Arc::new(Semaphore::new(most));
    tokio::spawn(async move {
        loop {
            let connection = tokio::select! {
                connection = listener.accept() => connection,
                () = draining.began() => return,
            };
            let io = match connection {
                Ok((io, _)) => io,
                Err(e) => {
                    tracing::warn!("a connection was not accepted: {e}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                metrics.refuse("connections");
                continue;
            };
            if let Err(e) = io.set_nodelay(true) {
                tracing::debug!("a connection without TCP_NODELAY: {e}");
            }
            let _counted = Counted::of(metrics.connections.clone());
            if accepted.send(Ok(Connection { io, _place: place, _counted })).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(connections)
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
