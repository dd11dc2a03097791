//! Connections of edges: accepted one by one, no more than are allowed at a time.
//!
//! ```text
//! TCP accept ─ a free place? ─> (own task) TLS handshake ─> Connection, with the names in the edge's certificate ─> tonic
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
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::drain::Draining;
use super::metrics::{Counted, GatewayMetrics};
use super::security::{Doorman, Peer};

/// Accepted connections that wait for the server.
const WAITING: usize = 64;
/// After an error of the listener, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A connection, counted as long as it lives.
#[derive(Debug)]
pub(super) struct Connection {
    io: Io,
    peer: Peer,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts connections until the gateway stops.
pub(super) fn accept(
    listener: TcpListener,
    most: usize,
    doorman: Arc<Doorman>,
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
            let (doorman, metrics, accepted) = (Arc::clone(&doorman), metrics.clone(), accepted.clone());
            tokio::spawn(async move {
                let _counted = Counted::of(metrics.connections.clone());
                match tokio::time::timeout(HANDSHAKE, greet(io, &doorman)).await {
                    Ok(Ok((io, peer))) => {
                        // Nobody takes it where the server has ended.
                        drop(accepted.send(Ok(Connection { io, peer, _place: place, _counted })).await);
                    }
                    failed => {
                        metrics.refuse("handshake");
                        tracing::debug!("a handshake failed: {:?}", failed.map(|result| result.map(drop)));
                    }
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

/// The handshake, by the certificates of this moment.
async fn greet(io: TcpStream, doorman: &Doorman) -> io::Result<(Io, Peer)> {
    let Some(tls) = doorman.tls() else { return Ok((Io::Plain(io), Peer::default())) };
    let io = TlsAcceptor::from(tls).accept(io).await?;
    let peer = Peer::of(io.get_ref().1.peer_certificates());
    Ok((Io::Tls(Box::new(io)), peer))
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buffer),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Io::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
