//! A CLIP ViT-B/32 in full size, 605 MB of seeded weights: converted in bounded memory, with the same results as
//! PyTorch on the same weights (`tests/reference/clip_b32.py`).
#![cfg(not(target_arch = "wasm32"))]

mod memory;

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use headlamp::checkpoint::detect::{Detected, GivenSettings, detect};
use headlamp::checkpoint::on_disk::{CheckpointOnDisk, WeightsFile};
use headlamp::checkpoint::{Converter, Pack, Quantisation, pack};
use headlamp::geometry::Size;
use headlamp::model::{Crop, Model};
use headlamp::zero_shot::{dot, normalised};
use test_support::reference::{relative, tensors_of};
use test_support::{TemporaryFolder, clip_b32};

const START: u32 = 49_406;
const END: u32 = 49_407;
const TEXTS: [&[u32]; 3] =
    [&[START, 320, END], &[START, 320, 1125, 539, 320, 2368, END], &[START, 320, 2368, 539, 320, 1125, END]];

/// Bytes of the largest tensor, the token table, in f32.
const LARGEST: usize = 49_408 * 512 * 4;

fn opened(path: &Path) -> (Detected, WeightsFile) {
    // No config lies beside the file, so the file counts as the known model of these sizes.
    let checkpoint = CheckpointOnDisk::find(path).unwrap();
    let (index, reader) = checkpoint.open().unwrap();
    (detect(index, &checkpoint.config_files, "openai", &GivenSettings::default()).unwrap(), reader)
}

/// Converts the checkpoint. Returns the pack, and the peak of memory beyond the size of the result.
fn converted(path: &Path, quantisation: Quantisation) -> (Pack, usize) {
    let (detected, reader) = opened(path);
    let manifest = detected.manifest(None, None, "a seed", quantisation);
    let before = memory::reset_peak();
    let mut writer = reader.convert(Converter::new(detected, quantisation).unwrap(), |_done, _total| {}).unwrap();
    let beyond = memory::peak() - before;
    writer.add(pack::TOKENIZER, Vec::new());
    let pack = writer.finish(manifest).unwrap();
    let output = usize::try_from(pack.manifest.file(pack::WEIGHTS).unwrap().bytes).unwrap();
    (pack, beyond - output)
}

/// Returns the image's embedding, and the unit embeddings of the texts.
fn outputs(mut pack: Pack) -> (Vec<f32>, Vec<Vec<f32>>) {
    let config = pack.manifest.model.clone();
    let model = Model::load(config, &mut pack.weights().unwrap(), Device::flex()).unwrap();
    let crop = Crop { size: Size { width: 224, height: 224 }, values: clip_b32::drawn("pixels", 3 * 224 * 224) };
    let trace = pollster::block_on(model.vision.trace(&crop)).unwrap();
    let texts: Vec<Vec<u32>> = TEXTS.iter().map(|text| text.to_vec()).collect();
    (trace.embedding, pollster::block_on(model.text_tower().unwrap().embed(&texts)).unwrap())
}

#[test]
fn a_full_size_clip_is_converted_in_bounded_memory() {
    let folder = TemporaryFolder::new("b32");
    let path = folder.path().join("model.safetensors");
    let start = Instant::now();
    clip_b32::write(&path);
    println!("drawn and written in {:.1} s", start.elapsed().as_secs_f64());
    let expected = tensors_of("clip_b32.expected").tensors;
    let (image, texts) = (&expected["image"].values, &expected["texts"].values);
    for (quantisation, least) in [(Quantisation::F32, 1.0), (Quantisation::Q8, 0.999), (Quantisation::Q4, 0.98)] {
        let start = Instant::now();
        let (pack, beyond) = converted(&path, quantisation);
        let seconds = start.elapsed().as_secs_f64();
        let bytes = pack.manifest.bytes();
        let (found, units) = outputs(pack);
        let cosine = dot(&normalised(&found), &normalised(image));
        let of_texts = units.iter().zip(texts.chunks(512)).map(|(unit, text)| dot(unit, &normalised(text)));
        let of_texts = of_texts.fold(1.0, f64::min);
        println!(
            "{quantisation:?}: {bytes} bytes in {seconds:.1} s, {:.0} MB beyond them at most; cosine {cosine:.5} of \
                the image, {of_texts:.5} of the texts",
            beyond as f64 / 1e6
        );
        assert!(beyond < 5 * LARGEST / 2, "{beyond} bytes beyond the output");
        if quantisation == Quantisation::F32 {
            assert!(relative(&found, image, 512) < 1e-3, "{}", relative(&found, image, 512));
        }
        assert!(cosine > least - 1e-5 && of_texts > least - 1e-5, "{quantisation:?}: {cosine} {of_texts}");
    }
}
