//! What a run came to: one object for programs, a table for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::checker::Verdict;
use super::findings::Wrong;
use super::inject::Effect;
use super::kinds::Kind;
use super::lanes::Done;

/// How often a kind was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// Times that it was done.
    pub injected: u64,
    /// Times that it was seen to take effect.
    pub took_effect: u64,
}

/// Time from the end of a fault until everything that had been sent by then was decided and committed, ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The median.
    pub p50: u64,
    /// The longest.
    pub max: u64,
}

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Seed of the run.
    pub seed: u64,
    /// By kind.
    pub faults: BTreeMap<&'static str, Tried>,
    /// Valid reports.
    pub reports_sent: u64,
    /// Those with a forecast and a command.
    pub decided: u64,
    /// Reports and records that are missing somewhere.
    pub lost: u64,
    /// Records that repeat an earlier one.
    pub duplicates: u64,
    /// Reports that were decided twice under different names.
    pub duplicates_after_dedupe: u64,
    /// Decisions out of their node's order.
    pub order_violations: u64,
    /// Decisions that are not those of the undisturbed run, or name another cause.
    pub wrong_values: u64,
    /// Records among the dead letters, each once.
    pub dead_letters: u64,
    /// Records that can not be processed.
    pub poison_sent: u64,
    /// How soon all was well again.
    pub recovery_ms: Recovery,
}

impl Report {
    /// Of a run.
    #[must_use]
    pub fn new(seed: u64, done: &[Done], recovered: &BTreeMap<usize, Duration>, verdict: &Verdict) -> Self {
        let mut faults: BTreeMap<&'static str, Tried> = BTreeMap::new();
        let mut times = Vec::new();
        for Done { fault, effect, .. } in done {
            let tried = faults.entry(fault.kind.name()).or_default();
            tried.injected += 1;
            if matches!(effect, Effect::Seen(_)) {
                tried.took_effect += 1;
                times.extend(recovered.get(&fault.number).map(Duration::as_millis));
            }
        }
        times.sort_unstable();
        let at = |index: usize| times.get(index).map_or(0, |ms| u64::try_from(*ms).unwrap_or(u64::MAX));
        let findings = &verdict.findings;
        Self {
            seed,
            faults,
            reports_sent: verdict.reports_sent,
            decided: verdict.decided,
            lost: findings.count(Wrong::Lost),
            duplicates: verdict.duplicates,
            duplicates_after_dedupe: findings.count(Wrong::DuplicateAfterDedupe),
            order_violations: findings.count(Wrong::Order),
            wrong_values: findings.count(Wrong::Value),
            dead_letters: verdict.dead_letters,
            poison_sent: verdict.poison_sent,
            recovery_ms: Recovery { p50: at(times.len() / 2), max: at(times.len().saturating_sub(1)) },
        }
    }

    /// Faults that were seen to take effect.
    #[must_use]
    pub fn took_effect(&self) -> u64 {
        self.faults.values().map(|tried| tried.took_effect).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18}{:>9}{:>13}", "FAULT", "INJECTED", "TOOK EFFECT")?;
        for kind in Kind::ALL {
            if let Some(tried) = self.faults.get(kind.name()) {
                writeln!(f, "{kind:<18}{:>9}{:>13}", tried.injected, tried.took_effect)?;
            }
        }
        let injected: u64 = self.faults.values().map(|tried| tried.injected).sum();
        writeln!(f, "{:<18}{injected:>9}{:>13}\n", "all", self.took_effect())?;
        for (name, figure) in [
            ("reports sent", self.reports_sent),
            ("decided", self.decided),
            ("lost", self.lost),
            ("repeated", self.duplicates),
            ("… after dedupe", self.duplicates_after_dedupe),
            ("out of order", self.order_violations),
            ("wrong values", self.wrong_values),
            ("dead letters", self.dead_letters),
            ("poison sent", self.poison_sent),
        ] {
            writeln!(f, "{name:<18}{figure:>9}")?;
        }
        let Recovery { p50, max } = self.recovery_ms;
        writeln!(f, "{:<18}{:>9.1} s, at most {:.1} s", "recovered within", p50 as f64 / 1e3, max as f64 / 1e3)
    }
}
