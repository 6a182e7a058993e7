//! Which alignment files the default pack accepts: any whole blocks, and no tensor that is not read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headlamp::checkpoint::CheckpointError;
use headlamp::checkpoint::default_pack::{self as recipe, SourceFiles};
use headlamp::model::TensorSource;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use xtask::places;

use super::ingredient;

/// A tensor of a safetensors file.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Returns the tensors of the project's own alignment.
fn alignment() -> BTreeMap<String, Stored> {
    let bytes = std::fs::read(places::checkout().join("www/packs/default/alignment.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let stored = |view: TensorView<'_>| Stored {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.iter().map(|(name, view)| (name.to_owned(), stored(view))).collect()
}

/// Writes an alignment file, and returns its path.
fn written(name: &str, tensors: &BTreeMap<String, Stored>) -> PathBuf {
    let views = tensors
        .iter()
        .map(|(name, stored)| (name, TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).unwrap()));
    let path = std::env::temp_dir().join(format!("headlamp-{name}-{}.safetensors", std::process::id()));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

/// Returns the value of one tensor of the model that is made with an alignment file. Removes the file.
fn query_of_block_8(path: &Path) -> Result<Vec<f32>, CheckpointError> {
    let (onnx, minilm) = (ingredient("vit_s_focus.onnx"), ingredient("minilm.safetensors"));
    let source = recipe::source(&SourceFiles { onnx: &onnx, alignment: path, minilm: &minilm });
    std::fs::remove_file(path).unwrap();
    Ok(source?.tensor("vision.blocks.8.attention.query.bias", &[384]).unwrap())
}

fn is_of_block(name: &str, block: usize) -> bool {
    name.starts_with(&format!("encoder.layer.{block}."))
}

#[test]
fn an_alignment_may_have_any_whole_blocks() {
    let mut tensors = alignment();
    let trained = query_of_block_8(&written("all-blocks", &tensors)).unwrap();
    tensors.retain(|name, _| !is_of_block(name, 8) && !is_of_block(name, 10));
    let untrained = query_of_block_8(&written("two-blocks", &tensors)).unwrap();
    assert_ne!(trained, untrained, "block 8 was not taken from the alignment");
}

#[test]
fn an_incomplete_block_is_refused_by_tensor() {
    let mut tensors = alignment();
    tensors.remove("encoder.layer.9.norm1.weight").unwrap();
    let error = query_of_block_8(&written("incomplete", &tensors)).unwrap_err();
    assert!(matches!(&error, CheckpointError::Missing(name) if name == "encoder.layer.9.norm1.weight"), "{error}");
}

#[test]
fn a_tensor_that_is_not_read_is_refused_by_name() {
    let unread = [
        ("encoder.layer.12.norm1.weight", Dtype::F32),
        ("encoder.layer.8.gate.weight", Dtype::F32),
        ("embeddings.cls_token", Dtype::F32),
        ("image_mean", Dtype::F32),
        ("steps", Dtype::I32),
    ];
    for (name, dtype) in unread {
        let mut tensors = alignment();
        tensors.insert(name.to_owned(), Stored { dtype, shape: vec![1], bytes: vec![0; 4] });
        let error = query_of_block_8(&written("unread", &tensors)).unwrap_err();
        assert!(matches!(&error, CheckpointError::Unread { name: found, .. } if found == name), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
