//! The simple forecasts that a model has to beat, and that stand in while it warms up.
//!
//! - *persistence*: the load stays as it is;
//! - *peak of the last 5 minutes*: the next 5 minutes peak where the last 5 did.
//!
//! Both come from the same minute bars as the model's features, so they have seen the same past.

use crate::Resource;
use crate::history::History;
use crate::load::{PATH_MINUTES, Quantiles, ResourceForecast, round};
use crate::state::NodeState;

/// Persistence of a node's resource: every value is the current load. Zeros if it was never measured.
#[must_use]
pub fn persistence(state: &NodeState, resource: Resource) -> ResourceForecast {
    state.history(resource).map_or_else(ResourceForecast::default, |history| {
        let current = round(history.value / 100.0);
        flat(current, current)
    })
}

/// The peak of the last 5 minutes as both quantiles, persistence as the path. Zeros if never measured.
#[must_use]
pub fn peak_of_last_5_minutes(state: &NodeState, resource: Resource) -> ResourceForecast {
    state.history(resource).map_or_else(ResourceForecast::default, last_peak)
}

pub(crate) fn last_peak(history: &History) -> ResourceForecast {
    flat(round(history.value / 100.0), round(history.peak() / 100.0))
}

fn flat(current: f32, peak: f32) -> ResourceForecast {
    ResourceForecast { current, path: [current; PATH_MINUTES], peak: Quantiles { p50: peak, p90: peak } }
}
