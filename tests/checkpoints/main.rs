//! Published models in every layout and container: recognised, converted part by part, with the same results as
//! PyTorch. Files that are wrong, hostile or truncated are refused with a message that helps.
//!
//! `tests/reference/checkpoints.py` made the fixtures with Hugging Face's `transformers` and with `open_clip_torch`.
#![cfg(not(target_arch = "wasm32"))]

mod layouts;
mod published_models;
mod refusals;
mod self_supervised;
mod tokens;

use std::path::Path;

use burn::tensor::Device;
use headlamp::checkpoint::detect::{Detected, GivenSettings, detect};
use headlamp::checkpoint::on_disk::{CheckpointOnDisk, WeightsFile};
use headlamp::checkpoint::{CheckpointError, Converter, Pack, PackWriter, Quantisation, pack};
use headlamp::model::Model;

/// Recognises the checkpoint at `path`.
fn detected(path: &Path, answers: &GivenSettings) -> Result<(Detected, WeightsFile), CheckpointError> {
    let checkpoint = CheckpointOnDisk::find(path)?;
    let (index, reader) = checkpoint.open()?;
    Ok((detect(index, &checkpoint.config_files, &checkpoint.name, answers)?, reader))
}

/// Converts the checkpoint at `path` to a pack. Its tokenizer is not CLIP's, so the pack gets an empty one.
fn converted(path: &Path, answers: &GivenSettings, quantisation: Quantisation) -> Result<Pack, CheckpointError> {
    let (detected, reader) = detected(path, answers)?;
    let manifest = detected.manifest(None, None, "a test", quantisation);
    let mut writer: PackWriter = reader.convert(Converter::new(detected, quantisation)?, |_done, _total| {})?;
    writer.add(pack::TOKENIZER, Vec::new());
    writer.finish(manifest)
}

/// Loads the model of a pack on the CPU.
fn model(mut pack: Pack) -> Model {
    let config = pack.manifest.model.clone();
    Model::load(config, &mut pack.weights().unwrap(), Device::flex()).unwrap()
}
