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
use headlamp::checkpoint::detect::{Answers, Detected, detect};
use headlamp::checkpoint::files::{Checkpoint, Reader};
use headlamp::checkpoint::{CheckpointError, Converter, Pack, PackWriter, Quantisation, pack};
use headlamp::model::Model;

/// Recognises the checkpoint at `path`.
fn detected(path: &Path, answers: &Answers) -> Result<(Detected, Reader), CheckpointError> {
    let checkpoint = Checkpoint::find(path)?;
    let (index, reader) = checkpoint.open()?;
    Ok((detect(index, &checkpoint.companions, &checkpoint.name, answers)?, reader))
}

/// The pack that the checkpoint at `path` becomes. Its tokenizer is not CLIP's, so that an empty one is put in.
fn converted(path: &Path, answers: &Answers, quantisation: Quantisation) -> Result<Pack, CheckpointError> {
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
