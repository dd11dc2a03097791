//! The network as a `burn` module, for training.
//!
//! The same network as the inference form, over whole sequences: `[steps · batch, inputs]` in, time first,
//! `[steps · batch, 7]` out. Inputs are standardised before they come here.

use burn::module::{Module, Param};
use burn::tensor::activation::{sigmoid, silu, softplus, tanh};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::kind::Kind;
use crate::features::INPUTS;
use crate::network::{HEAD, OUTPUTS};

/// LSTM and head; matrices are `[inputs, outputs]`, biases `[1, outputs]`.
#[derive(Module, Debug)]
pub(crate) struct Forecaster {
    lstm_input: Param<Tensor<2>>,
    lstm_state: Param<Tensor<2>>,
    lstm_bias: Param<Tensor<2>>,
    head_state: Param<Tensor<2>>,
    head_input: Param<Tensor<2>>,
    head_bias: Param<Tensor<2>>,
    out: Param<Tensor<2>>,
    out_bias: Param<Tensor<2>>,
}

impl Forecaster {
    /// Uniform weights within ±1/√inputs; the forget gate opens with a bias of 1, the linear skip begins at zero.
    pub(crate) fn new(hidden: usize, device: &Device, rng: &mut ChaCha8Rng) -> Self {
        let mut matrix = |rows: usize, columns: usize, bound: f32| -> Vec<f32> {
            (0..rows * columns).map(|_| rng.random_range(-bound..bound)).collect()
        };
        let per_state = 1.0 / (hidden as f32).sqrt();
        let per_input = 1.0 / (INPUTS as f32).sqrt();
        let per_head = 1.0 / ((hidden + INPUTS) as f32).sqrt();
        let per_out = 0.3 / (HEAD as f32).sqrt();
        let wide = HEAD + OUTPUTS;
        let lstm_input = matrix(INPUTS, 4 * hidden, per_input);
        let lstm_state = matrix(hidden, 4 * hidden, per_state);
        let mut head_state = matrix(hidden, wide, per_head);
        let mut head_input = matrix(INPUTS, wide, per_head);
        let out = matrix(HEAD, OUTPUTS, per_out);
        for row in head_state.chunks_exact_mut(wide).chain(head_input.chunks_exact_mut(wide)) {
            row[HEAD..].fill(0.0);
        }
        let mut lstm_bias = vec![0.0; 4 * hidden];
        lstm_bias[hidden..2 * hidden].fill(1.0);
        Self::from_values(
            hidden,
            &[lstm_input, lstm_state, lstm_bias, head_state, head_input, vec![0.0; wide], out, vec![0.0; OUTPUTS]],
            device,
        )
    }

    /// From values in the order of [`Self::values`].
    pub(crate) fn from_values(hidden: usize, values: &[Vec<f32>; 8], device: &Device) -> Self {
        let param = |index: usize, rows: usize| {
            let columns = values[index].len() / rows;
            let data = TensorData::new(values[index].clone(), [rows, columns]);
            Param::from_tensor(Tensor::<2>::from_data(data, device))
        };
        Self {
            lstm_input: param(0, INPUTS),
            lstm_state: param(1, hidden),
            lstm_bias: param(2, 1),
            head_state: param(3, hidden),
            head_input: param(4, INPUTS),
            head_bias: param(5, 1),
            out: param(6, HEAD),
            out_bias: param(7, 1),
        }
    }

    /// The weights, in the order of the artifact's tensors after the input scaling.
    pub(crate) fn values(&self) -> [Vec<f32>; 8] {
        let value = |param: &Param<Tensor<2>>| {
            let data = param.val().into_data();
            data.try_to_vec::<f32>().unwrap_or_default()
        };
        [
            value(&self.lstm_input),
            value(&self.lstm_state),
            value(&self.lstm_bias),
            value(&self.head_state),
            value(&self.head_input),
            value(&self.head_bias),
            value(&self.out),
            value(&self.out_bias),
        ]
    }

    /// Runs `steps` inputs of shape `[batch, INPUTS]` from zero states; the result is `[steps · batch, OUTPUTS]`.
    pub(crate) fn forward(&self, steps: &[Tensor<2>]) -> Tensor<2> {
        let [batch, _] = steps.first().map_or([0, 0], Tensor::dims);
        let [hidden, _] = self.lstm_state.val().dims();
        let device = self.lstm_state.val().device();
        let (input, recurrent, bias) = (self.lstm_input.val(), self.lstm_state.val(), self.lstm_bias.val());
        let mut h = Tensor::<2>::zeros([batch, hidden], &device);
        let mut c = Tensor::<2>::zeros([batch, hidden], &device);
        let mut states = Vec::with_capacity(steps.len());
        for x in steps {
            let gates = x.clone().matmul(input.clone()) + h.matmul(recurrent.clone()) + bias.clone();
            let gate = |index: usize| gates.clone().slice([0..batch, index * hidden..(index + 1) * hidden]);
            c = sigmoid(gate(1)) * c + sigmoid(gate(0)) * tanh(gate(2));
            h = sigmoid(gate(3)) * tanh(c.clone());
            states.push(h.clone());
        }
        let rows = batch * steps.len();
        let x = Tensor::cat(steps.to_vec(), 0);
        let head = Tensor::cat(states, 0).matmul(self.head_state.val())
            + x.matmul(self.head_input.val())
            + self.head_bias.val();
        let layer = silu(head.clone().slice([0..rows, 0..HEAD]));
        let skip = head.slice([0..rows, HEAD..HEAD + OUTPUTS]);
        layer.matmul(self.out.val()) + skip + self.out_bias.val()
    }
}

/// What a batch of outputs is held against; one row an output.
#[derive(Debug, Clone)]
pub(crate) struct Targets {
    /// `[rows, 1]`.
    pub(crate) peak: Tensor<2>,
    /// `[rows, 5]`.
    pub(crate) path: Tensor<2>,
    /// `[rows, 1]`: weights that sum to 1, zero where nothing counts.
    pub(crate) weight: Tensor<2>,
    /// `[rows, 5]`: the same for each point of the path.
    pub(crate) path_weight: Tensor<2>,
}

/// Pinball loss at 0.5 and 0.9 of the peak (Koenker and Bassett 1978) and the absolute error of the path, in the weights of `kind`.
pub(crate) fn loss(outputs: Tensor<2>, targets: Targets, kind: Kind) -> Tensor<1> {
    let [rows, _] = outputs.dims();
    let median = outputs.clone().slice([0..rows, 0..1]);
    let spread = softplus(outputs.clone().slice([0..rows, 1..2]) - 1.0, 1.0);
    let path = outputs.slice([0..rows, 2..OUTPUTS]);
    let below = targets.peak - median;
    let below_high = below.clone() - spread;
    let pinball = below.abs() * (0.5 * kind.median) + below_high.clone() * 0.4 + below_high.abs() * 0.5;
    let along = (targets.path - path).abs() * targets.path_weight;
    (pinball * targets.weight).sum() + along.sum() * kind.path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Block, Network, shapes};
    use crate::tensors::Tensors;
    use rand::SeedableRng;

    /// The module's weights as the inference form, with inputs left as they are.
    fn inference(hidden: usize, values: &[Vec<f32>; 8]) -> Network {
        let scaling = [vec![0.0; INPUTS], vec![1.0; INPUTS]];
        let mut tensors = Tensors::default();
        for ((name, shape), values) in shapes(hidden).into_iter().zip(scaling.iter().chain(values)) {
            tensors.insert(&format!("cpu.{name}"), shape, values.clone());
        }
        Network::from_tensors(&tensors, "cpu", hidden).unwrap()
    }

    #[test]
    fn training_and_inference_compute_the_same_network() {
        const BATCH: usize = 5;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for hidden in [8, 32, 48] {
            let mut random =
                |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-0.5f32..0.5)).collect() };
            let module_shapes = shapes(hidden);
            let values: [Vec<f32>; 8] = std::array::from_fn(|i| {
                let [rows, columns] = module_shapes[i + 2].1;
                random(rows * columns)
            });
            let inputs: Vec<Vec<f32>> = (0..30).map(|_| random(BATCH * INPUTS)).collect();
            let device = Device::flex();
            let module = Forecaster::from_values(hidden, &values, &device);
            assert_eq!(module.values(), values);
            let steps: Vec<Tensor<2>> = inputs
                .iter()
                .map(|x| Tensor::from_data(TensorData::new(x.clone(), [BATCH, INPUTS]), &device))
                .collect();
            let trained = module.forward(&steps).into_data().try_to_vec::<f32>().unwrap();
            let network = inference(hidden, &values);
            let mut cells = vec![vec![0.0; 4 * hidden]; BATCH];
            for (at, x) in inputs.iter().enumerate() {
                let mut block = Block::default();
                for (row, cells) in cells.iter().enumerate() {
                    let row: [f32; INPUTS] = std::array::from_fn(|i| x[row * INPUTS + i]);
                    let (older, younger) = cells.split_at(2 * hidden);
                    network.push(&mut block, &row, older, younger);
                }
                network.step(&mut block);
                for (row, cells) in cells.iter_mut().enumerate() {
                    let (older, younger) = cells.split_at_mut(2 * hidden);
                    block.copy_states(row, older, younger);
                    let from = (at * BATCH + row) * OUTPUTS;
                    for (got, want) in block.outputs(row).iter().zip(&trained[from..from + OUTPUTS]) {
                        assert!((got - want).abs() < 1e-4, "step {at}: {got} is not {want}");
                    }
                }
            }
        }
    }
}
