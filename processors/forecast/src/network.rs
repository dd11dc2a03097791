//! The network in its inference form: one step of the LSTM for a block of nodes, and the outputs of its head.
//!
//! ```text
//! inputs ─standardise─► x ─┬─ x·Wx + b ─┬─ + h_older·Wh ──► cell ─► h_older' ─┐
//!                          │            └─ + h_younger·Wh ► cell ─► h_younger' │
//!                          └──────────────── [h_older', x] ─► 48 SiLU ─► + linear skip ─► 7 outputs
//! ```
//!
//! The product of the inputs is shared by a node's two states. LSTM as Hochreiter and Schmidhuber 1997 with forget gates
//! (Gers et al. 2000), gates in the order input, forget, cell, output; SiLU as Elfwing et al. 2017. Training has the
//! same network as a `burn` module; a test holds the two together.

use pulp::{Arch, Simd, WithSimd};

use crate::error::ForecastError;
use crate::features::INPUTS;
use crate::kernel::{Weights, fill_rows};
use crate::numeric::{sigmoid, tanh};
use crate::tensors::Tensors;

/// Width of the head's layer between state and outputs.
pub(crate) const HEAD: usize = 48;
/// Outputs: median of the peak, spread of its 0.9 quantile, five points of the path.
pub(crate) const OUTPUTS: usize = 7;
/// Outputs as the kernel sees them, a multiple of its panels.
const WIDE: usize = 8;
/// Most rows that go through the network together; more would not stay in the nearest cache.
pub(crate) const BLOCK: usize = 16;

/// The tensors of one network: names, rows and columns, with hidden size h.
pub(crate) fn shapes(hidden: usize) -> [(&'static str, [usize; 2]); 10] {
    [
        ("input_mean", [1, INPUTS]),
        ("input_rate", [1, INPUTS]),
        ("lstm_input", [INPUTS, 4 * hidden]),
        ("lstm_state", [hidden, 4 * hidden]),
        ("lstm_bias", [1, 4 * hidden]),
        ("head_state", [hidden, HEAD + OUTPUTS]),
        ("head_input", [INPUTS, HEAD + OUTPUTS]),
        ("head_bias", [1, HEAD + OUTPUTS]),
        ("out", [HEAD, OUTPUTS]),
        ("out_bias", [1, OUTPUTS]),
    ]
}

/// One network, its weights packed.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    hidden: usize,
    mean: [f32; INPUTS],
    rate: [f32; INPUTS],
    lstm_input: Weights,
    lstm_state: Weights,
    lstm_bias: Vec<f32>,
    head_state: Weights,
    head_input: Weights,
    head_bias: Vec<f32>,
    out: Weights,
    out_bias: [f32; WIDE],
}

/// The rows of a block on their way through the network; its buffers are reused.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Inputs of each row, standardised by [`Network::push`].
    inputs: Vec<f32>,
    /// h of the older, then of the younger state, of each row.
    hidden: Vec<f32>,
    cell: Vec<f32>,
    gates: Vec<f32>,
    head: Vec<f32>,
    /// Eight values a row, the first seven of them outputs.
    pub(crate) outputs: Vec<f32>,
}

impl Block {
    /// Forgets the rows, keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.inputs.clear();
        self.hidden.clear();
        self.cell.clear();
    }

    /// Writes the new states of a row, each as (h, c).
    pub(crate) fn copy_states(&self, row: usize, older: &mut [f32], younger: &mut [f32]) {
        let hidden = older.len() / 2;
        for (which, state) in [older, younger].into_iter().enumerate() {
            let at = (2 * row + which) * hidden;
            state[..hidden].copy_from_slice(&self.hidden[at..at + hidden]);
            state[hidden..].copy_from_slice(&self.cell[at..at + hidden]);
        }
    }

    /// The outputs of a row.
    pub(crate) fn outputs(&self, row: usize) -> [f32; OUTPUTS] {
        std::array::from_fn(|output| self.outputs[row * WIDE + output])
    }
}

impl Network {
    /// Packs the tensors `name.*`; their shapes must fit `hidden`, a multiple of 8.
    pub(crate) fn from_tensors(tensors: &Tensors, name: &str, hidden: usize) -> Result<Self, ForecastError> {
        if hidden == 0 || !hidden.is_multiple_of(8) || hidden > 1_024 {
            return Err(ForecastError::damaged(format!("its hidden size is {hidden}")));
        }
        let mut found = Vec::new();
        for (tensor, shape) in shapes(hidden) {
            found.push(tensors.get(&format!("{name}.{tensor}"), shape)?);
        }
        let vector = |index: usize| -> [f32; INPUTS] { std::array::from_fn(|i| found[index][i]) };
        let head = HEAD + OUTPUTS;
        let mut head_bias = found[7].to_vec();
        head_bias.resize(HEAD + WIDE, 0.0);
        Ok(Self {
            hidden,
            mean: vector(0),
            rate: vector(1),
            lstm_input: Weights::pack(found[2], INPUTS, 4 * hidden),
            lstm_state: Weights::pack(found[3], hidden, 4 * hidden),
            lstm_bias: found[4].to_vec(),
            head_state: Weights::pack(found[5], hidden, head),
            head_input: Weights::pack(found[6], INPUTS, head),
            head_bias,
            out: Weights::pack(found[8], HEAD, OUTPUTS),
            out_bias: std::array::from_fn(|i| found[9].get(i).copied().unwrap_or(0.0)),
        })
    }

    /// Adds a row: its inputs and its states, each as (h, c).
    pub(crate) fn push(&self, block: &mut Block, inputs: &[f32; INPUTS], older: &[f32], younger: &[f32]) {
        let standard: [f32; INPUTS] = std::array::from_fn(|i| (inputs[i] - self.mean[i]) * self.rate[i]);
        block.inputs.extend_from_slice(&standard);
        for state in [older, younger] {
            let (hidden, cell) = state.split_at(self.hidden);
            block.hidden.extend_from_slice(hidden);
            block.cell.extend_from_slice(cell);
        }
    }

    /// Steps both states of every row, and computes the outputs from the older one. Compiled for several instruction sets,
    /// one of which the host has; all of them compute the same bits.
    pub(crate) fn step(&self, block: &mut Block) {
        Arch::new().dispatch(Step { network: self, block });
    }

    #[inline(always)]
    fn step_inlined(&self, block: &mut Block) {
        let rows = block.inputs.len() / INPUTS;
        let wide = 4 * self.hidden;
        block.gates.resize(2 * rows * wide, 0.0);
        // The input products stand in the upper half first, then are copied to both states of their row.
        let shared = &mut block.gates[rows * wide..];
        fill_rows(shared, &self.lstm_bias);
        self.lstm_input.add_product(&block.inputs, INPUTS, shared);
        for row in 0..rows {
            let from = (rows + row) * wide;
            let to = 2 * row * wide;
            block.gates.copy_within(from..from + wide, to);
            if to + wide != from {
                block.gates.copy_within(from..from + wide, to + wide);
            }
        }
        self.lstm_state.add_product(&block.hidden, self.hidden, &mut block.gates);
        let states = block.hidden.chunks_exact_mut(self.hidden).zip(block.cell.chunks_exact_mut(self.hidden));
        for (gates, (hidden, cell)) in block.gates.chunks_exact(wide).zip(states) {
            cell_step(gates, hidden, cell);
        }
        self.head(block, rows);
    }

    #[inline(always)]
    fn head(&self, block: &mut Block, rows: usize) {
        block.head.resize(rows * (HEAD + WIDE), 0.0);
        block.outputs.resize(rows * WIDE, 0.0);
        fill_rows(&mut block.head, &self.head_bias);
        self.head_state.add_product(&block.hidden, 2 * self.hidden, &mut block.head);
        self.head_input.add_product(&block.inputs, INPUTS, &mut block.head);
        for (head, outputs) in block.head.chunks_exact_mut(HEAD + WIDE).zip(block.outputs.chunks_exact_mut(WIDE)) {
            let (layer, skip) = head.split_at_mut(HEAD);
            for x in layer {
                *x *= sigmoid(*x);
            }
            for ((output, skip), bias) in outputs.iter_mut().zip(skip).zip(&self.out_bias) {
                *output = *skip + bias;
            }
        }
        self.out.add_product(&block.head, HEAD + WIDE, &mut block.outputs);
    }
}

/// A step to be compiled for each instruction set: a closure would be compiled once, for the oldest.
struct Step<'a> {
    network: &'a Network,
    block: &'a mut Block,
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.network.step_inlined(self.block);
    }
}

/// One step of the cell, in place: `gates` holds the sums of input, forget, cell and output gate.
#[inline(always)]
fn cell_step(gates: &[f32], hidden: &mut [f32], cell: &mut [f32]) {
    let size = hidden.len();
    let (input, rest) = gates.split_at(size);
    let (forget, rest) = rest.split_at(size);
    let (candidate, output) = rest.split_at(size);
    let output = &output[..size];
    let cell = &mut cell[..size];
    for j in 0..size {
        let c = sigmoid(forget[j]) * cell[j] + sigmoid(input[j]) * tanh(candidate[j]);
        cell[j] = c;
        hidden[j] = sigmoid(output[j]) * tanh(c);
    }
}
