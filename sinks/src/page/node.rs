//! One node as the page knows it: its latest report, forecast, command and alerts, and its recent past.

use tidegate_schemas::records::{Forecast, ForecastState, LoadReport, Quantiles, QuotaCommand};

use super::alerts::NodeAlerts;
use super::decisions::{Beside, Decision, Decisions, Listed};
use super::history::{History, keep_highest};
use super::raise::{Raise, RaiseTally, Step, is_raise};

/// A node without a report for this long, against the fleet's event time, is silent (milliseconds).
const SILENT_MS: i64 = 5 * 60 * 1000;
/// A node's own latest decisions, kept for its panel.
const OWN_DECISIONS: usize = 12;

/// The latest forecast, of the resource whose peak decides.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    pub(super) t: i64,
    pub(super) resource: &'static str,
    /// Load at +1…+5 minutes.
    pub(super) path: [f32; 5],
    pub(super) peak: Quantiles,
    pub(super) state: ForecastState,
    pub(super) model: String,
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) pool: String,
    pub(super) base_quota: f64,
    /// Event time of the latest report, milliseconds.
    pub(super) t: i64,
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<f64>,
    pub(super) ahead: Option<Ahead>,
    /// By the latest command, worth a line or not.
    pub(super) decision: Option<Decision>,
    /// The latest that were worth a line.
    pub(super) listed: Decisions,
    pub(super) alerts: NodeAlerts,
    pub(super) raise: Raise,
    pub(super) history: History,
    sequence: i64,
    command_sequence: i64,
    last_listed: Listed,
}

impl Node {
    /// A node seen for the first time, by `report`; hand the report to [`Node::report`] as well.
    pub(super) fn new(report: &LoadReport) -> Self {
        Self {
            pool: report.pool.clone(),
            base_quota: report.base_quota,
            t: report.timestamp,
            cpu: None,
            memory: None,
            ahead: None,
            decision: None,
            listed: Decisions::new(OWN_DECISIONS),
            alerts: NodeAlerts::default(),
            raise: Raise::None,
            history: History::default(),
            sequence: i64::MIN,
            command_sequence: i64::MIN,
            last_listed: Listed::default(),
        }
    }

    /// Takes a report; one at or below the last sequence is a repetition and changes nothing.
    pub(super) fn report(&mut self, report: &LoadReport, tally: &mut RaiseTally) {
        if report.sequence <= self.sequence {
            return;
        }
        self.sequence = report.sequence;
        self.t = report.timestamp;
        self.base_quota = report.base_quota;
        self.cpu = report.cpu;
        self.memory = report.memory;
        self.raise.on_load(report.timestamp, report.load(), tally);
        if let Some(point) = self.history.at(report.timestamp) {
            keep_highest(&mut point.cpu, report.cpu);
            keep_highest(&mut point.memory, report.memory);
            if let Some(quota) = report.quota_in_force {
                point.in_force = (quota / report.base_quota) as f32;
            }
        }
    }

    /// Takes a forecast; an older one than the last changes nothing.
    pub(super) fn forecast(&mut self, forecast: &Forecast) {
        if self.ahead.as_ref().is_some_and(|last| forecast.timestamp <= last.t) {
            return;
        }
        let (resource, peak, path) = if forecast.peak_memory.p50 > forecast.peak_cpu.p50 {
            ("memory", forecast.peak_memory, &forecast.path_memory)
        } else {
            ("cpu", forecast.peak_cpu, &forecast.path_cpu)
        };
        if let Some(point) = self.history.at(forecast.timestamp) {
            point.p50 = peak.p50 as f32;
            point.p90 = peak.p90 as f32;
        }
        self.ahead = Some(Ahead {
            t: forecast.timestamp,
            resource,
            path: std::array::from_fn(|i| path.get(i).map_or(f32::NAN, |load| *load as f32)),
            peak,
            state: forecast.state,
            model: forecast.model.chars().take(80).collect(),
        });
    }

    /// Takes a command; returns it if it is worth a line among the decisions. A repetition changes nothing.
    pub(super) fn command(
        &mut self,
        command: &QuotaCommand,
        beside: Beside,
        tally: &mut RaiseTally,
    ) -> Option<Decision> {
        if command.sequence <= self.command_sequence {
            return None;
        }
        self.command_sequence = command.sequence;
        let step = Step {
            t: command.timestamp,
            raised: is_raise(command.scale_factor, command.predicted_load),
            raised_before: self.decision.as_ref().map(|last| is_raise(last.scale, last.predicted)),
            current: command.current_load,
        };
        self.raise.on_command(step, &self.history, tally);
        if let Some(point) = self.history.at(command.timestamp) {
            point.granted = command.scale_factor as f32;
        }
        let decision = Decision::new(command, beside);
        self.decision = Some(decision.clone());
        if !self.last_listed.takes(&decision) {
            return None;
        }
        self.listed.push(decision.clone());
        Some(decision)
    }

    /// The node's single load figure; 0 where neither resource was measured.
    pub(super) fn load(&self) -> f64 {
        self.cpu.unwrap_or(0.0).max(self.memory.unwrap_or(0.0))
    }

    /// One letter: W(ARMING), R(EADY), D(EMOTED), S(ilent), or `-` before the first forecast.
    pub(super) fn state_letter(&self, fleet_time: Option<i64>) -> char {
        if fleet_time.is_some_and(|now| now.saturating_sub(self.t) > SILENT_MS) {
            return 'S';
        }
        match self.ahead.as_ref().map(|ahead| ahead.state) {
            None => '-',
            Some(ForecastState::Warming) => 'W',
            Some(ForecastState::Ready) => 'R',
            Some(ForecastState::Demoted) => 'D',
        }
    }
}
