//! The page on HTTP: its files, its JSON, its stream.
//!
//! Read-only, and nothing in it comes from another host: the content security policy lets the browser ask this server only.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

use super::live::Page;

/// Time between two frames of the stream.
const TICK: Duration = Duration::from_secs(1);
/// A viewer that takes nothing keeps the server no longer than this once it shall end.
const DRAIN: Duration = Duration::from_secs(1);

/// The files of the page: path, content type, text.
const FILES: [(&str, &str, &str); 9] = [
    ("/", "text/html; charset=utf-8", include_str!("../../assets/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../../assets/style.css")),
    ("/app.js", "text/javascript; charset=utf-8", include_str!("../../assets/app.js")),
    ("/fleet.js", "text/javascript; charset=utf-8", include_str!("../../assets/fleet.js")),
    ("/chart.js", "text/javascript; charset=utf-8", include_str!("../../assets/chart.js")),
    ("/panels.js", "text/javascript; charset=utf-8", include_str!("../../assets/panels.js")),
    ("/trace.js", "text/javascript; charset=utf-8", include_str!("../../assets/trace.js")),
    ("/format.js", "text/javascript; charset=utf-8", include_str!("../../assets/format.js")),
    ("/favicon.svg", "image/svg+xml", include_str!("../../assets/favicon.svg")),
];

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
];

/// The page's routes: `/` and its files, `/events`, `/api/nodes`, `/api/nodes/{id}`, `/api/traces/{id}`, `/api/decisions`,
/// `/api/stats`, `/healthz`.
///
/// Whoever serves it also calls [`Page::tick`] once a second; [`serve`] does both.
pub fn router(page: Arc<Page>) -> Router {
    let mut router = Router::new();
    for (path, kind, text) in FILES {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    router
        .route("/events", get(events))
        .route("/api/nodes", get(|State(page): State<Arc<Page>>| async move { json(&page.state().fleet()) }))
        .route("/api/nodes/{id}", get(node))
        .route("/api/traces/{id}", get(trace))
        .route(
            "/api/decisions",
            get(|State(page): State<Arc<Page>>| async move { json(&page.state().decisions(usize::MAX)) }),
        )
        .route("/api/stats", get(|State(page): State<Arc<Page>>| async move { json(page.state().stats()) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such page\n") })
        .layer(map_response(with_headers))
        .with_state(page)
}

/// Serves the page until `shutdown` is ready, then ends its streams and returns, at the latest a second later.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    page: Arc<Page>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let closing = Arc::clone(&page);
    let server = axum::serve(listener, router(Arc::clone(&page))).with_graceful_shutdown(async move {
        shutdown.await;
        closing.close();
        stop.send_replace(true);
    });
    let drained = async {
        // An error means that the server has dropped the sender: it has ended by itself.
        if stopped.wait_for(|stop| *stop).await.is_ok() {
            tokio::time::sleep(DRAIN).await;
        }
    };
    tokio::select! {
        ended = server.into_future() => ended,
        () = drained => Ok(()),
        () = tick(&page) => Ok(()),
    }
}

async fn tick(page: &Page) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        page.tick();
    }
}

/// The stream: one block of events a tick, the same bytes for every viewer.
async fn events(State(page): State<Arc<Page>>) -> Response {
    let frames = WatchStream::new(page.subscribe()).map_while(|frame| frame.map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

async fn node(State(page): State<Arc<Page>>, Path(id): Path<String>) -> Response {
    page.state().node(&id).map_or_else(|| not_here(format!("no reports of node {id:?} yet")), |view| json(&view))
}

async fn trace(State(page): State<Arc<Page>>, Path(id): Path<String>) -> Response {
    page.state().trace(&id).map_or_else(|| not_here(format!("no span of trace {id:?} here")), |view| json(&view))
}

fn not_here(why: String) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": why }))).into_response()
}

/// Serialises at once, while the caller still holds the lock.
fn json<T: Serialize>(view: &T) -> Response {
    Json(view).into_response()
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The files' paths and texts.
#[cfg(test)]
pub(super) fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.into_iter().map(|(path, _, text)| (path, text))
}
