//! `weights.safetensors` with false contents, although the manifest has its correct size and hash: the work of an
//! attacker or of a broken program.

use headlamp::checkpoint::pack::WEIGHTS;
use headlamp::checkpoint::{CheckpointError, Quantisation};
use safetensors::Dtype;
use serde_json::json;

use super::memory::assert_modest;
use super::tiny::{
    Stored, assert_names, config, header_len, packed, read_weights, unpacked, weights, with_header,
};

const MATRIX: &str = "vision.blocks.0.mlp.in.weight";
const SCALE: &str = "vision.blocks.0.mlp.in.weight.scale";
const VECTOR: &str = "vision.blocks.0.mlp.in.bias";

const ALL: [Quantisation; 3] = [Quantisation::Q8, Quantisation::F16, Quantisation::F32];

/// Reads the weights with one tensor replaced.
fn with(name: &str, stored: Stored) -> Result<(), CheckpointError> {
    let mut tensors = unpacked(&weights(Quantisation::Q8));
    assert!(tensors.insert(name.into(), stored).is_some(), "there is no {name} to replace");
    read_weights(packed(&tensors)).map(|_tensors| ())
}

fn stored(name: &str) -> Stored {
    unpacked(&weights(Quantisation::Q8))[name].clone()
}

#[test]
fn a_truncated_file_is_refused() {
    for quantisation in ALL {
        let file = weights(quantisation);
        let lengths = (0..64).chain((64..file.len()).step_by(211)).chain([file.len() - 1]);
        for len in lengths {
            assert_names(
                read_weights(file[..len].to_vec()),
                WEIGHTS,
                &format!("{quantisation:?} cut to {len} bytes"),
            );
        }
        assert!(read_weights(file).is_ok());
    }
    assert_modest();
}

/// A header that declares a length above the file's, above memory's, or zero.
#[test]
fn a_header_of_another_length_is_refused() {
    let file = weights(Quantisation::Q8);
    let (len, all) = (header_len(&file) as u64, file.len() as u64);
    for lie in [0, 1, len - 1, len + 1, all - 8, all, 1 << 33, 1 << 62, u64::MAX] {
        let changed = [&lie.to_le_bytes()[..], &file[8..]].concat();
        assert_names(read_weights(changed), WEIGHTS, &format!("a header of {lie} bytes"));
    }
    assert_modest();
}

/// Offsets, shapes and types that do not fit each other or the file.
#[test]
fn a_false_header_is_refused() {
    let file = weights(Quantisation::Q8);
    let honest = stored(MATRIX);
    let [rows, columns] = honest.shape[..] else { panic!("{MATRIX} is no matrix") };
    let len = honest.bytes.len();
    for (key, lie) in [
        ("data_offsets", json!([0, u64::MAX])),
        ("data_offsets", json!([1_u64 << 62, (1_u64 << 62) + len as u64])),
        ("data_offsets", json!([len, 0])),
        ("data_offsets", json!([0, len])),
        ("data_offsets", json!([0, 0])),
        ("data_offsets", json!([-1, len])),
        ("data_offsets", json!([0])),
        ("shape", json!([rows + 1, columns])),
        ("shape", json!([rows, columns, 2])),
        ("shape", json!([u64::MAX, u64::MAX])),
        ("shape", json!([1_u64 << 32, 1_u64 << 32])),
        ("shape", json!([])),
        ("shape", json!("24x24")),
        ("dtype", json!("F32")),
        ("dtype", json!("F16")),
        ("dtype", json!("Q8")),
        ("dtype", json!(null)),
    ] {
        let changed = with_header(&file, |header| header[MATRIX][key] = lie.clone());
        assert_names(read_weights(changed), WEIGHTS, &format!("{key} {lie}"));
    }
    for header in [json!({}), json!([]), json!(null), json!({"a": {}})] {
        let changed = with_header(&file, |old| *old = header.clone());
        assert_names(read_weights(changed), WEIGHTS, &format!("a header that is {header}"));
    }
    assert_modest();
}

/// Flipped bits in the header are refused by name or change no weight. None panics.
#[test]
fn a_header_with_flipped_bits_is_refused_or_harmless() {
    let honest = weights(Quantisation::Q8);
    let expected = read_weights(honest.clone()).unwrap();
    let mut refused = 0;
    for index in (0..8 + header_len(&honest)).step_by(5) {
        let mut file = honest.clone();
        file[index] ^= 1 << (index / 5 % 8);
        match read_weights(file) {
            Ok(found) => assert!(found == expected, "byte {index}: other weights were read"),
            Err(error) => {
                refused += 1;
                let error = error.to_string();
                assert!(error.contains(WEIGHTS) || error.contains("tensor `"), "byte {index}: {error}");
            }
        }
    }
    assert!(refused > 1000, "only {refused} flips were detected");
    assert_modest();
}

#[test]
fn a_missing_tensor_is_named() {
    for quantisation in ALL {
        let tensors = unpacked(&weights(quantisation));
        assert!(tensors.len() >= config().tensors().len());
        for name in tensors.keys() {
            let mut fewer = tensors.clone();
            fewer.remove(name);
            assert_names(read_weights(packed(&fewer)), &format!("`{name}`"), "missing");
        }
    }
}

/// Every tensor transposed, split, or one number short.
#[test]
fn a_tensor_of_another_shape_is_named() {
    let tensors = unpacked(&weights(Quantisation::F32));
    for (name, honest) in &tensors {
        let mut transposed = honest.shape.clone();
        transposed.reverse();
        let split = [&[1], &honest.shape[..]].concat();
        let short: Vec<usize> = honest.shape.iter().map(|dim| dim - 1).collect();
        for shape in [transposed, split, short, vec![]].into_iter().filter(|shape| *shape != honest.shape) {
            let mut changed = tensors.clone();
            changed.insert(name.clone(), Stored::zeros(Dtype::F32, &shape));
            let error = read_weights(packed(&changed)).map(|_tensors| ()).unwrap_err();
            assert!(matches!(&error, CheckpointError::Shape { name: n, .. } if n == name), "{shape:?}: {error}");
        }
    }
}

/// One number that is not finite, at the start or the end of any tensor, in any type.
#[test]
fn a_tensor_that_is_not_finite_is_named() {
    for quantisation in [Quantisation::F32, Quantisation::F16] {
        let tensors = unpacked(&weights(quantisation));
        for (name, honest) in &tensors {
            let (nan, infinity): (&[u8], &[u8]) = match honest.dtype {
                Dtype::F32 => (&f32::NAN.to_le_bytes(), &f32::NEG_INFINITY.to_le_bytes()),
                Dtype::F16 => (&[0, 0x7e], &[0, 0x7c]),
                other => panic!("{name} is {other:?}"),
            };
            for (bad, at) in [(nan, 0), (infinity, honest.bytes.len() - nan.len())] {
                let mut changed = tensors.clone();
                changed.get_mut(name).unwrap().bytes[at..at + bad.len()].copy_from_slice(bad);
                let error = read_weights(packed(&changed)).map(|_tensors| ()).unwrap_err();
                assert!(matches!(&error, CheckpointError::NotFinite(n) if n == name), "{name}: {error}");
            }
        }
    }
}

/// A scale that is not finite makes every weight of its block not finite.
#[test]
fn a_scale_that_is_not_finite_is_noticed_at_its_matrix() {
    for bad in [[0, 0x7e], [0, 0x7c], [0, 0xfc]] {
        let mut scale = stored(SCALE);
        scale.bytes[..2].copy_from_slice(&bad);
        assert_names(with(SCALE, scale), &format!("`{MATRIX}`"), "a scale that is not finite");
    }
}

/// Scales that do not divide their matrix into blocks.
#[test]
fn scales_of_a_wrong_shape_are_named() {
    let [rows, columns] = stored(MATRIX).shape[..] else { panic!("{MATRIX} is no matrix") };
    for shape in [
        vec![],
        vec![0],
        vec![rows - 1],
        vec![rows + 1, 1],
        vec![rows, 0],
        vec![rows, 5],
        vec![rows, columns + 1],
        vec![rows, 2 * columns],
        vec![1, rows],
        vec![rows, 1, 1],
    ] {
        let error = with(SCALE, Stored::zeros(Dtype::F16, &shape)).unwrap_err();
        assert!(matches!(&error, CheckpointError::Shape { name, .. } if name == SCALE), "{shape:?}: {error}");
    }
    for dtype in [Dtype::F32, Dtype::BF16, Dtype::I8] {
        let error = with(SCALE, Stored::zeros(dtype, &stored(SCALE).shape)).unwrap_err();
        assert!(matches!(&error, CheckpointError::Type { name, .. } if name == SCALE), "{dtype:?}: {error}");
    }
}

/// Types that no tensor of a model has. int8 is allowed only in matrices.
#[test]
fn a_tensor_of_an_unknown_type_is_named() {
    for (name, dtype) in [
        (VECTOR, Dtype::I64),
        (VECTOR, Dtype::BOOL),
        (VECTOR, Dtype::U8),
        (VECTOR, Dtype::F8_E4M3),
        (MATRIX, Dtype::U16),
        (MATRIX, Dtype::I32),
    ] {
        let error = with(name, Stored::zeros(dtype, &stored(name).shape)).unwrap_err();
        assert!(matches!(&error, CheckpointError::Type { name: n, .. } if n == name), "{name} {dtype:?}: {error}");
    }
    let mut tensors = unpacked(&weights(Quantisation::Q8));
    let shape = stored(VECTOR).shape;
    tensors.insert(VECTOR.into(), Stored::zeros(Dtype::I8, &shape));
    tensors.insert(format!("{VECTOR}.scale"), Stored::zeros(Dtype::F16, &[shape[0], 1]));
    assert_names(read_weights(packed(&tensors)), VECTOR, "an int8 vector with scales");
}
