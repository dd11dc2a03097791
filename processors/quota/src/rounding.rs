//! Floats leave rounded to 1e-4.

/// Beyond this, 1e-4 is less than what an f64 tells apart.
const LARGEST: f64 = 1e11;

/// Rounds to 1e-4.
pub(crate) fn round(x: f64) -> f64 {
    if x.abs() < LARGEST { (x * 1e4).round() / 1e4 } else { x }
}
