//! The simple forecasts that a model has to beat, and that stand in while it warms up.
//!
//! - *persistence*: the load stays as it is;
//! - *peak of the last 5 minutes*: the next 5 minutes peak where the last 5 did;
//! - *EWMA* (`ewma.rs`): the load returns to its exponentially weighted mean;
//! - *linear regression* on window statistics (`linear.rs`), fitted on what came before.
//!
//! ```text
//! Sample ─► Baselines (minute bars, EWMA) ─► persistence, max_last_5m, ewma
//!                                         └► Row (the model's features) ─► Linear ─► linear
//! ```
//!
//! All come from the same minute bars as the model's features, so they have seen the same past.

mod ewma;
mod linear;
mod solve;

pub use ewma::HALF_LIFE_MS;
pub use linear::{Linear, Row};

use crate::Resource;
use crate::history::History;
use crate::load::{PATH_MINUTES, Quantiles, ResourceForecast, Sample, round};
use crate::state::NodeState;
use ewma::Ewma;

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

/// The simple forecasts in the order of [`Baselines::forecasts`].
pub const NAMES: [&str; 4] = ["persistence", "max_last_5m", "ewma", "linear"];

/// What the simple forecasts keep of one node: minute bars and moving averages, no state of a network.
#[derive(Debug, Clone, Default)]
pub struct Baselines {
    state: NodeState,
    ewma: [Option<Ewma>; 2],
}

impl Baselines {
    /// A node that was never seen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a report. A resource that was not measured for a context window begins afresh, as it does for a model.
    pub fn observe(&mut self, sample: &Sample) {
        self.state.observe(sample, [0, 0]);
        for resource in Resource::ALL {
            let slot = &mut self.ewma[resource as usize];
            if self.state.history(resource).is_none() {
                *slot = None;
            } else if let Some(load) = resource.of(sample) {
                match slot {
                    Some(ewma) => ewma.observe(sample.timestamp_ms, load * 100.0),
                    None => *slot = Some(Ewma::begin(sample.timestamp_ms, load * 100.0)),
                }
            }
        }
    }

    /// What the linear regression looks at; `None` until one whole context window of the resource was seen.
    #[must_use]
    pub fn row(&self, resource: Resource) -> Option<Row> {
        self.state.ready_features(resource).map(Row)
    }

    /// The simple forecasts of a resource now, in the order of [`NAMES`]; zeros if it was never measured. Without a row,
    /// or with a regression that has learned too little, the linear one is the peak of the last 5 minutes.
    #[must_use]
    pub fn forecasts(&self, resource: Resource, row: Option<&Row>, linear: &Linear) -> [ResourceForecast; 4] {
        let Some(history) = self.state.history(resource) else {
            return [ResourceForecast::default(); 4];
        };
        let last_peak = last_peak(history);
        let ewma = self.ewma[resource as usize].as_ref().map_or(last_peak, |ewma| ewma.forecast(history.value));
        let linear = row.and_then(|row| linear.forecast(resource, row)).unwrap_or(last_peak);
        [persistence(&self.state, resource), last_peak, ewma, linear]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minute: i64, cpu: f32) -> Sample {
        Sample { timestamp_ms: minute * 60_000, interval_ms: 60_000, cpu: Some(cpu), memory: None }
    }

    #[test]
    fn simple_forecasts_by_hand() {
        let mut node = Baselines::new();
        for (minute, cpu) in [(0, 0.9), (1, 0.2), (2, 0.6), (3, 0.3), (4, 0.3), (5, 0.4)] {
            node.observe(&sample(minute, cpu));
        }
        let [persistence, last_peak, ewma, linear] = node.forecasts(Resource::Cpu, None, &Linear::new());
        assert_eq!((persistence.current, persistence.peak.p50, persistence.path[4]), (0.4, 0.4, 0.4));
        assert_eq!((last_peak.peak.p50, last_peak.peak.p90, last_peak.path[4]), (0.6, 0.6, 0.4));
        assert!(ewma.peak.p50 > 0.3 && ewma.peak.p50 < 0.6 && ewma.peak.p90 > ewma.peak.p50);
        assert_eq!(linear, last_peak, "nothing learned yet");
        let memory = node.forecasts(Resource::Memory, None, &Linear::new());
        assert_eq!(memory, [ResourceForecast::default(); 4], "never measured");
    }

    #[test]
    fn a_long_gap_begins_afresh() {
        let (mut long, mut fresh) = (Baselines::new(), Baselines::new());
        (0..300).for_each(|minute| long.observe(&sample(minute, 0.9)));
        long.observe(&sample(1_000, 0.1));
        fresh.observe(&sample(1_000, 0.1));
        let forecasts = |node: &Baselines| node.forecasts(Resource::Cpu, None, &Linear::new());
        assert_eq!(forecasts(&long), forecasts(&fresh));
    }
}
