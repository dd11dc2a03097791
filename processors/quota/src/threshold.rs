//! The default policy, `threshold`:
//!
//! scale = 1.2 · (p / 0.8) if p > 0.8; else 0.7 if c < 0.3; else 1.0
//!
//! where p is the forecast peak (p50) and c the current load, both fractions of the base quota.

/// Name in commands and settings.
pub const NAME: &str = "threshold";
/// Forecast peak above which the quota is raised.
pub const HIGH: f64 = 0.8;
/// Current load below which it is lowered.
pub const LOW: f64 = 0.3;
/// Headroom of a raise.
pub const RAISE: f64 = 1.2;
/// Scale of a lowered quota.
pub const LOWERED: f64 = 0.7;

/// Scale factor for forecast peak `p` and current load `c`; input that is not a number counts as 0.
#[must_use]
pub fn scale(p: f64, c: f64) -> f64 {
    if p > HIGH {
        RAISE * (p / HIGH)
    } else if c < LOW || c.is_nan() {
        LOWERED
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_formula_at_its_corners_and_on_both_sides_of_them() {
        let above = 0.8_f64.next_up();
        let cases = [
            // p, c, scale
            (0.8, 0.5, 1.0),
            (above, 0.5, 1.2 * (above / 0.8)),
            (0.8_f64.next_down(), 0.5, 1.0),
            (0.5, 0.3, 1.0),
            (0.5, 0.3_f64.next_down(), 0.7),
            (0.5, 0.3_f64.next_up(), 1.0),
            (0.8, 0.3, 1.0),
            (0.8, 0.3_f64.next_down(), 0.7),
            // A hot forecast wins over a low load.
            (0.96, 0.1, 1.44),
            (1.0, 1.0, 1.5),
            (0.0, 0.0, 0.7),
        ];
        for (p, c, wanted) in cases {
            assert!((scale(p, c) - wanted).abs() < 1e-12, "p {p} c {c}: {} is not {wanted}", scale(p, c));
        }
    }

    proptest! {
        #[test]
        fn it_is_monotone_in_the_forecast(c in 0.0..2.0f64, p in 0.0..3.0f64, more in 0.0..3.0f64) {
            prop_assert!(scale(p + more, c) >= scale(p, c));
        }

        #[test]
        fn it_never_gives_nan(p: f64, c: f64) {
            prop_assert!(!scale(p, c).is_nan());
        }
    }
}
