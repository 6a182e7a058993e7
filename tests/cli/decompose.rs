//! `headlamp decompose`.

use std::path::Path;

use burn::tensor::Device;
use headlamp::checkpoint::Pack;
use headlamp::session::Session;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use test_support::tool::{error_of, folder, gallery, on_pack, output_of, pack, photo, write_unreadable};

const LAYERS: usize = 3;
const HEADS: usize = 3;
const EMBEDDING: usize = 24;

/// The output file.
struct Components {
    bytes: Vec<u8>,
    files: Vec<String>,
    heading: Value,
}

impl Components {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        let files = serde_json::from_str(&metadata["files"]).unwrap();
        let heading = json!({
            "format": metadata["format"], "pack": metadata["pack"], "weights": metadata["weights"],
            "model": Pack::read(pack()).unwrap().manifest.results_hash(),
            "layers": LAYERS, "heads": HEADS, "embedding": EMBEDDING,
        });
        Self { bytes, files, heading }
    }

    /// Returns a tensor of image `index` as one vector of `EMBEDDING` numbers for each component.
    fn of(&self, name: &str, index: usize) -> Vec<Vec<f32>> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!((tensor.shape()[0], *tensor.shape().last().unwrap()), (self.files.len(), EMBEDDING));
        let values: Vec<f32> = tensor.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let image = values.chunks(values.len() / self.files.len()).nth(index).unwrap();
        image.chunks(EMBEDDING).map(<[f32]>::to_vec).collect()
    }

    /// Returns all numbers of one image, in the order of a record.
    fn record(&self, index: usize) -> Vec<f32> {
        ["heads", "mlps", "embedding", "image"].iter().flat_map(|name| self.of(name, index).concat()).collect()
    }
}

fn decompose(folder: &Path, out: &Path) -> Value {
    test_support::tool::json(on_pack(&["decompose"]).arg(folder).arg("--out").arg(out))
}

#[test]
fn components_sum_to_the_embedding_and_match_explain() {
    let gallery = gallery("components", &["chelsea.png", "rocket.jpg"]);
    std::fs::create_dir(gallery.join("inner")).unwrap();
    std::fs::copy(photo("coffee.png"), gallery.join("inner/coffee.png")).unwrap();
    write_unreadable(&gallery.join("spoiled.png"));
    let out = gallery.join("components.safetensors");
    let answer = decompose(&gallery, &out);
    assert_eq!((&answer["images"], answer["skipped"].as_array().unwrap().len()), (&3.into(), 1));
    let components = Components::read(&out);
    assert_eq!(components.files, ["chelsea.png", "inner/coffee.png", "rocket.jpg"]);
    for index in 0..3 {
        let [heads, mlps, embedding, image] =
            ["heads", "mlps", "embedding", "image"].map(|name| components.of(name, index));
        assert_eq!((heads.len(), mlps.len(), embedding.len()), (LAYERS * HEADS, LAYERS, 1));
        for (place, unit) in image[0].iter().enumerate() {
            let sum: f32 = heads.iter().chain(&mlps).chain(&embedding).map(|part| part[place]).sum();
            assert!((sum - unit).abs() < 1e-5, "image {index}, place {place}: {sum} {unit}");
        }
    }
    scores_as_explained(&components, "a cat");
}

/// The inner products of the first image's components with a text equal the scores of `explain`.
fn scores_as_explained(components: &Components, text: &str) {
    let mut session = Session::open(Pack::read(pack()).unwrap(), Device::flex()).unwrap();
    let unit = pollster::block_on(session.embed(&[text.to_owned()], false)).unwrap().remove(0);
    let explained =
        test_support::tool::json(on_pack(&["explain", "--text", text]).arg(photo(&components.files[0])));
    let dots = |name: &str| -> Vec<f64> {
        let dot = |part: Vec<f32>| part.iter().zip(&unit).map(|(a, b)| f64::from(a * b)).sum();
        components.of(name, 0).into_iter().map(dot).collect()
    };
    for (index, dot) in dots("heads").into_iter().enumerate() {
        let part = explained["heads"][index / HEADS][index % HEADS][0].as_f64().unwrap();
        assert!((dot - part).abs() < 1e-5, "head {index}: {dot} {part}");
    }
    for (layer, dot) in dots("mlps").into_iter().enumerate() {
        assert!((dot - explained["mlps"][layer][0].as_f64().unwrap()).abs() < 1e-5);
    }
    assert!((dots("embedding")[0] - explained["embedding"][0].as_f64().unwrap()).abs() < 1e-5);
    assert!((dots("image")[0] - explained["scores"][0].as_f64().unwrap()).abs() < 1e-5);
}

#[test]
fn an_interrupted_decomposition_resumes() {
    let gallery = gallery("resumed", &["astronaut.png", "chelsea.png", "flower.jpg"]);
    let out = folder("resumed-out");
    let whole = out.join("whole.safetensors");
    decompose(&gallery, &whole);
    let whole = Components::read(&whole);

    // The first two records are complete and hold recognisable numbers. The third is half written.
    let part = out.join("again.safetensors.part");
    std::fs::create_dir(&part).unwrap();
    std::fs::write(part.join("work.json"), whole.heading.to_string()).unwrap();
    std::fs::write(part.join("names"), "\"astronaut.png\"\n\"chelsea.png\"\n\"flow").unwrap();
    let marked = |index: usize| whole.record(index).into_iter().map(|value| value + 1.0);
    let records = marked(0).chain(marked(1)).chain(marked(2).take(100));
    let records: Vec<u8> = records.flat_map(f32::to_le_bytes).collect();
    std::fs::write(part.join("records"), records).unwrap();

    let again = out.join("again.safetensors");
    let answer = decompose(&gallery, &again);
    assert_eq!((&answer["images"], &answer["resumed"]), (&3.into(), &2.into()));
    assert!(!part.exists());
    let again = Components::read(&again);
    assert_eq!(again.files, whole.files);
    for index in 0..2 {
        assert_eq!(again.record(index), marked(index).collect::<Vec<_>>());
    }
    assert_eq!(again.record(2), whole.record(2));
}

#[test]
fn finished_files_and_other_models_work_are_kept() {
    let gallery = gallery("left-alone", &["chelsea.png"]);
    let out = gallery.join("out.safetensors");
    std::fs::create_dir(gallery.join("out.safetensors.part")).unwrap();
    let heading = json!({
        "format": "headlamp decompose 1", "pack": "another pack", "weights": "00", "model": "00",
        "layers": LAYERS, "heads": HEADS, "embedding": EMBEDDING,
    });
    std::fs::write(gallery.join("out.safetensors.part/work.json"), heading.to_string()).unwrap();
    let run = || error_of(on_pack(&["decompose"]).arg(&gallery).arg("--out").arg(&out), 1);
    assert!(run().contains("another pack"));
    std::fs::write(&out, "").unwrap();
    assert!(run().contains("there already"));
}

#[test]
fn text_output_counts_the_pictures() {
    let gallery = gallery("told", &["chelsea.png"]);
    let answer = output_of(on_pack(&["decompose"]).arg(&gallery).arg("--out").arg(gallery.join("out")));
    assert!(answer.contains("1 picture,"), "{answer}");
}
