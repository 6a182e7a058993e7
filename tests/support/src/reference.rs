//! The files that the scripts of `tests/reference` wrote, and the difference between a result and its reference.

use std::path::PathBuf;

use headlamp::checkpoint::StateDict;
use safetensors::{Dtype, SafeTensors};

/// Returns the path of a file of `tests/reference/fixtures/`.
pub fn path_of(name: &str) -> PathBuf {
    xtask::places::checkout().join("tests/reference/fixtures").join(name)
}

/// Reads a file of `tests/reference/fixtures/`.
pub fn bytes_of(name: &str) -> Vec<u8> {
    let path = path_of(name);
    std::fs::read(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()))
}

/// Reads the floating-point tensors of `fixtures/<name>.safetensors`.
pub fn tensors_of(name: &str) -> StateDict {
    let file = format!("{name}.safetensors");
    StateDict::from_safetensors(&file, &bytes_of(&file)).unwrap()
}

/// Returns the largest |found - expected| / |expected| over all vectors of `len` numbers.
pub fn relative<F, E>(found: &[F], expected: &[E], len: usize) -> f64
where
    F: Copy + Into<f64>,
    E: Copy + Into<f64>,
{
    assert_eq!(found.len(), expected.len(), "the result and the reference differ in size");
    assert!(!found.is_empty() && found.len().is_multiple_of(len), "{} numbers in vectors of {len}", found.len());
    let square = |x: f64| x * x;
    let errors = found.chunks(len).zip(expected.chunks(len)).map(|(found, expected)| {
        let apart: f64 = found.iter().zip(expected).map(|(f, e)| square((*f).into() - (*e).into())).sum();
        let length: f64 = expected.iter().map(|e| square((*e).into())).sum();
        assert!(apart.is_finite() && length > 0.0, "apart by {apart} from a vector of length {length}");
        (apart / length).sqrt()
    });
    errors.fold(0.0, f64::max)
}

/// One `<name>.expected.safetensors`.
pub struct Fixture(Vec<u8>);

impl Fixture {
    pub fn open(name: &str) -> Self {
        Self(bytes_of(&format!("{name}.expected.safetensors")))
    }

    /// Returns a tensor's values in row-major order.
    pub fn values(&self, key: &str) -> Vec<f64> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(key).unwrap_or_else(|err| panic!("{key}: {err}"));
        let bytes = tensor.data();
        match tensor.dtype() {
            Dtype::F64 => bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect(),
            Dtype::I64 => bytes.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight) as f64).collect(),
            Dtype::U8 => bytes.iter().map(|byte| f64::from(*byte)).collect(),
            other => panic!("{key} is of {other:?}"),
        }
    }

    /// Returns a tensor of counts or indices.
    pub fn counts(&self, key: &str) -> Vec<usize> {
        self.values(key).into_iter().map(|value| value as usize).collect()
    }
}

/// Returns the largest absolute difference between two lists of the same length.
pub fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs())
        .max_by(f64::total_cmp)
        .unwrap_or(0.0)
}
