//! Envoy's rate limit service v3 beside the edge agent: what `tidegate edge --admit-grpc-listen` serves.
//!
//! ```text
//! Envoy ══ ShouldRateLimit ══ service ─> question (pure) ─ cost, service ─> Gate (tidegate-producers)
//!                                        answer (pure) <── Verdict ───────────┘
//! ```
//!
//! All descriptors of a request meet in one bucket, the node's: its quota is one, whoever asks. The messages are those of
//! crate `envoy-types`.

mod answer;
mod question;
mod server;

pub use server::{respond, serve};
