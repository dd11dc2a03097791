//! The histogram's bins: narrow around 0 and a tenth wider from one to the next, mirrored.
//!
//! Scores are in units of 1e-4 of the base quota. The edges come from multiplications alone, so they are the same on
//! every host.

/// Bins on either side of 0.
const SIDE: usize = 56;
/// All bins.
pub(crate) const BINS: usize = 2 * SIDE;
/// Width of the bins beside 0 is a tenth of this: 0.05 points.
const LINEAR: f64 = 50.0;
/// Growth from a bin to the next; the last edges stand at ±103 points.
const GROWTH: f64 = 1.1;

/// Lower edges, and the upper edge of the last bin; ascending.
const EDGES: [f64; BINS + 1] = edges();

const fn edges() -> [f64; BINS + 1] {
    let mut edges = [0.0; BINS + 1];
    let mut power = 1.0;
    let mut k = 1;
    while k <= SIDE {
        power *= GROWTH;
        edges[SIDE + k] = LINEAR * (power - 1.0);
        edges[SIDE - k] = -edges[SIDE + k];
        k += 1;
    }
    edges
}

/// The bin of a score; what lies outside is in the first or the last.
pub(crate) fn bin_of(score: f64) -> usize {
    EDGES[1..BINS].partition_point(|edge| *edge <= score)
}

/// The score below which `share` of bin `bin` lies, evenly spread.
pub(crate) fn within(bin: usize, share: f64) -> f64 {
    EDGES[bin] + (EDGES[bin + 1] - EDGES[bin]) * share
}

/// The largest score below which all but `wanted` of the weight lies; `None` where there is less weight than that.
pub(crate) fn upper_quantile(weights: impl Fn(usize) -> f64, wanted: f64) -> Option<f64> {
    let mut above = 0.0;
    for bin in (0..BINS).rev() {
        let weight = weights(bin);
        if weight > 0.0 && above + weight >= wanted {
            return Some(within(bin, 1.0 - (wanted - above) / weight));
        }
        above += weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_score_lies_within_its_bin(score in -10_000.0..10_000.0f64) {
            let bin = bin_of(score);
            prop_assert!(within(bin, 0.0) <= score && score <= within(bin, 1.0));
        }

        #[test]
        fn the_upper_quantile_leaves_the_wanted_share_above(scores in prop::collection::vec(-9e3..9e3f64, 1..200), share in 0.005..0.5f64) {
            let mut weights = [0.0; BINS];
            scores.iter().for_each(|score| weights[bin_of(*score)] += 1.0);
            let wanted = share * scores.len() as f64;
            let quantile = upper_quantile(|bin| weights[bin], wanted).unwrap();
            let whole_bins_above: f64 = weights[bin_of(quantile) + 1..].iter().sum();
            let with_its_own = whole_bins_above + weights[bin_of(quantile)];
            prop_assert!(whole_bins_above <= wanted + 1e-9 && wanted <= with_its_own + 1e-9);
        }
    }

    #[test]
    fn any_score_has_a_bin() {
        assert_eq!((bin_of(f64::NEG_INFINITY), bin_of(f64::INFINITY), bin_of(0.0)), (0, BINS - 1, SIDE));
        assert!(within(BINS - 1, 1.0) > 10_000.0);
    }
}
