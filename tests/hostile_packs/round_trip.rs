//! Packs written and read back.

use headlamp::checkpoint::pack::quantise::block_len;
use headlamp::checkpoint::pack::{TOKENIZER, WEIGHTS};
use headlamp::checkpoint::{Pack, Quantisation};
use headlamp::model::TensorSpec;

use super::folders::Folder;
use super::tiny::{self, read_all};

/// The step of the smallest f16.
const SUBNORMAL: f32 = 1.0 / (1 << 24) as f32;

/// How far a stored value may be from the value that was written, in a block of which `largest` is the
/// largest: half a step of int8, and what rounding the scale to f16 adds at the block's end. In 4 bits a step is an
/// eighth of the largest, which itself may be cut by nearly two where that serves the others.
fn step(quantisation: Quantisation, largest: f32, value: f32) -> f32 {
    match quantisation {
        Quantisation::Q4 => largest / 4.0,
        Quantisation::Q8 => largest / 127.0 * 0.57,
        Quantisation::F16 => (value.abs() / 2048.0).max(SUBNORMAL / 2.0),
        Quantisation::F32 => 0.0,
    }
}

/// The manifest and files come back as they were, vectors exactly, and matrices within what their storage
/// rounds; less storage rounds more, so that no kind of pack can pass for another.
#[test]
fn a_written_pack_reads_back_as_it_was() {
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
        assert!(found == expected, "{quantisation:?}: the vector {name} is not what it was");
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

/// The parameters that a manifest counts are the numbers that its weights hold.
#[test]
fn parameters_are_counted() {
    let held: usize = tiny::tensors().values().map(Vec::len).sum();
    assert_eq!(tiny::manifest(Quantisation::Q8).parameters(), held as u64);
}
