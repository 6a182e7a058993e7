//! What each way of storing a model's weights costs: bytes, and how far the matrices end up from what they were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quantise::{self, Quantisation, Quantised, Stored};
use super::weights;
use crate::model::ModelConfig;

/// Of a matrix with more rows than these, so many are measured, evenly spread.
const MEASURED_ROWS: usize = 128;

/// One way of storing the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageCost {
    pub quantisation: Quantisation,
    /// Of `weights.safetensors`.
    pub bytes: u64,
    /// Root mean square of the matrices' errors, relative to that of their values.
    pub error: f64,
    /// The matrix with the largest error relative to its own values, and that error.
    pub worst: String,
    pub worst_error: f64,
}

/// Measures the costs while the weights are stored.
pub struct Costs {
    tallies: Vec<Tally>,
}

/// Sums over the matrices stored in one way.
struct Tally {
    quantisation: Quantisation,
    bytes: u64,
    /// How each matrix is stored.
    matrices: BTreeMap<String, Stored>,
    squared_error: f64,
    squares: f64,
    worst: (String, f64),
}

impl Costs {
    pub fn new(model: &ModelConfig) -> Self {
        let specs = model.tensors();
        let tally = |quantisation| Tally {
            quantisation,
            bytes: weights::length(model, quantisation),
            matrices: specs
                .iter()
                .filter(|spec| spec.shape.len() == 2)
                .map(|spec| (spec.name.clone(), Stored::of(spec, quantisation, model)))
                .collect(),
            squared_error: 0.0,
            squares: 0.0,
            worst: (String::new(), 0.0),
        };
        let all = [Quantisation::Q4, Quantisation::Q8, Quantisation::F16];
        Self { tallies: all.into_iter().map(tally).collect() }
    }

    /// Takes in a tensor of rows of `columns` values. Vectors cost nothing.
    pub fn push(&mut self, name: &str, values: &[f32], columns: usize) {
        let rows = values.len() / columns.max(1);
        let stride = rows.div_ceil(MEASURED_ROWS).max(1);
        let measured: Vec<f32> = values.chunks(columns.max(1)).step_by(stride).flatten().copied().collect();
        for tally in &mut self.tallies {
            let Some(stored) = tally.matrices.get(name) else { continue };
            let (squared_error, squares) = stored.error_of(&measured, columns);
            // As many rows count as there are.
            let weight = values.len() as f64 / measured.len().max(1) as f64;
            tally.squared_error += weight * squared_error;
            tally.squares += weight * squares;
            let error = relative(squared_error, squares);
            if error > tally.worst.1 {
                tally.worst = (name.to_owned(), error);
            }
        }
    }

    /// The costs, the smallest file first.
    pub fn finish(self) -> Vec<StorageCost> {
        let cost = |tally: Tally| StorageCost {
            quantisation: tally.quantisation,
            bytes: tally.bytes,
            error: rounded(relative(tally.squared_error, tally.squares)),
            worst: tally.worst.0,
            worst_error: rounded(tally.worst.1),
        };
        self.tallies.into_iter().map(cost).collect()
    }
}

impl Stored {
    /// Sum of the squared errors that storing the rows leaves, and of the squared values.
    fn error_of(self, values: &[f32], columns: usize) -> (f64, f64) {
        let back = |Quantised { values, scales }: Quantised| quantise::dequantise(&values, &scales, columns);
        let restored = match self {
            Self::F32 => values.to_vec(),
            Self::F16 => values.iter().map(|value| half::f16::from_f32(*value).to_f32()).collect(),
            Self::Q8 => back(quantise::quantise(values, columns)),
            Self::Q4 => back(quantise::quantise_to_4_bits(values)),
        };
        let square = |value: f32| f64::from(value).powi(2);
        let errors = values.iter().zip(&restored).map(|(value, restored)| square(value - restored));
        (errors.sum(), values.iter().copied().map(square).sum())
    }
}

/// To seven decimals: more say nothing, and so few are the same number again after a way through JSON.
fn rounded(error: f64) -> f64 {
    (error * 1e7).round() / 1e7
}

fn relative(squared_error: f64, squares: f64) -> f64 {
    if squares > 0.0 { (squared_error / squares).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::pack::{Pack, TOKENIZER};
    use crate::checkpoint::random::{self, RandomWeights};
    use crate::checkpoint::{PackWriter, WeightsWriter};
    use crate::model::TensorSource as _;

    /// Each tensor of a source of its own, so that it can be drawn twice.
    struct Drawn;

    impl crate::model::TensorSource for Drawn {
        fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, crate::model::TensorError> {
            RandomWeights::new(name.bytes().map(u64::from).sum()).tensor(name, shape)
        }
    }

    fn pack(quantisation: Quantisation) -> Pack {
        let manifest = random::manifest(1, quantisation);
        let mut writer = PackWriter::new(&manifest.model, &mut Drawn, quantisation).unwrap();
        writer.add(TOKENIZER, Vec::new());
        writer.finish(manifest).unwrap()
    }

    /// The costs are those of the file that was written: as long, and as far from the weights when read back.
    #[test]
    fn costs_are_what_the_written_file_shows() {
        let costs = pack(Quantisation::Q8).manifest.storages;
        assert_eq!(costs.len(), 3);
        for cost in costs {
            let mut pack = pack(cost.quantisation);
            assert_eq!(pack.manifest.file("weights.safetensors").unwrap().bytes, cost.bytes, "{cost:?}");
            let specs = pack.manifest.model.tensors();
            let mut weights = pack.weights().unwrap();
            let (mut errors, mut squares, mut worst) = (0.0, 0.0, 0.0_f64);
            for spec in specs.iter().filter(|spec| spec.shape.len() == 2) {
                let (drawn, read) =
                    (Drawn.tensor(&spec.name, &spec.shape), weights.tensor(&spec.name, &spec.shape));
                let pairs = || drawn.as_ref().unwrap().iter().zip(read.as_ref().unwrap());
                let error: f64 = pairs().map(|(drawn, read)| f64::from(drawn - read).powi(2)).sum();
                let square: f64 = pairs().map(|(drawn, _)| f64::from(*drawn).powi(2)).sum();
                worst = worst.max((error / square).sqrt());
                errors += error;
                squares += square;
            }
            let error = (errors / squares).sqrt();
            assert!((cost.error / error - 1.0).abs() < 0.02, "{cost:?}, read back {error}");
            assert!((cost.worst_error / worst - 1.0).abs() < 0.1, "{cost:?}, read back {worst}");
        }
    }

    #[test]
    fn more_bits_cost_more_bytes_and_less_error() {
        let costs = pack(Quantisation::Q4).manifest.storages;
        assert!(
            costs.is_sorted_by(|small, large| small.bytes < large.bytes && small.error > large.error),
            "{costs:?}"
        );
        assert!(costs.iter().all(|cost| cost.worst_error >= cost.error && !cost.worst.is_empty()), "{costs:?}");
    }

    #[test]
    fn weights_of_another_size_are_refused_before_they_are_measured() {
        let config = random::config(64);
        let mut writer = WeightsWriter::new(&config, Quantisation::Q8).unwrap();
        assert!(writer.put(&config.tensors()[0].name, &[0.0]).is_err());
    }
}
