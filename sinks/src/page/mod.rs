//! The live page: the fleet at a glance, one node's chart, the latest decisions, in a browser.
//!
//! ```text
//! load topic      ──> Page::report   ─┐
//! forecasts topic ──> Page::forecast ─┤   PageState (pure)     tick, once a second:
//! quotas topic    ──> Page::command  ─┼─> history, raises,  ──> views, serialised once ──> every open /events
//! controls topic  ──> Page::control  ─┤   decisions,            (fleet, decisions, stats)
//! alerts topic    ──> Page::alert    ─┤   alerts, traces
//! spans topic     ──> Page::span     ─┤
//! the pipeline    ──> Page::stats    ─┘
//!                                             └──> /api/nodes/{id}: one node's history, when a viewer asks
//!                                                  /api/traces/{id}: one trace, drawn
//! ```
//!
//! [`PageState`] and what it is made of are pure: records in, JSON views out, bounded memory. [`Page`] puts a lock round
//! it, [`router`] and [`serve`] put it on HTTP. The browser's part stands in `sinks/assets/`, is built into the binary, and
//! asks nothing of any other host.

mod alerts;
mod decisions;
mod history;
mod joined;
mod live;
mod node;
mod raise;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod traces;
mod views;

pub use decisions::{Beside, Decision};
pub use history::{BUCKET_MS, POINTS, SPAN_MS};
pub use live::Page;
pub use raise::{Raise, RaiseTally, THRESHOLD};
pub use server::{router, serve};
pub use state::{Limits, PageState, PageStats};
pub use traces::TraceView;
pub use views::{DecisionsView, FleetView, NodeView};
