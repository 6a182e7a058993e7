//! Published safetensors checkpoints, read through the layouts: CLIP's, Dinov2's and BERT's.

use std::collections::BTreeMap;

use headlamp::checkpoint::layouts::Layout;
use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::checkpoint::{CheckpointError, StateDict};
use headlamp::geometry::Grid;
use headlamp::model::{ModelConfig, TensorSource, TensorSpec, TextKind};
use safetensors::Dtype;
use serde_json::json;

use super::memory::assert_modest;
use super::tiny::{self, Stored, assert_names, packed, unpacked, with_header};
use test_support::reference::bytes_of;

/// A published checkpoint of the fixtures.
struct Checkpoint {
    file: &'static str,
    layout: fn(StateDict) -> Layout,
    /// The tensors that our model reads from the checkpoint.
    needs: Vec<TensorSpec>,
    /// Tensors that our model does not read.
    unused: &'static [&'static str],
}

/// Returns the configs of the fixtures' models, as far as they determine names and shapes.
fn config() -> ModelConfig {
    let mut config = tiny::config();
    config.embedding = 16;
    let (vision, text) = (&mut config.vision, config.text.as_mut().unwrap());
    (vision.width, vision.layers, vision.heads, vision.mlp_width) = (24, 3, 3, 96);
    (vision.patch, vision.position_grid) = (4, Grid { rows: 7, columns: 7 });
    (vision.registers, vision.projection_bias) = (0, false);
    (text.width, text.layers, text.heads, text.mlp_width) = (20, 3, 2, 80);
    (text.vocabulary, text.context) = (64, 16);
    config
}

fn all() -> [Checkpoint; 3] {
    let clip = config();
    let mut dino = config();
    (dino.vision.registers, dino.vision.projection_bias, dino.vision.ln_pre) = (2, true, false);
    let mut bert = config().text.unwrap();
    (bert.kind, bert.width, bert.layers, bert.heads) = (TextKind::Bert, 24, 2, 3);
    (bert.mlp_width, bert.context, bert.projection) = (96, 20, false);
    [
        Checkpoint { file: "vit_clip", layout: Layout::clip, needs: clip.tensors(), unused: &[] },
        Checkpoint {
            file: "vit_dinov2_registers",
            layout: Layout::dinov2,
            needs: dino.vision.tensors(dino.embedding),
            unused: &["embeddings.mask_token"],
        },
        Checkpoint {
            file: "bert",
            layout: Layout::bert,
            needs: bert.tensors(24),
            unused: &["pooler.dense.bias", "pooler.dense.weight"],
        },
    ]
}

impl Checkpoint {
    fn bytes(&self) -> Vec<u8> {
        bytes_of(&format!("{}.safetensors", self.file))
    }

    /// Reads every tensor that the model needs.
    fn read(&self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let mut layout = (self.layout)(StateDict::from_safetensors(self.file, bytes)?);
        for TensorSpec { name, shape } in &self.needs {
            let values = layout.tensor(name, shape)?;
            assert!(
                values.len() == shape.iter().product::<usize>() && values.iter().all(|value| value.is_finite())
            );
        }
        Ok(())
    }

    /// Calls a test with every tensor that is read, changed by `change`.
    fn each_changed(
        &self,
        change: impl Fn(&Stored) -> Option<Stored>,
        mut test: impl FnMut(&str, Result<(), CheckpointError>),
    ) {
        let tensors = unpacked(&self.bytes());
        let used = tensors.iter().filter(|(name, _)| !self.unused.contains(&name.as_str()));
        for (name, stored) in used {
            let mut changed: BTreeMap<String, Stored> = tensors.clone();
            match change(stored) {
                Some(stored) => changed.insert(name.clone(), stored),
                None => changed.remove(name),
            };
            test(name, self.read(&packed(&changed)));
        }
    }
}

/// The layouts read the whole checkpoints of the fixtures. They need every tensor except those that are known to
/// be unused, so that no tensor is skipped silently.
#[test]
fn a_missing_tensor_is_named() {
    for checkpoint in all() {
        checkpoint.read(&checkpoint.bytes()).unwrap();
        checkpoint.each_changed(
            |_stored| None,
            |name, result| {
                let named = matches!(&result, Err(CheckpointError::Missing(missing)) if missing == name);
                assert!(named, "{} without {name}: {result:?}", checkpoint.file);
            },
        );
    }
}

/// One number too few, or rows and columns exchanged.
#[test]
fn a_tensor_of_another_shape_is_named() {
    for checkpoint in all() {
        let shorter = |stored: &Stored| {
            let mut shape = stored.shape.clone();
            match shape.last_mut() {
                Some(last) => *last -= 1,
                None => shape.push(2),
            }
            Some(Stored::zeros(stored.dtype, &shape))
        };
        let transposed = |stored: &Stored| {
            let mut shape = stored.shape.clone();
            shape.reverse();
            Some(Stored::zeros(stored.dtype, &shape))
        };
        let named = |name: &str, result: &Result<(), CheckpointError>| matches!(result, Err(CheckpointError::Shape { name: n, .. }) if n == name);
        checkpoint.each_changed(shorter, |name, result| {
            assert!(named(name, &result), "{}: {name} too short: {result:?}", checkpoint.file);
        });
        let tensors = unpacked(&checkpoint.bytes());
        checkpoint.each_changed(transposed, |name, result| {
            let sides: Vec<usize> = tensors[name].shape.iter().copied().filter(|side| *side != 1).collect();
            let oblong = sides.first() != sides.last();
            assert_eq!(named(name, &result), oblong, "{}: {name} transposed: {result:?}", checkpoint.file);
        });
    }
}

/// The model needs the first row of a table, and the table has no row.
#[test]
fn a_table_without_rows_is_named() {
    let [.., bert] = all();
    let table = "embeddings.token_type_embeddings.weight";
    for shape in [&[0, 24][..], &[0], &[], &[24]] {
        let mut tensors = unpacked(&bert.bytes());
        tensors.insert(table.into(), Stored::zeros(Dtype::F32, shape));
        let result = bert.read(&packed(&tensors));
        let named = matches!(&result, Err(CheckpointError::Shape { name, .. }) if name == table);
        assert!(named, "{shape:?}: {result:?}");
    }
}

#[test]
fn a_tensor_that_is_not_finite_is_named() {
    for checkpoint in all() {
        for bad in [f32::NAN, f32::INFINITY] {
            let spoilt = |stored: &Stored| {
                let mut spoilt = stored.clone();
                spoilt.bytes[..4].copy_from_slice(&bad.to_le_bytes());
                Some(spoilt)
            };
            checkpoint.each_changed(spoilt, |name, result| {
                let named = matches!(&result, Err(CheckpointError::NotFinite(n)) if n == name);
                assert!(named, "{}: {bad} in {name}: {result:?}", checkpoint.file);
            });
        }
    }
}

/// Integers in place of floats, and doubles that no f32 can hold.
#[test]
fn a_tensor_of_another_type_is_named() {
    for checkpoint in all() {
        let integers = |stored: &Stored| Some(Stored::zeros(Dtype::I32, &stored.shape));
        checkpoint.each_changed(integers, |name, result| assert_names(result, name, "integers"));
        let doubles = |stored: &Stored| {
            let mut doubles = Stored::zeros(Dtype::F64, &stored.shape);
            doubles.bytes[..8].copy_from_slice(&1e300_f64.to_le_bytes());
            Some(doubles)
        };
        checkpoint.each_changed(doubles, |name, result| assert_names(result, name, "1e300"));
    }
}

/// Finite numbers whose fold is not finite: exp of the logit scale, LayerScale times a weight.
#[test]
fn an_overflow_in_folding_is_named() {
    let [clip, dino, _] = all();
    for (checkpoint, changes, ours) in [
        (&clip, vec![("logit_scale", 1000.0)], "logit_scale"),
        (
            &dino,
            vec![
                ("encoder.layer.1.attention.output.dense.weight", 1e30),
                ("encoder.layer.1.layer_scale1.lambda1", 1e30),
            ],
            "vision.blocks.1.attention.output.weight",
        ),
    ] {
        let mut tensors = unpacked(&checkpoint.bytes());
        for (name, value) in changes {
            let shape = tensors[name].shape.clone();
            let values = vec![value; shape.iter().product()];
            tensors.insert(name.into(), Stored::f32s(&shape, &values));
        }
        let result = checkpoint.read(&packed(&tensors));
        let named = matches!(&result, Err(CheckpointError::NotFinite(name)) if name == ours);
        assert!(named, "{}: {result:?}", checkpoint.file);
    }
}

#[test]
fn a_damaged_file_is_named() {
    for checkpoint in all() {
        let file = checkpoint.bytes();
        for len in (0..64).chain((64..file.len()).step_by(509)) {
            assert_names(checkpoint.read(&file[..len]), checkpoint.file, &format!("cut to {len} bytes"));
        }
        for header_len in [0_u64, 1 << 40, u64::MAX] {
            let changed = [&header_len.to_le_bytes()[..], &file[8..]].concat();
            assert_names(checkpoint.read(&changed), checkpoint.file, &format!("a header of {header_len} bytes"));
        }
        let first = unpacked(&file).into_keys().next().unwrap();
        for (key, lie) in [
            ("shape", json!([u64::MAX, 2])),
            ("data_offsets", json!([0, u64::MAX])),
            ("data_offsets", json!([4, 0])),
        ] {
            let changed = with_header(&file, |header| header[&first][key] = lie.clone());
            assert_names(checkpoint.read(&changed), checkpoint.file, &format!("{key} {lie}"));
        }
    }
    assert_modest();
}

/// Noise is not a checkpoint, even if its first bytes are a length that fits the file.
#[test]
fn noise_is_refused() {
    let mut random = RandomWeights::new(11);
    for len in 0..2000 {
        let mut noise: Vec<u8> = (0..len).map(|_index| (128.0 * random.draw()) as i8 as u8).collect();
        assert_names(StateDict::from_safetensors("noise.safetensors", &noise), "noise.safetensors", "noise");
        if len >= 8 {
            noise[..8].copy_from_slice(&((len - 8) as u64).to_le_bytes());
            assert_names(StateDict::from_safetensors("noise.safetensors", &noise), "noise.safetensors", "noise");
        }
    }
    assert_modest();
}
