//! `headlamp eval segmentation`.

use serde_json::Value;

use crate::sets::{assert_close, assert_members, column, data, eval, expected, records};
use test_support::tool::{folder, json};

fn assert_expected(answer: &Value) {
    let expected = expected("segmentation");
    for protocol in ["in_photo", "squashed"] {
        let methods: Vec<&Value> = answer[protocol].as_array().unwrap().iter().map(|row| &row["method"]).collect();
        assert_eq!(methods, ["raw attention", "rollout", "headlamp"]);
        for metric in ["pixel_accuracy", "mean_iou", "mean_ap"] {
            let (found, expected) = (column(&answer[protocol], metric), column(&expected[protocol], metric));
            // The pixels of a map are f32. If one pixel changes its rank, AP changes by less than this.
            let tolerance = if metric == "mean_ap" { 1e-4 } else { 1e-9 };
            assert_close(&found, &expected, tolerance);
        }
    }
}

#[test]
fn a_matlab_file_gives_the_reference_table() {
    let classes = data("segmentation/classnames.txt");
    let out = folder("segmentation");
    let file = data("segmentation/gtsegs_ijcv.mat");
    let answer = json(eval("segmentation", &file).arg("--classes").arg(&classes).arg("--out").arg(&out));
    assert_members(&answer, &["classes", "in_photo", "rollout_from", "squashed", "templates"]);
    assert_eq!(
        (&answer["images"], &answer["rollout_from"], &answer["statistics_images"]),
        (&8.into(), &1.into(), &Value::Null)
    );
    assert_expected(&answer);
    let top: Vec<Value> =
        records(&out, "segmentation").into_values().map(|record| record["top"].clone()).collect();
    assert_eq!(Value::from(top), expected("segmentation")["top"]);
}

#[test]
fn folders_of_photos_and_masks_give_the_same_table() {
    let folder = folder("masks");
    for part in ["images", "masks"] {
        std::fs::create_dir(folder.join(part)).unwrap();
        for file in std::fs::read_dir(data("segmentation").join(part)).unwrap().map(|entry| entry.unwrap()) {
            std::fs::copy(file.path(), folder.join(part).join(file.file_name())).unwrap();
        }
    }
    std::fs::copy(data("segmentation/classnames.txt"), folder.join("classnames.txt")).unwrap();
    assert_expected(&json(&mut eval("segmentation", &folder)));
}

/// Masks of 16 bits in which the object is 1, and masks in which everything but the object is transparent, say the
/// same as masks in black and white.
#[test]
fn masks_of_16_bits_and_transparent_ones_give_the_same_table() {
    for kind in ["sixteen", "transparent"] {
        let folder = folder(kind);
        for part in ["images", "masks"] {
            std::fs::create_dir(folder.join(part)).unwrap();
            for file in std::fs::read_dir(data("segmentation").join(part)).unwrap().map(|entry| entry.unwrap()) {
                let copy = folder.join(part).join(file.file_name());
                if part == "images" {
                    std::fs::copy(file.path(), copy).unwrap();
                    continue;
                }
                let mask = image::open(file.path()).unwrap().into_luma8();
                if kind == "sixteen" {
                    let labels = image::ImageBuffer::from_fn(mask.width(), mask.height(), |x, y| {
                        image::Luma([u16::from(mask.get_pixel(x, y)[0] > 0)])
                    });
                    labels.save(copy).unwrap();
                } else {
                    let cut_out = image::RgbaImage::from_fn(mask.width(), mask.height(), |x, y| {
                        let is_object = mask.get_pixel(x, y)[0] > 0;
                        image::Rgba([255, 255, 255, if is_object { 255 } else { 0 }])
                    });
                    cut_out.save(copy).unwrap();
                }
            }
        }
        std::fs::copy(data("segmentation/classnames.txt"), folder.join("classnames.txt")).unwrap();
        assert_expected(&json(&mut eval("segmentation", &folder)));
    }
}

#[test]
fn the_rollout_layer_only_changes_that_baseline() {
    let of = |first: &str| json(eval("segmentation", &data("segmentation")).args(["--rollout-from", first]));
    let (first, second) = (of("0"), of("1"));
    assert_ne!(first["in_photo"][1], second["in_photo"][1]);
    for method in [0, 2] {
        assert_eq!(first["in_photo"][method], second["in_photo"][method]);
    }
}
