//! Packs written and read again.

use headlamp::checkpoint::pack::quantise::block_len;
use headlamp::checkpoint::pack::{TOKENIZER, WEIGHTS};
use headlamp::checkpoint::{Pack, Quantisation};
use headlamp::model::TensorSpec;

use super::folders::Folder;
use super::tiny::{self, read_all};

/// The step of the smallest f16.
const SUBNORMAL: f32 = 1.0 / (1 << 24) as f32;

/// Returns the largest allowed difference between a stored value and the written one, in a block whose largest
/// value is `largest`: half a step of int8, plus the rounding of the scale to f16 at the end of the block. In 4
/// bits a step is an eighth of the largest value. The largest value itself may lose almost two steps if that
/// improves the others.
fn step(quantisation: Quantisation, largest: f32, value: f32) -> f32 {
    match quantisation {
        Quantisation::Q4 => largest / 4.0,
        Quantisation::Q8 => largest / 127.0 * 0.57,
        Quantisation::F16 => (value.abs() / 2048.0).max(SUBNORMAL / 2.0),
        Quantisation::F32 => 0.0,
    }
}

/// The manifest and the files read back unchanged, vectors exactly, and matrices within the rounding of their
/// storage. Smaller storage rounds more, so that no kind of pack can pass for another.
#[test]
fn a_written_pack_reads_back_unchanged() {
    let mut sizes = Vec::new();
    for quantisation in [Quantisation::Q4, Quantisation::Q8, Quantisation::F16, Quantisation::F32] {
        let written = tiny::pack(quantisation);
        let folder = Folder::of(&written, "round-trip");
        let mut read = Pack::read(folder.path()).unwrap();
        assert_eq!(read.manifest, written.manifest);
        assert_eq!(read.manifest.quantisation, quantisation);
        for name in [WEIGHTS, TOKENIZER] {
            assert!(read.bytes(name).is_some() && read.bytes(name) == written.bytes(name), "{name} changed");
        }
        sizes.push(read.bytes(WEIGHTS).unwrap().len());
        let found = read_all(&tiny::config(), &mut read.weights().unwrap()).unwrap();
        let expected = tiny::tensors();
        for TensorSpec { name, shape } in tiny::config().tensors() {
            assert_close(quantisation, &name, &shape, &found[&name], &expected[&name]);
        }
        let exact = found == expected;
        assert_eq!(exact, quantisation == Quantisation::F32, "{quantisation:?} is exact: {exact}");
    }
    assert!(sizes.is_sorted_by(|less, more| less < more), "{sizes:?}");
}

fn assert_close(quantisation: Quantisation, name: &str, shape: &[usize], found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let [_, columns] = *shape else {
        assert!(found == expected, "{quantisation:?}: the vector {name} has changed");
        return;
    };
    for (found, expected) in found.chunks(block_len(columns)).zip(expected.chunks(block_len(columns))) {
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            let apart = (found - expected).abs();
            assert!(
                apart <= step(quantisation, largest, *expected),
                "{quantisation:?}: {name} holds {found} for {expected}"
            );
        }
    }
}

/// The number of parameters in a manifest equals the number of values in the weights.
#[test]
fn parameters_are_counted() {
    let held: usize = tiny::tensors().values().map(Vec::len).sum();
    assert_eq!(tiny::manifest(Quantisation::Q8).parameters(), held as u64);
}
