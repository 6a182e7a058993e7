//! ONNX files, written here field by field, so that every field can be false.

use headlamp::checkpoint::{CheckpointError, StateDict, read_onnx};

use super::memory::assert_modest;
use super::tiny::assert_names;

const FLOAT: u64 = 1;

/// Writes Protobuf's variable-length integer.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Writes a length-delimited field.
fn field(tag: u64, content: &[u8]) -> Vec<u8> {
    [&varint(tag << 3 | 2)[..], &varint(content.len() as u64), content].concat()
}

/// Writes an initialiser.
fn tensor(name: &str, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|dim| [varint(1 << 3), varint(*dim as u64)].concat()).collect();
    [dims, varint(2 << 3), varint(FLOAT), field(8, name.as_bytes()), field(9, raw)].concat()
}

fn raw(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Writes a model with one bias and the matrix of one linear layer, `[in, out]` under the exporter's own name.
fn model(bias: &[u8], matrix: &[u8]) -> Vec<u8> {
    let inputs = ["x", "onnx::MatMul_7"].map(|input| field(1, input.as_bytes())).concat();
    let node = [inputs, field(3, b"/tower/fc1/MatMul"), field(4, b"MatMul")].concat();
    field(7, &[field(1, &node), field(5, bias), field(5, matrix)].concat())
}

fn bias() -> Vec<u8> {
    tensor("tower.fc1.bias", &[3], &raw(&[1.0, 2.0, 3.0]))
}

fn matrix() -> Vec<u8> {
    tensor("onnx::MatMul_7", &[2, 3], &raw(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
}

fn read(bytes: &[u8]) -> Result<StateDict, CheckpointError> {
    read_onnx("model.onnx", bytes)
}

/// The reader reads the files that the functions above write: a matrix is read as `[out, in]` under its module's name.
#[test]
fn a_correct_file_is_read() {
    let tensors = read(&model(&bias(), &matrix())).unwrap().tensors;
    assert_eq!(tensors.keys().collect::<Vec<_>>(), ["tower.fc1.bias", "tower.fc1.weight"]);
    assert_eq!(tensors["tower.fc1.bias"].values, [1.0, 2.0, 3.0]);
    assert_eq!(tensors["tower.fc1.weight"].shape, [3, 2]);
    assert_eq!(tensors["tower.fc1.weight"].values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn a_truncated_file_is_refused() {
    let file = model(&bias(), &matrix());
    for len in 0..file.len() {
        assert_names(read(&file[..len]), "model.onnx", &format!("cut to {len} bytes"));
    }
}

#[test]
fn a_file_with_flipped_bits_never_panics() {
    let file = model(&bias(), &matrix());
    let mut refused = 0;
    for (index, bit) in (0..file.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
        let mut changed = file.clone();
        changed[index] ^= 1 << bit;
        match read(&changed) {
            Ok(state) => {
                let whole = |tensor: &headlamp::checkpoint::RawTensor| {
                    tensor.values.len() == tensor.shape.iter().product::<usize>()
                };
                assert!(
                    state.tensors.values().all(whole),
                    "byte {index}, bit {bit}: the shape does not fit the values"
                );
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("model.onnx"), "{error}");
            }
        }
    }
    assert!(refused > file.len(), "only {refused} flips were detected");
    assert_modest();
}

/// Shapes that do not fit the tensor's bytes, in number, sign or size.
#[test]
fn a_tensor_with_a_false_shape_is_named() {
    let three = raw(&[1.0, 2.0, 3.0]);
    for dims in [
        &[4][..],
        &[2],
        &[],
        &[0],
        &[-3],
        &[3, -1],
        &[-1, -3],
        &[i64::MAX],
        &[1 << 32, 1 << 32],
        &[i64::MIN, 2, 2],
    ] {
        let lying = tensor("tower.fc1.bias", dims, &three);
        assert_names(read(&model(&lying, &matrix())), "`tower.fc1.bias`", &format!("dimensions {dims:?}"));
        let empty = tensor("onnx::MatMul_7", dims, &[]);
        if dims != [0] {
            assert_names(read(&model(&bias(), &empty)), "`onnx::MatMul_7`", &format!("{dims:?} without values"));
        }
    }
    assert_modest();
}

/// Bytes that are not a whole number of floats.
#[test]
fn a_tensor_with_a_broken_float_is_named() {
    for extra in 1..4 {
        let broken = [raw(&[1.0, 2.0, 3.0]), vec![0; extra]].concat();
        let lying = tensor("tower.fc1.bias", &[3], &broken);
        assert_names(read(&model(&lying, &matrix())), "`tower.fc1.bias`", &format!("{extra} bytes too many"));
    }
}
