//! Shapes that load follows over time, all pure functions of event time: the day, the week, a crowd, a job.

/// Milliseconds in a minute.
pub(crate) const MINUTE_MS: f64 = 60_000.0;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Monday 00:00 UTC, 4 days after the Unix epoch's Thursday.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;
/// What is left of the load at the weekend.
const WEEKEND: f64 = 0.7;

/// A wave of period 1 in [-1, 1], two parabolas that meet smoothly: close to a sine, exact on every host.
fn wave(phase: f64) -> f64 {
    let x = phase - phase.floor();
    if x < 0.5 { 16.0 * x * (0.5 - x) } else { -16.0 * (x - 0.5) * (1.0 - x) }
}

/// Rises smoothly from 0 (at 0 and below) to 1 (at 1 and above).
pub(crate) fn smooth(x: f64) -> f64 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// The day at local time, in [-1, 1]: low before dawn, high in the afternoon, a second rise in the evening.
pub(crate) fn day(local_ms: i64) -> f64 {
    let phase = local_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
    0.8 * wave(phase - 0.36) + 0.2 * wave(2.0 * phase - 0.3)
}

/// Factor of the week at local time: 1 on working days, less at the weekend, with soft edges of four hours.
pub(crate) fn week(local_ms: i64) -> f64 {
    let hour = (local_ms - FIRST_MONDAY_MS).rem_euclid(7 * DAY_MS) as f64 / HOUR_MS as f64;
    let weekend = if hour < 2.0 {
        1.0 - smooth((hour + 2.0) / 4.0)
    } else {
        smooth((hour - 118.0) / 4.0) - smooth((hour - 166.0) / 4.0)
    };
    1.0 - (1.0 - WEEKEND) * weekend
}

/// A flash crowd: a ramp of some minutes, a stay, a long decay.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    /// When the ramp begins, Unix milliseconds.
    pub(crate) begins: i64,
    /// Load added at its height.
    pub(crate) height: f64,
    /// Length of the ramp, ms.
    pub(crate) ramp: f64,
    /// Length of the stay, ms.
    pub(crate) stay: f64,
    /// After this time of decay a quarter of the height is left, ms.
    pub(crate) decay: f64,
}

impl Crowd {
    /// Load added at `now`; `None` once it is over.
    pub(crate) fn at(&self, now: i64) -> Option<f64> {
        let since = (now - self.begins) as f64;
        let falling = (since - self.ramp - self.stay) / self.decay;
        if falling > 8.0 {
            return None;
        }
        let left = if falling > 0.0 { 1.0 / ((1.0 + falling) * (1.0 + falling)) } else { 1.0 };
        Some(self.height * smooth(since / self.ramp) * left)
    }
}

/// A job that comes again and again.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// From start to start, ms.
    pub(crate) period: i64,
    /// Where in the period it starts, ms.
    pub(crate) offset: i64,
    /// How long it runs, ms.
    pub(crate) length: f64,
    /// Load added while it runs.
    pub(crate) height: f64,
}

impl Job {
    /// Load added at `now`: half a minute up, half a minute down.
    pub(crate) fn at(&self, now: i64) -> f64 {
        let since = (now - self.offset).rem_euclid(self.period) as f64;
        let edge = MINUTE_MS / 2.0;
        self.height * (smooth(since / edge) - smooth((since - self.length) / edge))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_week_knows_its_weekend() {
        // 2026-01-05 was a Monday.
        let monday = 1_767_571_200_000;
        for (hours, want) in [(12, 1.0), (60, 1.0), (100, 1.0), (132, WEEKEND), (156, WEEKEND), (168 + 12, 1.0)] {
            assert!((week(monday + hours * HOUR_MS) - want).abs() < 1e-9, "hour {hours}");
        }
    }

    #[test]
    fn the_afternoon_is_busier_than_the_night() {
        assert!(day(15 * HOUR_MS) > 0.6 && day(4 * HOUR_MS) < -0.6);
    }

    #[test]
    fn a_crowd_rises_stays_and_goes() {
        let crowd = Crowd { begins: 0, height: 0.5, ramp: 180_000.0, stay: 60_000.0, decay: 300_000.0 };
        assert_eq!(crowd.at(0), Some(0.0));
        assert_eq!(crowd.at(200_000), Some(0.5));
        assert!(crowd.at(540_000).is_some_and(|v| (v - 0.125).abs() < 1e-9));
        assert_eq!(crowd.at(3_600_000), None);
    }

    proptest! {
        #[test]
        fn shapes_stay_in_bounds_and_do_not_jump(at in 0i64..4_000_000_000_000) {
            for (shape, low, high) in [(day as fn(i64) -> f64, -1.0, 1.0), (week, WEEKEND, 1.0)] {
                let (now, soon) = (shape(at), shape(at + 1_000));
                prop_assert!((low..=high).contains(&now), "{now}");
                prop_assert!((soon - now).abs() < 1e-3);
            }
        }

        #[test]
        fn a_job_stays_between_nothing_and_its_height(at: u32, offset in 0i64..300_000) {
            let job = Job { period: 300_000, offset, length: 60_000.0, height: 0.3 };
            prop_assert!((0.0..=0.3).contains(&job.at(i64::from(at))));
            prop_assert_eq!(job.at(i64::from(at)), job.at(i64::from(at) + 300_000));
        }
    }
}
