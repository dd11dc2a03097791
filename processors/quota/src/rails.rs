//! Guard rails round any policy: what binds is named, in the order in which it bound (minimum, then maximum).

use crate::error::QuotaError;

/// Bounds of the quota, as multiples of the base quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rails {
    /// Smallest scale, from 0.
    pub min_scale: f64,
    /// Largest scale, at least `min_scale`.
    pub max_scale: f64,
}

impl Default for Rails {
    fn default() -> Self {
        Self { min_scale: 0.1, max_scale: 3.0 }
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

impl Rails {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`QuotaError::Setting`] for a bound that is not a number, negative, or in the wrong order.
    pub fn validate(&self) -> Result<(), QuotaError> {
        let setting = |setting, value, wanted| Err(QuotaError::Setting { setting, value, wanted });
        if !(self.min_scale.is_finite() && self.min_scale >= 0.0) {
            return setting("min_scale", self.min_scale, "a finite number of at least 0");
        }
        if !(self.max_scale.is_finite() && self.max_scale >= self.min_scale) {
            return setting("max_scale", self.max_scale, "a finite number of at least min_scale");
        }
        Ok(())
    }

    /// Bounds a scale; names what bound it.
    #[must_use]
    pub fn bound(&self, scale: f64) -> (f64, Vec<Bound>) {
        let bind = |limit, scale| (scale, vec![Bound { limit, scale }]);
        if scale.is_nan() || scale < self.min_scale {
            bind("min", self.min_scale)
        } else if scale > self.max_scale {
            bind("max", self.max_scale)
        } else {
            (scale, Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_result_is_within_and_what_bound_is_named(scale: f64, min in 0.0..2.0f64, more in 0.0..4.0f64) {
            let rails = Rails { min_scale: min, max_scale: min + more };
            prop_assert_eq!(rails.validate(), Ok(()));
            let (bounded, hit) = rails.bound(scale);
            prop_assert!((min..=min + more).contains(&bounded));
            prop_assert_eq!(hit.is_empty(), bounded == scale);
        }
    }

    #[test]
    fn bounds_in_the_wrong_order_are_refused() {
        let rails = Rails { min_scale: 1.0, max_scale: 0.5 };
        assert_eq!(
            rails.validate().unwrap_err().to_string(),
            "the quota setting max_scale is 0.5; it must be a finite number of at least min_scale"
        );
        assert!(Rails { min_scale: f64::NAN, max_scale: 1.0 }.validate().is_err());
    }
}
