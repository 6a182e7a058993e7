//! `headlamp eval davis` and `headlamp eval discovery`, on small sets in the layouts of the real ones. The
//! expected table of DAVIS is computed here from parts of the library. `tests/track` compares each of these parts
//! with its reference. The expected table of discovery follows from boxes that are always found or never.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use headlamp::checkpoint::Pack;
use headlamp::geometry::{Framing, Size};
use headlamp::media::{Photo, indexed_png, rgb_png};
use headlamp::metrics::davis::{MeasureOverFrames, boundary, region};
use headlamp::session::Session;
use headlamp::track::{PropagateOptions, Propagator, SoftMasks};
use serde_json::Value;

use crate::sets::{assert_close, assert_members, eval, records, records_file};
use test_support::tool::{error_of, folder, json, pack};

const SIZE: Size = Size { width: 96, height: 64 };
const FRAMES: usize = 5;
const SHORT_SIDE: usize = 64;

/// Draws a frame of a sequence with two moving squares, and its labels. A line of void pixels crosses the frame.
fn frame(sequence: usize, time: usize) -> (Photo, Vec<u8>) {
    let label = |x: usize, y: usize| {
        let inside = |left: usize, top: usize, side: usize| {
            (left..left + side).contains(&x) && (top..top + side).contains(&y)
        };
        if inside(8 + 6 * time, 10 + sequence, 24) {
            1
        } else if inside(70 - 3 * time, 36, 20) {
            2
        } else if y == 62 {
            255
        } else {
            0
        }
    };
    let labels: Vec<u8> =
        (0..SIZE.width * SIZE.height).map(|place| label(place % SIZE.width, place / SIZE.width)).collect();
    let colour = |(place, label): (usize, &u8)| match label {
        1 => [230, 40 + (place % 7) as u8, 30],
        2 => [40, 60, 200],
        _ => [(place % SIZE.width) as u8, 120, 90],
    };
    let rgb = labels.iter().enumerate().flat_map(colour).collect();
    (Photo { size: SIZE, held: SIZE, rgb }, labels)
}

/// Writes DAVIS's folders with two sequences.
fn davis(name: &str) -> PathBuf {
    let data = folder(name);
    for part in ["ImageSets/2017", "JPEGImages/480p/one", "JPEGImages/480p/two"] {
        std::fs::create_dir_all(data.join(part)).unwrap();
    }
    std::fs::write(data.join("ImageSets/2017/val.txt"), "one\ntwo\n").unwrap();
    for (sequence, name) in ["one", "two"].iter().enumerate() {
        let masks = data.join("Annotations/480p").join(name);
        std::fs::create_dir_all(&masks).unwrap();
        for time in 0..FRAMES {
            let (photo, labels) = frame(sequence, time);
            let frames = data.join("JPEGImages/480p").join(name);
            std::fs::write(frames.join(format!("{time:05}.png")), rgb_png(SIZE, &photo.rgb).unwrap()).unwrap();
            std::fs::write(masks.join(format!("{time:05}.png")), indexed_png(SIZE, &labels).unwrap()).unwrap();
        }
    }
    data
}

/// Returns J and F of each object of a sequence, for copied masks and for propagated masks.
fn expected(sequence: usize) -> Vec<[[MeasureOverFrames; 2]; 2]> {
    let session = Session::open(Pack::read(pack()).unwrap(), Device::flex()).unwrap();
    let framing = Framing::Frame { short_side: SHORT_SIDE };
    let featured = |time: usize| pollster::block_on(session.features(&frame(sequence, time).0, framing)).unwrap();
    let first: Vec<u8> = frame(sequence, 0).1.iter().map(|label| label % 255).collect();
    let seeded = featured(0);
    let mut propagator = Propagator::new(PropagateOptions::default());
    propagator.seed(0, &seeded.features, SoftMasks::of_pixels(&first, &seeded.frame)).unwrap();
    // The first and the last frame do not count.
    let found: Vec<Vec<u8>> = (1..FRAMES - 1)
        .map(|time| {
            let featured = featured(time);
            propagator.push(&featured.features).unwrap().labels_in_photo(&featured.frame)
        })
        .collect();
    let scores = |object: u8, found: &dyn Fn(usize) -> Vec<u8>| {
        let (mut j, mut f) = (Vec::new(), Vec::new());
        for time in 1..FRAMES - 1 {
            let (labelled, found) = (frame(sequence, time).1, found(time));
            let of =
                |labels: &[u8], wanted: u8| labels.iter().map(|label| *label == wanted).collect::<Vec<bool>>();
            let (found, truth, void) = (of(&found, object), of(&labelled, object), of(&labelled, 255));
            j.push(region(&found, &truth, &void));
            f.push(boundary(&found, &truth, &void, SIZE));
        }
        [MeasureOverFrames::of(&j).unwrap(), MeasureOverFrames::of(&f).unwrap()]
    };
    [1, 2]
        .map(|object| [scores(object, &|_time| first.clone()), scores(object, &|time| found[time - 1].clone())])
        .to_vec()
}

fn davis_command(data: &Path, out: &Path) -> std::process::Command {
    let mut command = eval("davis", data);
    command.args(["--resolution", &SHORT_SIDE.to_string(), "--out"]).arg(out);
    command
}

#[test]
fn davis_matches_its_parts_and_resumes() {
    let (data, out) = (davis("davis"), folder("davis-out"));
    let answer = json(&mut davis_command(&data, &out));
    assert_members(&answer, &["layer", "objects", "resolution", "rows", "sequences", "split"]);
    let objects = [expected(0), expected(1)].concat();
    assert_eq!((answer["objects"].as_u64(), answer["images"].as_u64()), (Some(4), Some(2)));
    for (method, name) in ["copy the first mask", "headlamp"].iter().enumerate() {
        let row = &answer["rows"][method];
        assert_eq!(row["method"], *name);
        for (measure, name) in ["j", "f"].iter().enumerate() {
            let of_objects: Vec<MeasureOverFrames> =
                objects.iter().map(|object| object[method][measure]).collect();
            let mean = MeasureOverFrames::mean_of(&of_objects).unwrap();
            let found = ["mean", "recall", "decay"].map(|part| row[name][part].as_f64().unwrap());
            assert_close(&found, &[mean.mean, mean.recall, mean.decay], 1e-12);
        }
    }
    // The squares move, so that a copied mask is partly wrong.
    let copied = answer["rows"][0]["j"]["mean"].as_f64().unwrap();
    assert!(copied > 0.2 && copied < 0.8, "{copied}");
    assert_eq!(records(&out, "davis").len(), 2);
    let file = records_file(&out, "davis");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 30]).unwrap();
    let again = json(&mut davis_command(&data, &out));
    assert_eq!((again["resumed"].as_u64(), &again["rows"]), (Some(1), &answer["rows"]));
    assert!(std::fs::read_to_string(out.join("results.md")).unwrap().contains("| copy the first mask |"));
}

#[test]
fn davis_rows_keep_their_names_after_a_skip() {
    let (data, out) = (davis("davis-skipped"), folder("davis-skipped-out"));
    let all = json(&mut davis_command(&data, &out));
    // Sequence one cannot be read: its second frame is cut off.
    let broken = data.join("JPEGImages/480p/one/00001.png");
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let rest = json(&mut davis_command(&data, &folder("davis-skipped-rest")));
    assert_eq!(rest["skipped"][0]["image"], "one");
    assert_eq!(rest["sequences"], serde_json::json!([all["sequences"][1]]), "the row of sequence two");
}

#[test]
fn davis_refuses_unusable_data() {
    let (data, out) = (davis("davis-refused"), folder("davis-refused-out"));
    let mut split = davis_command(&data, &out);
    assert!(error_of(split.args(["--split", "train"]), 1).contains("train.txt"));
    std::fs::remove_file(data.join("Annotations/480p/two/00003.png")).unwrap();
    assert!(error_of(&mut davis_command(&data, &out), 1).contains("00003.png"));
    std::fs::write(data.join("ImageSets/2017/val.txt"), "../../etc").unwrap();
    assert!(error_of(&mut davis_command(&data, &out), 1).contains("no sequence's name"));
}

/// Writes VOC's folders. In the first picture the object is the whole picture. In the second the object is a
/// corner that no region of patches can match.
fn voc(name: &str) -> PathBuf {
    let data = folder(name);
    for part in ["JPEGImages", "Annotations"] {
        std::fs::create_dir_all(data.join(part)).unwrap();
    }
    let boxed = |left: usize, top: usize, right: usize, bottom: usize, difficult: u8| {
        format!(
            "<object><name>thing</name><difficult>{difficult}</difficult><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>\
             <xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        )
    };
    let pictures = [
        ("all", boxed(1, 1, 96, 64, 0)),
        ("corner", boxed(1, 1, 2, 2, 0)),
        ("difficult", boxed(1, 1, 96, 64, 1)),
        ("none", String::new()),
    ];
    for (place, (name, objects)) in pictures.iter().enumerate() {
        let picture = rgb_png(SIZE, &frame(place, place).0.rgb).unwrap();
        std::fs::write(data.join("JPEGImages").join(format!("{name}.png")), picture).unwrap();
        let xml = format!("<annotation>{objects}</annotation>");
        std::fs::write(data.join("Annotations").join(format!("{name}.xml")), xml).unwrap();
    }
    data
}

#[test]
fn discovery_counts_pictures_with_a_correct_box() {
    let (data, out) = (voc("voc"), folder("voc-out"));
    let answer = json(eval("discovery", &data).arg("--out").arg(&out));
    assert_members(&answer, &["heads", "objects", "rows"]);
    assert_eq!(answer["images"], 2, "pictures without a valid object must be skipped");
    let right: Vec<Value> =
        records(&out, "discovery").into_values().map(|record| record["right"].clone()).collect();
    assert_eq!(right[1], Value::from(vec![false; 4]), "no box can match a corner of two pixels");
    for (row, right) in answer["rows"].as_array().unwrap().iter().zip(right[0].as_array().unwrap()) {
        let expected = if right.as_bool().unwrap() { 0.5 } else { 0.0 };
        assert_eq!(row["corloc"], expected, "{row}");
    }
    std::fs::write(data.join("list.txt"), "corner\n").unwrap();
    let listed = json(eval("discovery", &data).arg("--split").arg(data.join("list.txt")));
    assert_eq!((&listed["images"], &listed["rows"][3]["corloc"]), (&1.into(), &0.0.into()));
    std::fs::write(data.join("Annotations/all.xml"), "<annotation><object>").unwrap();
    assert!(error_of(&mut eval("discovery", &data), 1).contains("all.xml"));
}
