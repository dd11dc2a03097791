//! What a decision is made of: a forecast's figures, and what the node's last command left.

use crate::names::Counted;

/// Resources with a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
}

impl Resource {
    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
        }
    }
}

/// One resource's figures; loads are fractions of the base quota.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Load by the report.
    pub current: f64,
    /// Forecast peak over the next 5 minutes, median.
    pub p50: f64,
    /// The same, 0.9 quantile.
    pub p90: f64,
    /// Event time of the measurement behind `current`, ms since the epoch; 0: never measured, or unknown.
    pub measured_at: i64,
}

/// What a decision depends on besides what came before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inputs {
    /// Event time in ms since the epoch.
    pub timestamp: i64,
    /// Base quota in resource units, above 0.
    pub base_quota: f64,
    /// CPU.
    pub cpu: Figures,
    /// Memory.
    pub memory: Figures,
    /// Whether the model forecast, not a baseline.
    pub from_model: bool,
}

impl Inputs {
    /// The resource whose forecast peak counts: the larger one by `peak`, CPU where they are equal.
    #[must_use]
    pub fn resource(&self, counted: Counted, peak: fn(&Figures) -> f64) -> Resource {
        match counted {
            Counted::Cpu => Resource::Cpu,
            Counted::Memory => Resource::Memory,
            Counted::Max if peak(&self.memory) > peak(&self.cpu) => Resource::Memory,
            Counted::Max => Resource::Cpu,
        }
    }

    /// The figure that counts.
    fn figure(&self, counted: Counted, of: fn(&Figures) -> f64) -> f64 {
        match counted {
            Counted::Cpu => of(&self.cpu),
            Counted::Memory => of(&self.memory),
            Counted::Max => of(&self.cpu).max(of(&self.memory)),
        }
    }

    /// Forecast peak (p50) that counts.
    #[must_use]
    pub fn predicted_load(&self, counted: Counted) -> f64 {
        self.figure(counted, |f| f.p50)
    }

    /// Forecast peak (p90) that counts.
    #[must_use]
    pub fn forecast_p90(&self, counted: Counted) -> f64 {
        self.figure(counted, |f| f.p90)
    }

    /// Current load that counts.
    #[must_use]
    pub fn current_load(&self, counted: Counted) -> f64 {
        self.figure(counted, |f| f.current)
    }

    /// Age of the newest measurement that counts, in ms of event time; `None`: unknown.
    #[must_use]
    pub fn age_ms(&self, counted: Counted) -> Option<i64> {
        let at = match counted {
            Counted::Cpu => self.cpu.measured_at,
            Counted::Memory => self.memory.measured_at,
            Counted::Max => self.cpu.measured_at.max(self.memory.measured_at),
        };
        (at > 0).then(|| self.timestamp.saturating_sub(at))
    }

    /// Whether this report measured all that counts, so that `current_load` is an outcome.
    #[must_use]
    pub fn is_measured(&self, counted: Counted) -> bool {
        let now = |figures: &Figures| figures.measured_at >= self.timestamp;
        let known = |figures: &Figures| figures.measured_at > 0;
        match counted {
            Counted::Cpu => known(&self.cpu) && now(&self.cpu),
            Counted::Memory => known(&self.memory) && now(&self.memory),
            Counted::Max => {
                let both = [&self.cpu, &self.memory];
                both.iter().any(|f| known(f)) && both.iter().all(|f| !known(f) || now(f))
            }
        }
    }
}

/// What a node's last command left.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    /// The quota it granted, in resource units.
    pub quota: f64,
    /// No decrease before this event time.
    pub hold_until: Option<i64>,
    /// End of its lease in event time.
    pub valid_until: i64,
    /// The steering's state; empty: none.
    pub steering: Vec<u8>,
}
