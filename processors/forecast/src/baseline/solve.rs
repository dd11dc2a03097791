//! Least squares with a little ridge, by the normal equations.
//!
//! Sums of products go into a packed lower triangle in f64; solving adds the ridge to all but the intercept and uses Cholesky's
//! decomposition. The order of every sum is fixed.

/// The ridge, as a share of the mean diagonal element.
const RIDGE: f64 = 1e-5;

/// Sums of products of N inputs (the first is the intercept, always 1) and T targets.
#[derive(Debug, Clone)]
pub(super) struct Normal<const N: usize, const T: usize> {
    /// Packed by rows: element (i, j), j ≤ i, stands at i(i+1)/2 + j.
    gram: Vec<f64>,
    right: Vec<[f64; T]>,
    pub(super) rows: u64,
}

impl<const N: usize, const T: usize> Normal<N, T> {
    pub(super) fn new() -> Self {
        Self { gram: vec![0.0; N * (N + 1) / 2], right: vec![[0.0; T]; N], rows: 0 }
    }

    pub(super) fn add(&mut self, inputs: &[f32; N], targets: [f32; T]) {
        let mut rest = self.gram.as_mut_slice();
        for (i, x) in inputs.iter().enumerate() {
            let x = f64::from(*x);
            let (row, tail) = rest.split_at_mut(i + 1);
            for (sum, y) in row.iter_mut().zip(inputs) {
                *sum += x * f64::from(*y);
            }
            for (sum, target) in self.right[i].iter_mut().zip(targets) {
                *sum += x * f64::from(target);
            }
            rest = tail;
        }
        self.rows += 1;
    }

    /// The weights of each target; `None` where the sums are no numbers.
    pub(super) fn solve(&self) -> Option<[[f64; N]; T]> {
        let mut factor = self.gram.clone();
        let at = |i: usize, j: usize| i * (i + 1) / 2 + j;
        let mean = (1..N).map(|i| self.gram[at(i, i)]).sum::<f64>() / N as f64;
        for i in 1..N {
            factor[at(i, i)] += RIDGE * mean + 1e-9;
        }
        for i in 0..N {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| factor[at(i, k)] * factor[at(j, k)]).sum();
                let left = factor[at(i, j)] - dot;
                factor[at(i, j)] = if i == j { left.max(1e-12).sqrt() } else { left / factor[at(j, j)] };
            }
        }
        let mut weights = [[0.0; N]; T];
        for (target, weights) in weights.iter_mut().enumerate() {
            for i in 0..N {
                let dot: f64 = (0..i).map(|k| factor[at(i, k)] * weights[k]).sum();
                weights[i] = (self.right[i][target] - dot) / factor[at(i, i)];
            }
            for i in (0..N).rev() {
                let dot: f64 = (i + 1..N).map(|k| factor[at(k, i)] * weights[k]).sum();
                weights[i] = (weights[i] - dot) / factor[at(i, i)];
            }
        }
        weights.iter().flatten().all(|w| w.is_finite()).then_some(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plane_is_found_again() {
        let mut normal = Normal::<3, 2>::new();
        for x in 0..20u8 {
            let (x, y) = (f32::from(x), f32::from(x * x % 7));
            normal.add(&[1.0, x, y], [2.0 + 3.0 * x - y, y]);
        }
        let weights = normal.solve().unwrap();
        for (got, want) in weights.iter().flatten().zip([2.0, 3.0, -1.0, 0.0, 0.0, 1.0]) {
            assert!((got - want).abs() < 1e-2, "{weights:?}");
        }
    }

    proptest! {
        #[test]
        fn any_rows_give_finite_weights(rows in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3, -1e3f32..1e3), 0..30)) {
            let mut normal = Normal::<4, 1>::new();
            for (x, y, target) in rows {
                normal.add(&[1.0, x, y, x], [target]);
            }
            prop_assert!(normal.solve().unwrap().iter().flatten().all(|w| w.is_finite()));
        }
    }
}
