//! What a process tells of itself: log lines on stderr, `/metrics`, `/live` and `/ready`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use prometheus::{Encoder, TextEncoder};
use tidegate_broker::{Registry, Stop};

use crate::http;

/// Starts the log: warnings, for services also what they do; `-v` and `-vv` say more.
///
/// Where `traced`, the same calls make spans (`own_spans.rs`).
pub(crate) fn start_log(verbose: u8, service: bool, traced: bool) {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::prelude::*;
    let level = match (verbose, service) {
        (0, false) => "warn",
        (0, true) => {
            "warn,tidegate=info,tidegate_broker=info,tidegate_gateway=info,tidegate_sinks=info,tidegate_stages=info"
        }
        (1, _) => "info,tidegate=debug,tidegate_broker=debug,tidegate_gateway=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Spans are for the traces; the log has its lines without them.
    let filter = match format!("{}=off", tidegate_traces::TARGET).parse() {
        Ok(off) => filter.add_directive(off),
        Err(_) => filter,
    };
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_filter(filter);
    tracing_subscriber::registry().with(log).with(traced.then(tidegate_traces::layer)).init();
}

/// A part of the process that has not moved for so long is not alive; the watchdog ends it somewhat later.
const LIVE: Duration = Duration::from_secs(30);

/// Whether the process is ready to work.
pub(crate) type Ready = Arc<dyn Fn() -> bool + Send + Sync>;

/// Serves `/metrics`, `/live` and `/ready` where an address is given for them.
pub(crate) fn serve(
    address: Option<&String>,
    registry: Registry,
    ready: Ready,
    stop: &Stop,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(address) = address else { return Ok(None) };
    let at = http::serve(address, router(registry, ready, stop.clone()), stop)?;
    tracing::info!("metrics at http://{at}/metrics");
    Ok(Some(at))
}

fn router(registry: Registry, ready: Ready, stop: Stop) -> Router {
    let metrics = move || {
        let registry = registry.clone();
        async move {
            let mut text = Vec::new();
            match TextEncoder::new().encode(&registry.gather(), &mut text) {
                Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text),
                Err(e) => {
                    let said = e.to_string().into_bytes();
                    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], said)
                }
            }
        }
    };
    let is_ready = move || {
        let ready = ready();
        async move { if ready { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") } }
    };
    let is_live = move || {
        let silent = stop.silent_for(LIVE);
        async move {
            match silent {
                None => (StatusCode::OK, "live\n".to_owned()),
                Some((name, silent)) => {
                    let said = format!("{name} has not moved for {} s\n", silent.as_secs());
                    (StatusCode::SERVICE_UNAVAILABLE, said)
                }
            }
        }
    };
    Router::new().route("/metrics", get(metrics)).route("/live", get(is_live)).route("/ready", get(is_ready))
}
