//! What takes records from topics out to people and machines: quota delivery, alerts to Alertmanager, the live page, recordings, a decoded view.

pub mod alertmanager;
pub mod deliver;
pub mod error;
pub mod export;
mod http_address;
pub mod page;
pub mod record;
pub mod registry;
pub mod scorecard;
pub mod view;

pub use error::SinkError;
