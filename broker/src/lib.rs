//! Everything that touches Kafka: client settings, the stage driver, producing, commits, dead letters, provisioning, the
//! embedded broker, and the clients that ask others by https (`https`), an outside schema registry among them.
//!
//! ```text
//!  topic ─> intake (poll thread, decode) ─> driver ─> Stage (pure) ─> driver ─> publisher ─> topic
//!               │ bad input                   ▲                          │ delivery reports
//!               └─> dead_letters              └── ledger (lowest contiguous acknowledged offset) ─> commits
//! ```
//!
//! Stages and sinks know none of this: they are given decoded records and return values.

mod acknowledge;
mod arrivals;
mod backpressure;
mod checkpoints;
mod client_metrics;
mod dead_letters;
mod driver;
pub mod embedded;
pub mod error;
mod follow;
mod group;
mod guarantee;
mod headers;
pub mod https;
mod intake;
mod job;
mod ledger;
mod limits;
mod logging;
mod metrics;
mod metrics_registry;
mod overtaken;
mod partition;
mod past;
pub mod provisioning;
mod publisher;
pub mod registry;
mod settings;
mod sink_driver;
mod stable;
mod stage;
mod status;
mod stop;
pub mod survey;
mod tail;
mod transaction;
mod wall_clock;

pub use acknowledge::{Acknowledge, Deliveries, NO_TICKET};
pub use dead_letters::{DeadLetter, DeadLetterBox};
pub use driver::run_stage;
pub use error::BrokerError;
pub use follow::{Follower, run_follower};
pub use guarantee::{Guarantee, Processing};
pub use job::Job;
pub use metrics::Metrics;
pub use metrics_registry::{Described, Registry};
pub use partition::PartitionReader;
pub use past::{Kept, Past};
pub use publisher::{Outgoing, Publisher};
pub use settings::{Compression, KafkaSettings};
pub use sink_driver::{DeliveryError, Sink, run_sink};
pub use stage::{DropReason, Keyed, Received, Rejection, Saved, Source, Stage, Verdict};
pub use status::WorkStatus;
pub use stop::{Stop, Watched};
pub use tail::{From, RawRecord, Tail};
