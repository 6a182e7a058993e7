//! `headlamp segment`.

use std::path::Path;

use test_support::tool::{folder, json, on_pack, output_of, photo};

/// Reads an 8-bit grey PNG: width, height and values.
fn grey(path: &Path) -> (u32, u32, Vec<u8>) {
    let image = image::open(path).unwrap();
    assert_eq!(image.color(), image::ColorType::L8);
    (image.width(), image.height(), image.into_luma8().into_raw())
}

#[test]
fn masks_have_the_size_of_the_photo() {
    let folder = folder("masks");
    let (out, soft) = (folder.join("mask.png"), folder.join("soft.png"));
    let mut segment = on_pack(&["segment", "--text", "a cat", "--against", "a dog"]);
    let answer = json(segment.arg(photo("chelsea.png")).arg("--out").arg(&out).arg("--soft").arg(&soft));
    let (width, height, mask) = grey(&out);
    assert_eq!((width, height), (451, 300));
    assert_eq!(answer["size"], serde_json::json!({"width": 451, "height": 300}));
    assert!(mask.iter().all(|value| [0, 255].contains(value)));
    let foreground = mask.iter().filter(|value| **value == 255).count() as f64 / mask.len() as f64;
    assert!((answer["foreground"].as_f64().unwrap() - foreground).abs() < 1e-9 && foreground > 0.0);
    assert_eq!(answer["against"][0], "a dog");
    assert!(
        answer["against"].as_array().unwrap().len() > 10,
        "the built-in backgrounds are missing from the contrast"
    );
    assert_eq!(answer["empty"], false);

    // The mask is where the soft map is above the threshold.
    let (soft_width, soft_height, soft) = grey(&soft);
    assert_eq!((soft_width, soft_height), (451, 300));
    let threshold = answer["threshold"].as_f64().unwrap() * 255.0;
    for (soft, mask) in soft.iter().zip(&mask) {
        let apart = f64::from(*soft) - threshold;
        assert!(apart.abs() <= 1.0 || (apart > 0.0) == (*mask == 255), "soft {soft}, mask {mask}");
    }
}

#[test]
fn the_masks_edges_follow_the_photo_unless_refused() {
    let folder = folder("edges");
    let segment = |name: &str, more: &[&str]| {
        let (out, soft) = (folder.join(format!("{name}.png")), folder.join(format!("{name}.soft.png")));
        let mut segment = on_pack(&["segment", "--text", "a cat"]);
        segment.args(more).arg(photo("chelsea.png")).arg("--out").arg(&out).arg("--soft").arg(&soft);
        (json(&mut segment), grey(&out).2, grey(&soft).2)
    };
    let (crisp, mask, soft) = segment("crisp", &[]);
    let (raw, raw_mask, raw_soft) = segment("raw", &["--as-the-model-sees"]);
    assert_eq!((&crisp["refined"], &raw["refined"]), (&true.into(), &false.into()));
    assert_eq!(crisp["threshold"], raw["threshold"]);
    // Neighbours differ more at the edges of a crisp map.
    let steepest = |soft: &[u8]| soft.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
    assert!(steepest(&soft) > 2 * steepest(&raw_soft), "{} and {}", steepest(&soft), steepest(&raw_soft));
    let apart = mask.iter().zip(&raw_mask).filter(|(one, other)| one != other).count() as f64;
    let share = apart / mask.len() as f64;
    assert!(share > 0.001 && share < 0.5, "{share} of the pixels differ");
}

#[test]
fn a_custom_threshold_is_used_and_an_old_mask_replaced() {
    let out = folder("threshold").join("mask.png");
    let with = |threshold: &str| {
        let mut segment = on_pack(&["segment", "--text", "a cat", "--no-background", "--threshold", threshold]);
        json(segment.arg(photo("chelsea.png")).arg("--out").arg(&out))["foreground"].as_f64().unwrap()
    };
    let (wide, narrow) = (with("0.1"), with("0.9"));
    assert!(wide > narrow, "{wide} {narrow}");
    let (_, _, mask) = grey(&out);
    let foreground = mask.iter().filter(|value| **value > 0).count() as f64 / mask.len() as f64;
    assert!((foreground - narrow).abs() < 1e-9);
}

#[test]
fn an_empty_mask_is_reported() {
    let out = folder("empty").join("mask.png");
    // Both phrases give the model the same tokens, so their difference is zero.
    let mut segment = on_pack(&["segment", "--text", "a cat", "--against", "A CAT", "--no-background"]);
    let answer = output_of(segment.arg(photo("chelsea.png")).arg("--out").arg(&out));
    assert!(answer.contains("is empty"), "{answer}");
    assert!(grey(&out).2.iter().all(|value| *value == 0));
}

#[test]
fn text_output_has_the_share_and_the_crop() {
    let out = folder("share").join("mask.png");
    let segment = |more: &[&str]| {
        let mut segment = on_pack(&["segment", "--text", "a cat"]);
        output_of(segment.args(more).arg(photo("chelsea.png")).arg("--out").arg(&out))
    };
    let cropped = segment(&[]);
    assert!(cropped.contains("% of the photo is") && cropped.contains("--whole-photo"), "{cropped}");
    assert!(!segment(&["--whole-photo"]).contains("--whole-photo"));
}
