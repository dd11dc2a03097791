//! [`Page`]: the state behind a lock, and the frame that every viewer shares.
//!
//! Consumer threads feed it; [`Page::tick`] serialises fleet, decisions and stats once, as one block of server-sent events,
//! and every open stream sends that same block. A viewer too slow for one tick gets the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde::Serialize;
use tidegate_schemas::records::{Alert, Control, Forecast, LoadReport, QuotaCommand, Span};
use tokio::sync::watch;

use super::decisions::Beside;
use super::state::{Limits, PageState, PageStats};

/// Decisions in a tick; `/api/decisions` has all that are kept.
const DECISIONS_A_TICK: usize = 60;

/// What streams send; `None`: the page has closed, and streams end.
pub(super) type Frame = Option<Bytes>;

/// The page, shared by consumer threads and the server.
#[derive(Debug)]
pub struct Page {
    state: Mutex<PageState>,
    frame: watch::Sender<Frame>,
    closed: AtomicBool,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (frame, _) = watch::channel(Some(Bytes::new()));
        Self { state: Mutex::new(PageState::new(limits)), frame, closed: AtomicBool::new(false) }
    }

    /// Takes a report; see [`PageState::apply_report`].
    pub fn report(&self, report: &LoadReport) {
        self.state().apply_report(report);
    }

    /// Takes a forecast; see [`PageState::apply_forecast`].
    pub fn forecast(&self, forecast: &Forecast) {
        self.state().apply_forecast(forecast);
    }

    /// Takes a command; see [`PageState::apply_command`].
    pub fn command(&self, command: &QuotaCommand, beside: Beside) {
        self.state().apply_command(command, beside);
    }

    /// Takes an alert; see [`PageState::apply_alert`].
    pub fn alert(&self, alert: &Alert, trace: Option<String>) {
        self.state().apply_alert(alert, trace);
    }

    /// Takes a span; see [`PageState::apply_span`].
    pub fn span(&self, span: &Span) {
        self.state().apply_span(span);
    }

    /// Takes a record of the controls topic; see [`PageState::apply_control`].
    pub fn control(&self, key: &str, control: Option<Control>) {
        self.state().apply_control(key, control);
    }

    /// Takes the latest figures of the pipeline.
    pub fn stats(&self, stats: PageStats) {
        self.state().apply_stats(stats);
    }

    /// Makes the next frame and hands it to every open stream. Without viewers it only keeps house.
    pub fn tick(&self) {
        let mut state = self.state();
        state.make_room();
        if self.frame.receiver_count() > 0 && !self.closed.load(Ordering::Acquire) {
            let frame = frame(&state);
            drop(state);
            self.frame.send_replace(Some(frame));
        }
    }

    /// Ends every open stream; later ones end at once. Needed for a server to drain.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.frame.send_replace(None);
    }

    /// A stream's place: it begins with a frame made now.
    pub(super) fn subscribe(&self) -> watch::Receiver<Frame> {
        let receiver = self.frame.subscribe();
        self.tick();
        receiver
    }

    /// The state, for a look or a view of it.
    pub(super) fn state(&self) -> MutexGuard<'_, PageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn frame(state: &PageState) -> Bytes {
    let mut out = Vec::with_capacity(64 * 1024);
    event(&mut out, "stats", state.stats());
    event(&mut out, "fleet", &state.fleet());
    event(&mut out, "decisions", &state.decisions(DECISIONS_A_TICK));
    out.into()
}

/// One server-sent event. JSON has no line breaks outside strings and escapes them inside, so one `data:` line holds it.
fn event<T: Serialize>(out: &mut Vec<u8>, name: &str, data: &T) {
    let whole = out.len();
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    if let Err(error) = serde_json::to_writer(&mut *out, data) {
        tracing::error!(%error, event = name, "the page's view does not serialise");
        out.truncate(whole);
        return;
    }
    out.extend_from_slice(b"\n\n");
}
