//! Matrix products whose result for a row never depends on the rows beside it.
//!
//! Each output is one sum, begun with what already stands there (the bias, or an earlier product) and extended over the inputs
//! one by one in their order. How many rows are worked on together changes only how often a weight is
//! loaded. Weights lie in panels of 8 outputs, so that the inner loops have fixed length and vectorise: by the widest
//! instructions that the host has, where the caller's caller is compiled for them ([`Network::step`](crate::network::Network::step)).
//! Lanes are outputs, never parts of a sum, and nothing is fused: the width changes no bit.
//! Library products choose their blocking, and with it the order of summation, by the shape of the whole batch.

const LANES: usize = 8;
/// Rows that share each load of a weight.
const ROWS: usize = 4;

/// A matrix of `inputs` × `outputs` weights in panels of 8 outputs; `outputs` is a multiple of 8.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    inputs: usize,
    outputs: usize,
    panels: Vec<[f32; LANES]>,
}

impl Weights {
    /// Packs a row-major `inputs` × `columns` matrix; columns are filled up with zeros to a multiple of 8.
    pub(crate) fn pack(rows: &[f32], inputs: usize, columns: usize) -> Self {
        let outputs = columns.next_multiple_of(LANES);
        let mut panels = vec![[0.0; LANES]; inputs * outputs / LANES];
        for (k, row) in rows.chunks_exact(columns).take(inputs).enumerate() {
            for (column, weight) in row.iter().enumerate() {
                panels[column / LANES * inputs + k][column % LANES] = *weight;
            }
        }
        Self { inputs, outputs, panels }
    }

    /// Adds `x · W` to `sums`: row i of `x` begins at `i · stride` and has at least `inputs` values, row i of `sums` has
    /// `outputs` values.
    #[inline(always)]
    pub(crate) fn add_product(&self, x: &[f32], stride: usize, sums: &mut [f32]) {
        let rows = sums.len() / self.outputs;
        let whole = rows / ROWS * ROWS;
        for first in (0..whole).step_by(ROWS) {
            let x = std::array::from_fn(|row| &x[(first + row) * stride..][..self.inputs]);
            let sums = &mut sums[first * self.outputs..][..ROWS * self.outputs];
            self.block::<ROWS>(x, sums);
        }
        for row in whole..rows {
            let sums = &mut sums[row * self.outputs..][..self.outputs];
            self.block::<1>([&x[row * stride..][..self.inputs]], sums);
        }
    }

    #[inline(always)]
    fn block<const R: usize>(&self, x: [&[f32]; R], sums: &mut [f32]) {
        for (index, panel) in self.panels.chunks_exact(self.inputs).enumerate() {
            let mut lanes = [[0.0_f32; LANES]; R];
            for (row, lanes) in lanes.iter_mut().enumerate() {
                lanes.copy_from_slice(&sums[row * self.outputs + index * LANES..][..LANES]);
            }
            panel_product(panel, x, &mut lanes);
            for (row, lanes) in lanes.iter().enumerate() {
                sums[row * self.outputs + index * LANES..][..LANES].copy_from_slice(lanes);
            }
        }
    }
}

#[inline(always)]
fn panel_product<const R: usize>(panel: &[[f32; LANES]], x: [&[f32]; R], sums: &mut [[f32; LANES]; R]) {
    let mut lanes = *sums;
    let x = x.map(|row| &row[..panel.len()]);
    for (k, weights) in panel.iter().enumerate() {
        for row in 0..R {
            let input = x[row][k];
            for lane in 0..LANES {
                lanes[row][lane] += input * weights[lane];
            }
        }
    }
    *sums = lanes;
}

/// Writes `row` into every row of `rows`.
#[inline(always)]
pub(crate) fn fill_rows(rows: &mut [f32], row: &[f32]) {
    for target in rows.chunks_exact_mut(row.len()) {
        target.copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(count: usize) -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-2f32..2.0, count)
    }

    proptest! {
        #[test]
        fn rows_do_not_know_each_other(
            (inputs, columns, rows, x, w) in (1usize..40, 1usize..30, 1usize..11).prop_flat_map(|(k, n, m)| {
                (Just(k), Just(n), Just(m), numbers(m * k), numbers(k * n))
            }),
        ) {
            let weights = Weights::pack(&w, inputs, columns);
            let outputs = columns.next_multiple_of(LANES);
            let mut together = vec![0.5; rows * outputs];
            weights.add_product(&x, inputs, &mut together);
            for row in 0..rows {
                let mut alone = vec![0.5; outputs];
                weights.add_product(&x[row * inputs..][..inputs], inputs, &mut alone);
                for column in 0..columns {
                    let mut sum = 0.5_f32;
                    for k in 0..inputs {
                        sum += x[row * inputs + k] * w[k * columns + column];
                    }
                    prop_assert_eq!(alone[column].to_bits(), sum.to_bits());
                    prop_assert_eq!(together[row * outputs + column].to_bits(), sum.to_bits());
                }
            }
        }
    }
}
