//! The cost of each way of storing a model's weights: bytes, and the error of the stored matrices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quantisation::{Quantisation, TensorFormat};
use super::quantise::{self, Quantised};
use super::safetensors_layout::file_length;
use crate::model::ModelConfig;

/// The most rows of a matrix that are measured. They are spread evenly over a larger matrix.
const MEASURED_ROWS: usize = 128;

/// The cost of one way of storing the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageCost {
    pub quantisation: Quantisation,
    /// The number of bytes of `weights.safetensors`.
    pub bytes: u64,
    /// The root mean square of the matrices' errors, relative to the root mean square of their values.
    pub error: f64,
    /// The matrix with the largest error relative to its own values.
    pub worst: String,
    /// The error of that matrix.
    pub worst_error: f64,
}

/// Measures the costs while the weights are stored.
pub struct StorageCosts {
    sums: Vec<CostSums>,
}

/// Sums over the matrices for one way of storing them.
struct CostSums {
    quantisation: Quantisation,
    bytes: u64,
    /// The storage of each matrix.
    matrices: BTreeMap<String, TensorFormat>,
    squared_error: f64,
    squares: f64,
    worst: (String, f64),
}

impl StorageCosts {
    /// Prepares the measurement for all quantised ways of storing a model.
    pub fn new(model: &ModelConfig) -> Self {
        let specs = model.tensors();
        let sums = |quantisation| CostSums {
            quantisation,
            bytes: file_length(model, quantisation),
            matrices: specs
                .iter()
                .filter(|spec| spec.shape.len() == 2)
                .map(|spec| (spec.name.clone(), TensorFormat::of(spec, quantisation, model)))
                .collect(),
            squared_error: 0.0,
            squares: 0.0,
            worst: (String::new(), 0.0),
        };
        let all = [Quantisation::Q4, Quantisation::Q8, Quantisation::F16];
        Self { sums: all.into_iter().map(sums).collect() }
    }

    /// Adds a tensor with rows of `columns` values. Vectors add nothing.
    pub fn push(&mut self, name: &str, values: &[f32], columns: usize) {
        let rows = values.len() / columns.max(1);
        let stride = rows.div_ceil(MEASURED_ROWS).max(1);
        let measured: Vec<f32> = values.chunks(columns.max(1)).step_by(stride).flatten().copied().collect();
        for sums in &mut self.sums {
            let Some(stored) = sums.matrices.get(name) else { continue };
            let (squared_error, squares) = stored.error_of(&measured, columns);
            // The measured rows stand for all rows.
            let weight = values.len() as f64 / measured.len().max(1) as f64;
            sums.squared_error += weight * squared_error;
            sums.squares += weight * squares;
            let error = relative(squared_error, squares);
            if error > sums.worst.1 {
                sums.worst = (name.to_owned(), error);
            }
        }
    }

    /// Returns the costs, the smallest file first.
    pub fn finish(self) -> Vec<StorageCost> {
        let cost = |sums: CostSums| StorageCost {
            quantisation: sums.quantisation,
            bytes: sums.bytes,
            error: rounded(relative(sums.squared_error, sums.squares)),
            worst: sums.worst.0,
            worst_error: rounded(sums.worst.1),
        };
        self.sums.into_iter().map(cost).collect()
    }
}

impl TensorFormat {
    /// Returns the sum of the squared errors of the stored rows, and the sum of the squared values.
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

/// Rounds to seven decimals. More decimals say nothing, and a number with seven survives JSON unchanged.
fn rounded(error: f64) -> f64 {
    (error * 1e7).round() / 1e7
}

fn relative(squared_error: f64, squares: f64) -> f64 {
    if squares > 0.0 { (squared_error / squares).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::pack::{Pack, PackWriter, TOKENIZER, WeightsWriter};
    use crate::checkpoint::random_model::{self, RandomWeights};
    use crate::model::TensorSource as _;

    /// Draws each tensor from its own seed, so that the same tensor can be drawn twice.
    struct SeededByName;

    impl crate::model::TensorSource for SeededByName {
        fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, crate::model::TensorError> {
            RandomWeights::new(name.bytes().map(u64::from).sum()).tensor(name, shape)
        }
    }

    fn pack(quantisation: Quantisation) -> Pack {
        let manifest = random_model::manifest(1, quantisation);
        let mut writer = PackWriter::new(&manifest.model, &mut SeededByName, quantisation).unwrap();
        writer.add(TOKENIZER, Vec::new());
        writer.finish(manifest).unwrap()
    }

    /// The costs match the written file: its length, and the error of the weights that are read back.
    #[test]
    fn costs_match_the_written_file() {
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
                    (SeededByName.tensor(&spec.name, &spec.shape), weights.tensor(&spec.name, &spec.shape));
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
    fn tensors_of_another_size_are_refused() {
        let config = random_model::config(64);
        let mut writer = WeightsWriter::new(&config, Quantisation::Q8).unwrap();
        assert!(writer.put(&config.tensors()[0].name, &[0.0]).is_err());
    }
}
