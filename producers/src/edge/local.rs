//! What an edge does by itself once a lease is over: policies `hold`, `base` and `local`. Pure.
//!
//! ```text
//! last command (quota, bounds that it names) ─┐
//! load of the latest own report ──────────────┴─> the quota crate's decide(threshold, rails) ─> quota
//! ```
//!
//! An edge has no forecast: what it measures stands for the forecast peak as well.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidegate_quota::{Before, Counted, Figures, InForce as Control, Inputs, Mode, PolicyName, Settings, decide};
use tidegate_schemas::records::{LoadReport, QuotaCommand};

/// What holds after the lease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocalPolicy {
    /// The last enforced quota.
    Hold,
    /// The base quota.
    #[default]
    Base,
    /// The threshold formula on what the edge itself measures.
    Local,
}

impl FromStr for LocalPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hold" => Ok(Self::Hold),
            "base" => Ok(Self::Base),
            "local" => Ok(Self::Local),
            _ => Err(format!("{text:?} is no local policy; it must be hold, base or local")),
        }
    }
}

/// What a local decision leaves for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Granted {
    /// Resource units.
    pub(super) quota: f64,
    /// No decrease before this event time.
    pub(super) hold_until: Option<i64>,
}

impl Granted {
    /// Where local decisions begin: at the last command.
    pub(super) fn by(command: &QuotaCommand) -> Self {
        Self { quota: command.quota, hold_until: command.hold_until }
    }

    /// The next local decision. Where nothing of what counts was measured, nothing changes.
    pub(super) fn next(self, rails: &Settings, base_quota: f64, command: &QuotaCommand, report: &LoadReport) -> Self {
        let counts = match rails.resource {
            Counted::Cpu => report.cpu.is_some(),
            Counted::Memory => report.memory.is_some(),
            Counted::Max => report.cpu.is_some() || report.memory.is_some(),
        };
        if !counts {
            return self;
        }
        let settings = Settings { policy: PolicyName::Threshold, mode: Mode::Enforce, ..rails.clone() };
        let figures = |load: Option<f64>| {
            load.map_or_else(Figures::default, |load| Figures {
                current: load,
                p50: load,
                p90: load,
                measured_at: report.timestamp,
            })
        };
        let inputs = Inputs {
            timestamp: report.timestamp,
            base_quota,
            cpu: figures(report.cpu),
            memory: figures(report.memory),
            from_model: false,
        };
        let before = Before {
            quota: self.quota,
            hold_until: self.hold_until,
            valid_until: command.valid_until,
            steering: Vec::new(),
        };
        let decision = decide(&settings, &inputs, Some(&before), &bounds(command));
        Self { quota: decision.quota, hold_until: decision.hold_until }
    }
}

/// The operator's and the centre's bounds, as far as the last command tells: a rail that bound left its quota there.
fn bounds(command: &QuotaCommand) -> Control {
    let hit = |rail: &str| command.limits_hit.iter().any(|hit| hit == rail);
    Control {
        freeze: hit("freeze") || hit("override"),
        min_quota: hit("min").then_some(command.quota),
        max_quota: hit("max").then_some(command.quota),
        ..Control::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::command;
    use super::*;
    use proptest::prelude::*;

    fn free(quota: f64) -> QuotaCommand {
        QuotaCommand { limits_hit: Vec::new(), ..command("a", 1, quota) }
    }

    fn report(cpu: Option<f64>, memory: Option<f64>) -> LoadReport {
        LoadReport { cpu, memory, ..LoadReport::new("a", 10_000, 10_000, 1000.0) }
    }

    fn decided(command: &QuotaCommand, report: &LoadReport) -> f64 {
        Granted::by(command).next(&Settings::default(), 1000.0, command, report).quota
    }

    #[test]
    fn the_measured_load_is_the_peak_and_the_current_load_of_the_formula() {
        for (cpu, memory, quota) in
            [(0.96, 0.1, 1440.0), (0.1, 0.96, 1440.0), (0.5, 0.1, 1000.0), (0.2, 0.1, 700.0), (0.8, 0.8, 1000.0)]
        {
            let decided = decided(&free(900.0), &report(Some(cpu), Some(memory)));
            assert!((decided - quota).abs() < 1e-9, "{cpu} {memory}: {decided}");
        }
    }

    #[test]
    fn without_a_measurement_the_quota_stays() {
        let kept = decided(&free(900.0), &report(None, None));
        assert!((kept - 900.0).abs() < 1e-9, "{kept}");
    }

    #[test]
    fn bounds_and_an_operators_word_in_the_last_command_hold_on() {
        let named = |rail: &str, load: f64| {
            let command = QuotaCommand { limits_hit: vec![rail.into()], ..free(900.0) };
            decided(&command, &report(Some(load), None))
        };
        for (rail, load) in [("max", 0.96), ("min", 0.1), ("freeze", 0.96), ("override", 0.1)] {
            assert!((named(rail, load) - 900.0).abs() < 1e-9, "{rail}");
        }
        assert!((named("max", 0.1) - 700.0).abs() < 1e-9, "a maximum is no minimum");
    }

    proptest! {
        #[test]
        fn local_quotas_stay_between_the_bounds_and_step_no_further_than_allowed(
            loads in proptest::collection::vec(0.0..5.0f64, 1..30), last in 100.0..3_000.0f64,
            min in 0.1..0.9f64, max in 1.0..3.0f64, up in 0.05..1.0f64, down in 0.05..1.0f64,
        ) {
            let mut rails = Settings::default();
            (rails.rails.min_scale, rails.rails.max_scale) = (min, max);
            (rails.rails.largest_step_up, rails.rails.largest_step_down) = (Some(up), Some(down));
            // A command leaves its centre within the same rails.
            let command = free(last.clamp(min * 1000.0, max * 1000.0));
            let mut granted = Granted::by(&command);
            for load in loads {
                let next = granted.next(&rails, 1000.0, &command, &report(Some(load), None));
                let air = 1e-3;
                prop_assert!((min * 1000.0 - air..=max * 1000.0 + air).contains(&next.quota), "{next:?}");
                prop_assert!(next.quota <= granted.quota + up * 1000.0 + air, "{granted:?} {next:?}");
                prop_assert!(next.quota >= granted.quota - down * 1000.0 - air, "{granted:?} {next:?}");
                granted = next;
            }
        }
    }
}
