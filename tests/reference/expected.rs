//! What the scripts beside this file left in `fixtures/`, and how far a result is from it.
#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

use std::path::PathBuf;

use headlamp::checkpoint::StateDict;

/// A file of `fixtures/`.
pub fn path_of(name: &str) -> PathBuf {
    xtask::places::checkout().join("tests/reference/fixtures").join(name)
}

/// The bytes of a file of `fixtures/`.
pub fn bytes_of(name: &str) -> Vec<u8> {
    let path = path_of(name);
    std::fs::read(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()))
}

/// The floating-point tensors of `fixtures/<name>.safetensors`.
pub fn tensors_of(name: &str) -> StateDict {
    let file = format!("{name}.safetensors");
    StateDict::from_safetensors(&file, &bytes_of(&file)).unwrap()
}

/// |found - expected| / |expected| for each vector of `len` numbers: the largest.
pub fn relative<F, E>(found: &[F], expected: &[E], len: usize) -> f64
where
    F: Copy + Into<f64>,
    E: Copy + Into<f64>,
{
    assert_eq!(found.len(), expected.len(), "the result is not of the reference's size");
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
