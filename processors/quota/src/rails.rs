//! Guard rails round any policy: what binds is named, in the order in which it bound.
//!
//! ```text
//! policy ─> dead_band ─> hold_down ─> largest_step_up / largest_step_down ─┐
//! stale input, nothing else to go by: the last quota ──────────────────────┤
//! freeze: the last quota ──────────────────────────────────────────────────┼─> min ─> max ─> quota
//! override: the operator's quota ──────────────────────────────────────────┘
//! ```
//!
//! One of the four ways leads to the bounds: override before freeze before stale input before the policy. The bounds come
//! last, so nothing leaves them; where they contradict each other, the maximum has the last word.

use crate::control::InForce;
use crate::error::QuotaError;
use crate::inputs::Before;
use crate::rounding::round;

/// Settings of the guard rails; scales are multiples of the base quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rails {
    /// Smallest scale, from 0.
    pub min_scale: f64,
    /// Largest scale, at least `min_scale`.
    pub max_scale: f64,
    /// Largest rise from one command to the next, above 0; `None`: any.
    pub largest_step_up: Option<f64>,
    /// Largest fall from one command to the next, above 0; `None`: any.
    pub largest_step_down: Option<f64>,
    /// A change of at most this much is not made, from 0.
    pub dead_band: f64,
    /// How long the wish must stay below the quota before it is lowered, in ms of event time, from 0.
    pub hold_down_ms: i64,
    /// Age of the measurement from which the last quota is held, in ms of event time, above 0; `None`: never.
    pub stale_after_ms: Option<i64>,
}

impl Default for Rails {
    fn default() -> Self {
        Self {
            // No node is left without anything. At 0.01 nodes that do next to nothing were kept above what policy headroom wants
            // for them; policy threshold never comes near.
            min_scale: 0.005,
            max_scale: 3.0,
            largest_step_up: None,
            largest_step_down: None,
            dead_band: 0.0,
            hold_down_ms: 0,
            stale_after_ms: None,
        }
    }
}

/// A rail that bound, and the scale that it left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Its name in `limits_hit`.
    pub limit: &'static str,
    /// What it left, as a multiple of the base quota.
    pub scale: f64,
}

/// A quota on its way through the rails.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Granted {
    /// In resource units, to 1e-4.
    pub(crate) quota: f64,
    /// quota / base quota.
    pub(crate) scale: f64,
    /// No decrease before this event time.
    pub(crate) hold_until: Option<i64>,
    /// What bound, in order.
    pub(crate) bounds: Vec<Bound>,
    base: f64,
    /// Whether the quota was given as such, not as a scale.
    is_kept: bool,
}

impl Granted {
    fn new(base: f64, scale: f64) -> Self {
        let quota = round((base * scale).min(f64::MAX));
        Self { quota, scale, hold_until: None, bounds: Vec::new(), base, is_kept: false }
    }

    fn set_scale(&mut self, limit: &'static str, scale: f64) {
        self.is_kept = false;
        self.scale = scale;
        self.quota = round((self.base * scale).min(f64::MAX));
        self.bounds.push(Bound { limit, scale });
    }

    fn set_quota(&mut self, limit: &'static str, quota: f64) {
        self.is_kept = true;
        self.scale = quota / self.base;
        self.quota = quota;
        self.bounds.push(Bound { limit, scale: self.scale });
    }
}

/// When and from what a quota is granted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: i64,
    pub(crate) base: f64,
    pub(crate) is_stale: bool,
    pub(crate) before: Option<&'a Before>,
}

impl Rails {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`QuotaError::Setting`] for one that is not a number, out of its range, or in the wrong order.
    pub fn validate(&self) -> Result<(), QuotaError> {
        let setting = |setting, value, wanted| Err(QuotaError::Setting { setting, value, wanted });
        let from_0 = |x: f64| x.is_finite() && x >= 0.0;
        if !from_0(self.min_scale) {
            return setting("min_scale", self.min_scale, "a finite number of at least 0");
        }
        if !(self.max_scale.is_finite() && self.max_scale >= self.min_scale) {
            return setting("max_scale", self.max_scale, "a finite number of at least min_scale");
        }
        for (name, step) in [("largest_step_up", self.largest_step_up), ("largest_step_down", self.largest_step_down)] {
            if let Some(step) = step.filter(|step| !(from_0(*step) && *step > 0.0)) {
                return setting(name, step, "a finite number above 0");
            }
        }
        if !from_0(self.dead_band) {
            return setting("dead_band", self.dead_band, "a finite number of at least 0");
        }
        if self.hold_down_ms < 0 {
            return setting("hold_down_s", self.hold_down_ms as f64 / 1000.0, "at least 0");
        }
        if let Some(ms) = self.stale_after_ms.filter(|ms| *ms <= 0) {
            return setting("stale_after_s", ms as f64 / 1000.0, "above 0");
        }
        Ok(())
    }

    /// Leads a policy's scale through the rails.
    pub(crate) fn grant(&self, wish: f64, at: Moment<'_>, control: &InForce) -> Granted {
        let mut granted = Granted::new(at.base, wish);
        let held = at.before.and_then(|before| before.hold_until).filter(|until| *until > at.now);
        match (usable(control.override_quota), at.before) {
            (Some(quota), _) => {
                granted.set_quota("override", round(quota));
                granted.hold_until = held;
            }
            (None, Some(before)) if control.freeze || at.is_stale => {
                granted.set_quota(if control.freeze { "freeze" } else { "stale_input" }, before.quota);
                granted.hold_until = held;
            }
            (None, before) => {
                if at.is_stale {
                    granted.set_scale("stale_input", wish);
                }
                self.smooth(&mut granted, before, at.now);
            }
        }
        self.bound(&mut granted, control);
        granted
    }

    /// Dead band, hold-down and steps: what the change from the last quota may be.
    fn smooth(&self, granted: &mut Granted, before: Option<&Before>, now: i64) {
        let hold = (self.hold_down_ms > 0).then(|| now.saturating_add(self.hold_down_ms));
        let Some(before) = before else {
            granted.hold_until = hold;
            return;
        };
        let last = before.quota / granted.base;
        if granted.quota >= before.quota {
            granted.hold_until = hold;
        } else if hold.is_some() {
            granted.hold_until = before.hold_until.filter(|until| *until > now);
        }
        if granted.quota != before.quota && (granted.scale - last).abs() <= self.dead_band {
            granted.set_quota("dead_band", before.quota);
        }
        if granted.quota < before.quota && hold.is_some() && granted.hold_until.is_some() {
            granted.set_quota("hold_down", before.quota);
        }
        if let Some(highest) = self.largest_step_up.map(|step| last + step).filter(|highest| granted.scale > *highest) {
            granted.set_scale("largest_step_up", highest);
        }
        if let Some(lowest) = self.largest_step_down.map(|step| last - step).filter(|lowest| granted.scale < *lowest) {
            granted.set_scale("largest_step_down", lowest);
        }
    }

    /// Minimum, then maximum; an operator's in place of the configured one.
    fn bound(&self, granted: &mut Granted, control: &InForce) {
        let of_base = |quota: f64| quota / granted.base;
        let min = usable(control.min_quota).map_or(self.min_scale, of_base);
        let max = usable(control.max_quota).map_or(self.max_scale, of_base);
        // A quota that is kept was rounded: it is compared as it stands, or its own bound would seem to bind again.
        let (lowest, highest) = (round(granted.base * min), round(granted.base * max));
        let is_below = if granted.is_kept { granted.quota < lowest } else { granted.scale < min };
        if is_below || granted.scale.is_nan() {
            granted.set_scale("min", min);
        }
        let is_above = if granted.is_kept { granted.quota > highest } else { granted.scale > max };
        if is_above {
            granted.set_scale("max", max);
        }
    }
}

/// A quota that an operator may give: finite, from 0.
fn usable(quota: Option<f64>) -> Option<f64> {
    quota.filter(|quota| quota.is_finite() && *quota >= 0.0)
}
