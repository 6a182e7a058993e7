//! `headlamp eval ablation`.

use burn::tensor::Device;
use headlamp::checkpoint::Pack;
use headlamp::geometry::Framing;
use headlamp::media;
use headlamp::session::Session;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::sets::{assert_close, assert_members, column, data, eval, expected, records, records_file};
use test_support::tool::{folder, json, numbers, output_of, pack, write_unreadable};

#[test]
fn table_and_classes_match_the_reference() {
    let out = folder("ablation");
    let answer = json(eval("ablation", &data("imagenet")).arg("--out").arg(&out));
    assert_members(&answer, &["classes", "rows", "templates"]);
    let expected = expected("ablation");
    assert_eq!(
        (&answer["images"], &answer["classes"], &answer["statistics_images"]),
        (&36.into(), &6.into(), &40.into())
    );
    assert_close(&column(&answer["rows"], "accuracy"), &numbers(&expected["accuracy"]), 1e-12);
    for (picture, record) in records(&out, "ablation") {
        assert_eq!(record["top"], expected["top"][&picture], "{picture}");
    }
    let written: Value = serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap();
    assert_eq!(written["rows"], answer["rows"]);
}

/// The first row equals the model's own accuracy, computed without the ablation code.
#[test]
fn no_ablation_gives_the_plain_accuracy() {
    let out = folder("plain");
    let answer = json(eval("ablation", &data("imagenet")).arg("--out").arg(&out));
    let session = Session::open(Pack::read(pack()).unwrap(), Device::flex()).unwrap();
    let kept = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.filter(|path| path.extension().is_some_and(|end| end == "safetensors")).collect::<Vec<_>>();
    let bytes = std::fs::read(&kept[0]).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values: Vec<f32> = tensors
        .tensor("classes")
        .unwrap()
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four))
        .collect();
    let classes: Vec<&[f32]> = values.chunks(24).collect();
    let mut right = 0;
    for (picture, record) in records(&out, "ablation") {
        let bytes = std::fs::read(data("imagenet").join(&picture)).unwrap();
        let photo = pollster::block_on(media::decode(&picture, &bytes)).unwrap();
        let traced = pollster::block_on(session.trace(&photo, Framing::CentreCrop)).unwrap();
        let score = |class: &&[f32]| class.iter().zip(&traced.trace.embedding).map(|(a, b)| a * b).sum::<f32>();
        let scores: Vec<f32> = classes.iter().map(score).collect();
        let top = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        assert_eq!(record["top"][0], top, "{picture}");
        right += usize::from(record["class"] == top);
    }
    assert_eq!(answer["rows"][0]["ablated"], "nothing");
    assert_eq!(answer["rows"][0]["right"], right);
}

#[test]
fn an_interrupted_evaluation_resumes() {
    let out = folder("resumed-eval");
    let run = |more: &[&str]| json(eval("ablation", &data("imagenet")).args(more).arg("--out").arg(&out));
    let first = run(&["--limit", "10"]);
    assert_eq!((&first["images"], &first["resumed"]), (&10.into(), &0.into()));
    let file = records_file(&out, "ablation");
    // A recognisable record, which must be kept, and half a line after the last record.
    let text = std::fs::read_to_string(&file).unwrap();
    let (heading, rest) = text.split_once('\n').unwrap();
    let (line, rest) = rest.split_once('\n').unwrap();
    let mut marked: Value = serde_json::from_str(line).unwrap();
    marked["class"] = 99.into();
    std::fs::write(&file, format!("{heading}\n{marked}\n{rest}{{\"picture\":\"n0")).unwrap();
    let whole = run(&[]);
    assert_eq!((&whole["images"], &whole["resumed"]), (&36.into(), &10.into()));
    let plain = json(&mut eval("ablation", &data("imagenet")));
    let right = |answer: &Value| answer["rows"][0]["right"].as_u64().unwrap();
    assert!([0, 1].contains(&(right(&plain) - right(&whole))), "{} {}", right(&plain), right(&whole));
    assert_eq!(records(&out, "ablation").len(), 36);
    // Other templates make another evaluation, which keeps no earlier record.
    let templates = out.join("templates.txt");
    std::fs::write(&templates, "an image of {}\n").unwrap();
    assert_eq!(run(&["--templates", templates.to_str().unwrap()])["resumed"], 0);
}

#[test]
fn a_flat_folder_with_labels_is_the_same_data_set() {
    let flat = folder("flat");
    let mut labels = "file\tset\tlabel\n".to_owned();
    for class in std::fs::read_dir(data("imagenet")).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(pictures) = std::fs::read_dir(&class) else { continue };
        for picture in pictures.map(|entry| entry.unwrap().path()) {
            let name = picture.file_name().unwrap().to_str().unwrap();
            std::fs::copy(&picture, flat.join(name)).unwrap();
            labels += &format!("{name}\tsmall\t{}\n", class.file_name().unwrap().to_str().unwrap());
        }
    }
    std::fs::write(flat.join("labels.tsv"), labels).unwrap();
    let classes = data("imagenet").join("classes.tsv");
    let answer = json(eval("ablation", &flat).arg("--classes").arg(classes));
    assert_close(&column(&answer["rows"], "accuracy"), &numbers(&expected("ablation")["accuracy"]), 1e-12);
}

#[test]
fn an_unreadable_picture_is_skipped_and_named() {
    let folder = folder("spoiled-set");
    std::fs::create_dir(folder.join("cat")).unwrap();
    std::fs::copy(data("segmentation/images/00000.png"), folder.join("cat/a.png")).unwrap();
    write_unreadable(&folder.join("cat/b.png"));
    let answer = json(&mut eval("ablation", &folder));
    assert_eq!((&answer["images"], &answer["skipped"][0]["image"]), (&1.into(), &"cat/b.png".into()));
}

#[test]
fn text_output_is_a_table() {
    let answer = output_of(&mut eval("ablation", &data("imagenet")));
    assert!(answer.starts_with("# headlamp eval ablation\n"), "{answer}");
    assert!(answer.contains("| nothing | ") && answer.contains("| attention of layers 0 to 2 | "), "{answer}");
}
