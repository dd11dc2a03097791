//! Finds the coordinates in which nodes will correct their forecasts ([`crate::adapt`]), from the part that was learned from.
//!
//! ```text
//! learned nodes, reports before the cut ─► networks ─► outputs and inputs of ready states ─► second moments
//!        ─► principal directions, longest first, each over √(its length² + 0.5)
//! ```
//!
//! The directions are the eigenvectors of a symmetric matrix, by Jacobi's rotations (Golub and Van Loan, "Matrix Computations", 8.5).

use super::residuals::learned;
use super::split::Split;
use crate::adapt::{Basis, SEEN, raw};
use crate::ensemble::{Row, member_name};
use crate::error::ForecastError;
use crate::features::INPUTS;
use crate::load::{Resource, Sample, Series};
use crate::model::Model;
use crate::network::{BLOCK, Block};
use crate::state::NodeState;
use crate::tensors::Tensors;

/// Most reports that run through the networks, and least of a node: so many that its state is ready long before.
const MOST_REPORTS: usize = 200_000;
const LEAST_REPORTS: usize = 10_000;
/// Directions in which less than this happens are not made as large as the others.
const LITTLE: f64 = 0.5;
/// Rounds over the whole matrix; it is diagonal to the last digit long before.
const SWEEPS: usize = 30;

type Matrix = Vec<[f64; SEEN]>;

/// Adds the basis of each resource that the model forecasts to its tensors; none where no state was ever ready.
pub(crate) fn add_bases(
    model: &Model,
    members: usize,
    data: &[Series],
    split: &Split,
    tensors: &mut Tensors,
) -> Result<(), ForecastError> {
    let learned: Vec<&[Sample]> =
        data.iter().zip(&split.parts).filter_map(|(series, part)| learned(series, *part)).collect();
    // Of a large fleet some nodes, spread over all.
    let every = learned.len().div_ceil(MOST_REPORTS / LEAST_REPORTS).max(1);
    let learned: Vec<&[Sample]> = learned.into_iter().step_by(every).collect();
    let most = MOST_REPORTS / learned.len().max(1);
    for resource in Resource::ALL.into_iter().filter(|resource| model.knows(*resource)) {
        let standard = Basis::standard(tensors, &member_name(resource, 0, members))?;
        let mut moments = Moments::new(standard);
        for group in learned.chunks(BLOCK) {
            moments.run(model, resource, group, most);
        }
        if moments.count > 0.0 {
            Basis::store(resource, &directions(moments.mean()), tensors);
        }
    }
    Ok(())
}

/// Sums of products of what the networks see and say.
struct Moments {
    standard: ([f32; INPUTS], [f32; INPUTS]),
    sums: Matrix,
    count: f64,
}

impl Moments {
    fn new(standard: ([f32; INPUTS], [f32; INPUTS])) -> Self {
        Self { standard, sums: vec![[0.0; SEEN]; SEEN], count: 0.0 }
    }

    /// Runs the last reports of some nodes through the networks.
    fn run(&mut self, model: &Model, resource: Resource, group: &[&[Sample]], most: usize) {
        let Some(networks) = model.networks(resource) else { return };
        let hidden = model.hidden();
        let mut states = vec![NodeState::new(); group.len()];
        let mut block = Block::default();
        let group: Vec<&[Sample]> =
            group.iter().map(|samples| &samples[samples.len().saturating_sub(most)..]).collect();
        for at in 0..group.iter().map(|samples| samples.len()).max().unwrap_or(0) {
            let mut rows = Vec::with_capacity(BLOCK);
            for (state, samples) in states.iter_mut().zip(&group) {
                let Some(sample) = samples.get(at) else { continue };
                state.observe(sample, hidden);
                rows.extend(state.track(resource).map(Row::new));
            }
            networks.step(&mut rows, &mut block);
            rows.iter().filter(|row| row.track.is_ready()).for_each(|row| self.add(row));
        }
    }

    fn add(&mut self, row: &Row<'_>) {
        let (mean, rate) = &self.standard;
        let seen = raw(mean, rate, &row.features.inputs, &row.outputs).map(f64::from);
        for (sums, x) in self.sums.iter_mut().zip(seen) {
            for (sum, y) in sums.iter_mut().zip(seen) {
                *sum += x * y;
            }
        }
        self.count += 1.0;
    }

    fn mean(self) -> Matrix {
        let share = 1.0 / self.count;
        self.sums.into_iter().map(|row| row.map(|sum| sum * share)).collect()
    }
}

/// The principal directions of a symmetric matrix of second moments, each over its deviation and a little more.
fn directions(moments: Matrix) -> [[f32; SEEN]; SEEN] {
    let (lengths, vectors) = eigen(moments);
    let mut order: Vec<usize> = (0..SEEN).collect();
    order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
    std::array::from_fn(|at| {
        let index = order[at];
        let per_length = 1.0 / (lengths[index].max(0.0) + LITTLE).sqrt();
        std::array::from_fn(|seen| (vectors[seen][index] * per_length) as f32)
    })
}

/// Eigenvalues, and eigenvectors as columns.
fn eigen(mut matrix: Matrix) -> ([f64; SEEN], Matrix) {
    let mut vectors: Matrix = vec![[0.0; SEEN]; SEEN];
    for (index, row) in vectors.iter_mut().enumerate() {
        row[index] = 1.0;
    }
    for _ in 0..SWEEPS {
        for p in 0..SEEN {
            for q in p + 1..SEEN {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }
    (std::array::from_fn(|index| matrix[index][index]), vectors)
}

/// Turns rows and columns p and q so that nothing is left between them.
fn rotate(matrix: &mut Matrix, vectors: &mut Matrix, p: usize, q: usize) {
    if matrix[p][q] == 0.0 {
        return;
    }
    let tau = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    let turn = |row: &mut [f64; SEEN]| (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    matrix.iter_mut().for_each(turn);
    vectors.iter_mut().for_each(turn);
    let (above, below) = matrix.split_at_mut(q);
    for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A matrix of second moments of vectors with directions of very different lengths.
    fn moments() -> Matrix {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut matrix = vec![[0.0; SEEN]; SEEN];
        for _ in 0..40 {
            let long = 10f64.powf(rng.random_range(-2.0..1.0));
            let vector: [f64; SEEN] = std::array::from_fn(|_| long * rng.random_range(-1.0..1.0));
            for (row, x) in matrix.iter_mut().zip(vector) {
                for (sum, y) in row.iter_mut().zip(vector) {
                    *sum += x * y;
                }
            }
        }
        matrix
    }

    #[test]
    fn eigenvectors_put_the_matrix_together_again() {
        let matrix = moments();
        let (values, vectors) = eigen(matrix.clone());
        for p in 0..SEEN {
            for q in 0..SEEN {
                let again: f64 = (0..SEEN).map(|k| vectors[p][k] * values[k] * vectors[q][k]).sum();
                assert!((again - matrix[p][q]).abs() < 1e-9, "{p} {q}: {again} is not {}", matrix[p][q]);
            }
        }
    }

    #[test]
    fn directions_are_unrelated_and_the_longest_come_first() {
        let matrix = moments();
        let directions = directions(matrix.clone());
        let mut last = 1.0;
        for (index, a) in directions.iter().enumerate() {
            for (other, b) in directions.iter().enumerate() {
                let between: f64 = (0..SEEN * SEEN)
                    .map(|at| f64::from(a[at / SEEN]) * matrix[at / SEEN][at % SEEN] * f64::from(b[at % SEEN]))
                    .sum();
                if index == other {
                    assert!(between <= last + 1e-6 && (index > 0 || between > 0.9), "{index}: {between} after {last}");
                    last = between;
                } else {
                    assert!(between.abs() < 1e-4, "{index} {other}: {between}");
                }
            }
        }
    }
}
