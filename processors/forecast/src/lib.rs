//! Forecasts a node's CPU and memory load for the next 5 minutes from its load reports.
//!
//! ```text
//! Sample ─► NodeState (minute bars, two LSTM states a resource) ─► features ─► networks ─► corrected by the node's own past ─► Prediction
//! Series ─► split by time ─► sequences + augmentation + simulated nodes ─► training ─► Artifact ─► Model
//! ```
//!
//! A [`Model`] is the inference form of an [`Artifact`] and is shared; a [`NodeState`] is what is kept of one node.
//! [`Model::predict`] takes a batch of reports of distinct nodes and moves their states on. What it
//! answers depends on the node's own reports of the last [`REACH_MS`] of event time and on nothing else: not on the batch, not
//! on the host, not on the clock, bit for bit.
//!
//! [`train`] makes an [`Artifact`] from recorded [`Series`] and measures it, through [`Model::predict`], against the
//! [`baseline`]s. This crate is pure: no I/O, no clock, no Kafka; it is the only user of `burn`.

mod adapt;
mod artifact;
pub mod baseline;
mod card;
mod checkpoint;
mod day;
mod demotion;
mod ensemble;
mod error;
mod features;
mod history;
mod kernel;
mod known;
mod load;
mod model;
mod network;
mod numeric;
mod outcome;
mod rebuild;
mod residuals;
mod state;
mod tensors;
mod train;
mod view;
mod waiting;

pub use artifact::Artifact;
pub use card::{Card, DataCard, FileCard};
pub use checkpoint::StateCheckpoint;
pub use demotion::WindowScore;
pub use error::ForecastError;
pub use features::INPUTS;
pub use known::Marks;
pub use load::{
    HORIZON_MS, MAX_LOAD, PATH_MINUTES, Prediction, Quantiles, Resource, ResourceForecast, Sample, Series, Status,
};
pub use model::Model;
pub use outcome::{Horizon, Outcome};
pub use residuals::Residuals;
pub use state::{CONTEXT_WINDOW_MS, NodeState, REACH_MS};
pub use train::{
    Dropped, LossPoint, Score, TimeBudget, TrainOptions, TrainProgress, TrainReport, default_hold_out, train,
};
pub use view::{CorrectionView, PastView, ResourceView, ScoreView};
