//! A tiny correct model, its pack, and functions that falsify its weights.

use std::collections::BTreeMap;

use headlamp::checkpoint::pack::{TOKENIZER, WEIGHTS};
use headlamp::checkpoint::random_model::{self, RandomWeights};
use headlamp::checkpoint::{CheckpointError, Manifest, Pack, PackWriter, Quantisation};
use headlamp::model::{ModelConfig, TensorSource};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

const SEED: u64 = 5;

/// Returns the tiny model's config. Its vocabulary keeps the whole pack under 100 kB.
pub fn config() -> ModelConfig {
    random_model::config(8)
}

pub fn manifest(quantisation: Quantisation) -> Manifest {
    Manifest { model: config(), ..random_model::manifest(SEED, quantisation) }
}

/// Returns the tiny model's tensors in f32.
pub fn tensors() -> BTreeMap<String, Vec<f32>> {
    let mut random = RandomWeights::new(SEED);
    let specs = config().tensors().into_iter();
    specs.map(|spec| (spec.name.clone(), random.tensor(&spec.name, &spec.shape).unwrap())).collect()
}

fn writer(quantisation: Quantisation) -> PackWriter {
    let mut writer = PackWriter::new(&config(), &mut RandomWeights::new(SEED), quantisation).unwrap();
    writer.add(TOKENIZER, b"{}".to_vec());
    writer
}

/// Returns the correct pack.
pub fn pack(quantisation: Quantisation) -> Pack {
    writer(quantisation).finish(manifest(quantisation)).unwrap()
}

/// Returns the correct `weights.safetensors`.
pub fn weights(quantisation: Quantisation) -> Vec<u8> {
    pack(quantisation).bytes(WEIGHTS).unwrap().to_vec()
}

/// Reads every tensor of the model from `weights`, in a pack whose manifest has their correct size and hash.
pub fn read_weights(weights: Vec<u8>) -> Result<BTreeMap<String, Vec<f32>>, CheckpointError> {
    let mut writer = writer(Quantisation::Q8);
    writer.add(WEIGHTS, weights);
    let mut source = writer.finish(manifest(Quantisation::Q8))?.weights()?;
    read_all(&config(), &mut source)
}

/// Reads every tensor that a model needs.
pub fn read_all(
    config: &ModelConfig,
    source: &mut dyn TensorSource,
) -> Result<BTreeMap<String, Vec<f32>>, CheckpointError> {
    let specs = config.tensors().into_iter();
    specs.map(|spec| Ok((spec.name.clone(), source.tensor(&spec.name, &spec.shape)?))).collect()
}

/// A tensor as it is stored in a safetensors file.
#[derive(Clone)]
pub struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Stored {
    pub fn f32s(shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }

    /// Returns zeros of any type and shape.
    pub fn zeros(dtype: Dtype, shape: &[usize]) -> Self {
        let bits = shape.iter().product::<usize>() * dtype.bitsize();
        Self { dtype, shape: shape.to_vec(), bytes: vec![0; bits / 8] }
    }
}

/// Returns the tensors of a safetensors file.
pub fn unpacked(file: &[u8]) -> BTreeMap<String, Stored> {
    let parsed = SafeTensors::deserialize(file).unwrap();
    let stored = |view: TensorView<'_>| Stored {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    parsed.iter().map(|(name, view)| (name.to_owned(), stored(view))).collect()
}

/// Writes a safetensors file of these tensors.
pub fn packed(tensors: &BTreeMap<String, Stored>) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, stored)| (name, TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// Returns the length of a safetensors file's header.
pub fn header_len(file: &[u8]) -> usize {
    u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

/// Returns the same bytes with a changed header.
pub fn with_header(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let data = 8 + header_len(file);
    let mut header: Value = serde_json::from_slice(&file[8..data]).unwrap();
    change(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &file[data..]].concat()
}

/// Asserts that a file or tensor was refused with a message that contains `names`.
pub fn assert_names<T>(result: Result<T, CheckpointError>, names: &str, lie: &str) {
    match result {
        Ok(_) => panic!("{lie}: it was accepted"),
        Err(error) => assert!(error.to_string().contains(names), "{lie}: {error} does not name {names}"),
    }
}
