//! Sums of forecast errors of one forecaster on one resource.

use tidegate_forecast::{Outcome, PATH_MINUTES, ResourceForecast};

use crate::report::{ForecastErrors, MeanError, PeakErrors, rounded};

/// What a forecast said, as far as it is judged; fractions of the base quota.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Claim {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) at_5m: f64,
}

impl Claim {
    pub(super) fn of(forecast: &ResourceForecast) -> Self {
        let wide = |x: f32| (f64::from(x) * 1e4).round() / 1e4;
        let at_5m = wide(forecast.path[PATH_MINUTES - 1]);
        Self { p50: wide(forecast.peak.p50), p90: wide(forecast.peak.p90), at_5m }
    }
}

/// The sums.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Errors {
    rows: u64,
    absolute: f64,
    pinball_90: f64,
    below_50: u64,
    below_90: u64,
    at_5m: f64,
    at_5m_rows: u64,
}

impl Errors {
    pub(super) fn add(&mut self, claim: &Claim, outcome: &Outcome) {
        let peak = f64::from(outcome.peak);
        let points = |from: f64, to: f64| (to - from) * 100.0;
        self.rows += 1;
        self.absolute += points(claim.p50, peak).abs();
        let miss = points(claim.p90, peak);
        self.pinball_90 += (0.9 * miss).max(-0.1 * miss);
        self.below_50 += u64::from(at_or_below(peak, claim.p50));
        self.below_90 += u64::from(at_or_below(peak, claim.p90));
        if let Some(load) = outcome.at_5m {
            self.at_5m += points(claim.at_5m, f64::from(load)).abs();
            self.at_5m_rows += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.absolute += other.absolute;
        self.pinball_90 += other.pinball_90;
        self.below_50 += other.below_50;
        self.below_90 += other.below_90;
        self.at_5m += other.at_5m;
        self.at_5m_rows += other.at_5m_rows;
    }

    pub(super) fn report(&self) -> ForecastErrors {
        let mean = |sum: f64, rows: u64| (rows > 0).then(|| rounded(sum / rows as f64));
        ForecastErrors {
            peak: PeakErrors {
                mae: mean(self.absolute, self.rows),
                pinball_q50: mean(self.absolute * 0.5, self.rows),
                pinball_q90: mean(self.pinball_90, self.rows),
                coverage_q90: mean(self.below_90 as f64, self.rows),
                coverage_q50: mean(self.below_50 as f64, self.rows),
            },
            at_5m: MeanError { mae: mean(self.at_5m, self.at_5m_rows) },
            rows: self.rows,
        }
    }
}

/// Records carry four decimals and outcomes are single precision: a peak on the quantile is below it.
fn at_or_below(peak: f64, quantile: f64) -> bool {
    peak <= quantile + 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_hand() {
        let claim = Claim { p50: 0.50, p90: 0.60, at_5m: 0.40 };
        let mut errors = Errors::default();
        errors.add(&claim, &Outcome { peak: 0.55, at_5m: Some(0.45) });
        errors.add(&claim, &Outcome { peak: 0.70, at_5m: None });
        let report = errors.report();
        // |5|, |20| points; half of it is the pinball of the median.
        assert_eq!((report.peak.mae, report.peak.pinball_q50), (Some(12.5), Some(6.25)));
        // 5 points below p90 cost 0.5, 10 above cost 9.
        assert_eq!(report.peak.pinball_q90, Some(4.75));
        assert_eq!((report.peak.coverage_q90, report.peak.coverage_q50), (Some(0.5), Some(0.0)));
        assert_eq!((report.at_5m.mae, report.rows), (Some(5.0), 2));
        assert_eq!(Errors::default().report(), ForecastErrors::default());
    }
}
