//! Small HTTP servers, each on a thread of its own, that end when the process is asked to stop.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use tidegate_broker::Stop;

use crate::exit::{self, failure};

/// Takes an address; a taken port is an error that says so.
pub(crate) fn bind(address: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|e| {
        let code = if e.kind() == std::io::ErrorKind::InvalidInput { exit::CONFIG } else { exit::UNAVAILABLE };
        failure(code, format!("cannot listen on {address}: {e}; choose another address or free this one"))
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves `router` at `address` until `stop` is set. Gives the address in use (port 0 asks for any).
pub(crate) fn serve(address: &str, router: Router, stop: &Stop) -> anyhow::Result<SocketAddr> {
    serve_on(bind(address)?, router, stop)
}

/// Serves `router` on an address that was taken before.
pub(crate) fn serve_on(listener: TcpListener, router: Router, stop: &Stop) -> anyhow::Result<SocketAddr> {
    let at = listener.local_addr()?;
    let stop = stop.clone();
    spawn(move || async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, router).with_graceful_shutdown(stopped(stop)).await
    })?;
    Ok(at)
}

/// Runs a server's future on its own thread.
pub(crate) fn spawn<F, Fut>(server: F) -> anyhow::Result<std::thread::JoinHandle<()>>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = std::io::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
        if let Err(e) = runtime.block_on(async { server().await }) {
            tracing::error!("a server ended: {e}");
        }
    })?;
    Ok(thread)
}

/// Between two looks at `stop`: more often would be most of what an idle agent costs.
const LOOK: Duration = Duration::from_millis(200);

/// Ready once `stop` is set.
pub(crate) async fn stopped(stop: Stop) {
    while !stop.is_set() {
        tokio::time::sleep(LOOK).await;
    }
}
