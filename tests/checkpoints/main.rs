//! Published models in every layout and container: recognised, converted stretch by stretch, and computing what
//! PyTorch computes; and files that are wrong, hostile or cut off, each refused in words.
//!
//! `tests/reference/checkpoints.py` made the fixtures with Hugging Face's `transformers` and with `open_clip_torch`.
#![cfg(not(target_arch = "wasm32"))]

mod known;
mod layouts;
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

/// The pack that the checkpoint at `path` becomes. Its tokenizer is not CLIP's, so that an empty one is put in.
fn converted(path: &Path, answers: &GivenSettings, quantisation: Quantisation) -> Result<Pack, CheckpointError> {
    let (detected, reader) = detected(path, answers)?;
    let manifest = detected.manifest(None, None, "a test", quantisation);
    let mut writer: PackWriter = reader.convert(Converter::new(detected, quantisation)?, |_done, _total| {})?;
    writer.add(pack::TOKENIZER, Vec::new());
    writer.finish(manifest)
}

/// The model of a pack, on the CPU.
fn model(mut pack: Pack) -> Model {
    let config = pack.manifest.model.clone();
    Model::load(config, &mut pack.weights().unwrap(), &Device::flex()).unwrap()
}
