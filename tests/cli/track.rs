//! `headlamp track` and `headlamp propagate`.

use std::path::{Path, PathBuf};

use headlamp::geometry::Size;
use headlamp::media::{grey_png, indexed_png, labels_of_png, rgb_png};
use serde_json::Value;

use test_support::tool::{error_of, folder, json, members, on_pack, output_of};

const SIZE: Size = Size { width: 96, height: 64 };

/// Writes frames of a bright square that moves right. The file names are numbered without leading zeros.
fn frames(name: &str, count: usize) -> PathBuf {
    let folder = folder(name);
    for frame in 0..count {
        let rgb: Vec<u8> = (0..SIZE.width * SIZE.height)
            .flat_map(|place| {
                let (x, y) = (place % SIZE.width, place / SIZE.width);
                let inside = (20..44).contains(&y) && (10 + 4 * frame..34 + 4 * frame).contains(&x);
                if inside { [220, 60, 30] } else { [(x * 2) as u8, 90, (y * 3) as u8] }
            })
            .collect();
        std::fs::write(folder.join(format!("f{frame}.png")), rgb_png(SIZE, &rgb).unwrap()).unwrap();
    }
    folder
}

/// Returns labels with two objects.
fn labels() -> Vec<u8> {
    let label = |place: usize| {
        let (x, y) = (place % SIZE.width, place / SIZE.width);
        if (20..44).contains(&y) && (10..34).contains(&x) { 2 } else { u8::from(y > 50) }
    };
    (0..SIZE.width * SIZE.height).map(label).collect()
}

fn mask(path: &Path) -> (Size, Vec<u8>) {
    labels_of_png("mask", &std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn track_writes_masks_overlays_and_json() {
    let (video, out) = (frames("track-frames", 11), folder("track").join("out"));
    let answer = json(on_pack(&["track"]).arg(&video).args(["--objects", "2", "--rate", "5", "--out"]).arg(&out));
    assert_eq!(
        members(&answer),
        ["cuts", "device", "frames", "heads", "objects", "out", "pack", "refinement", "seconds", "video"]
    );
    assert_eq!((&answer["frames"], &answer["objects"], &answer["cuts"]), (&11.into(), &2.into(), &0.into()));
    let tracks: Value = serde_json::from_slice(&std::fs::read(out.join("tracks.json")).unwrap()).unwrap();
    assert_eq!(members(&tracks), ["frames", "heads", "pack", "rate", "refinement", "video"]);
    let of_frames = tracks["frames"].as_array().unwrap();
    // f10 comes after f9.
    let names: Vec<&str> = of_frames.iter().map(|frame| frame["frame"].as_str().unwrap()).collect();
    assert_eq!(names[8..], ["f8", "f9", "f10"]);
    assert_eq!(of_frames[10]["time"], 2.0);
    for (frame, name) in of_frames.iter().zip(names) {
        for object in frame["objects"].as_array().unwrap() {
            let (size, values) = mask(&out.join(format!("masks/object-{}/{name}.png", object["id"])));
            let foreground = values.iter().filter(|value| **value > 0).count();
            assert!(size == SIZE && foreground > 0 && foreground < values.len());
            assert_eq!(object["mask"]["size"], serde_json::json!([SIZE.height, SIZE.width]));
            let values: Vec<bool> = values.iter().map(|value| *value > 0).collect();
            assert_eq!(object["mask"]["counts"], headlamp::rle::Rle::of(&values, SIZE).counts);
        }
    }
    assert!(out.join("overlays/000011.png").is_file());
    // Existing files are not overwritten.
    assert!(error_of(on_pack(&["track"]).arg(&video).arg("--out").arg(&out), 1).contains("is there already"));
}

#[test]
fn frames_that_differ_in_the_extension_stay_apart() {
    let (video, place) = (frames("one-stem-frames", 3), folder("one-stem"));
    // The decoder looks at the bytes, not at the name.
    std::fs::rename(video.join("f1.png"), video.join("f0.jpg")).unwrap();
    json(on_pack(&["track"]).arg(&video).args(["--objects", "1", "--out"]).arg(place.join("tracks")));
    let seed = place.join("seed.png");
    std::fs::write(&seed, indexed_png(SIZE, &labels()).unwrap()).unwrap();
    let mut propagate = on_pack(&["propagate"]);
    json(propagate.arg(&video).arg("--seed").arg(&seed).arg("--out").arg(place.join("masks")));
    for folder in [place.join("tracks/masks/object-0"), place.join("masks")] {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["f0.jpg.png", "f0.png.png", "f2.png"]);
    }
}

#[test]
fn track_accepts_chosen_heads_and_refuses_unknown_ones() {
    let (video, place) = (frames("heads-frames", 3), folder("heads-out"));
    let track = |heads: &str, out: &str| {
        let mut command = on_pack(&["track"]);
        command.arg(&video).args(["--heads", heads, "--refine", "sinkhorn", "--out"]).arg(place.join(out));
        command
    };
    let answer = json(&mut track("2,0", "two"));
    assert_eq!(answer["heads"], serde_json::json!([2, 0]));
    assert_eq!(answer["refinement"], "sinkhorn");
    assert!(error_of(&mut track("3", "none"), 2).contains("heads 0 to 2"));
    assert!(!place.join("none").exists());
}

#[test]
fn masks_are_propagated_both_ways_from_their_frame() {
    let (video, place) = (frames("propagate-frames", 5), folder("propagate"));
    let seed = place.join("seed.png");
    std::fs::write(&seed, indexed_png(SIZE, &labels()).unwrap()).unwrap();
    let out = place.join("out");
    let mut command = on_pack(&["propagate"]);
    command.arg(&video).arg("--seed").arg(&seed).args(["--at", "1", "--resolution", "64", "--out"]).arg(&out);
    let answer = json(&mut command);
    // The tiny pack chooses no layer, so the last of three is read.
    assert_eq!((&answer["frames"], &answer["objects"], &answer["layer"]), (&5.into(), &2.into(), &2.into()));
    assert_eq!(mask(&out.join("f1.png")), (SIZE, labels()));
    for frame in [0, 2, 3, 4] {
        let (size, found) = mask(&out.join(format!("f{frame}.png")));
        assert_eq!(size, SIZE);
        assert!(found.iter().all(|label| *label <= 2) && found.contains(&0), "frame {frame}");
    }
}

#[test]
fn propagation_reads_the_chosen_layer() {
    let (video, place) = (frames("layer-frames", 2), folder("layer"));
    let seed = place.join("seed.png");
    std::fs::write(&seed, indexed_png(SIZE, &labels()).unwrap()).unwrap();
    let mut command = on_pack(&["propagate"]);
    command.arg(&video).arg("--seed").arg(&seed).args(["--resolution", "64", "--layer", "0"]);
    let answer = json(command.arg("--out").arg(place.join("out")));
    assert_eq!(answer["layer"], 0);
}

#[test]
fn wrong_seeds_and_videos_get_an_error_message() {
    let (video, place) = (frames("refused-frames", 2), folder("refused"));
    let propagate = |seed: &Path, more: &[&str]| {
        let mut command = on_pack(&["propagate"]);
        command.arg(&video).arg("--seed").arg(seed).arg("--out").arg(place.join("out")).args(more);
        command
    };
    let seed = |name: &str, bytes: Vec<u8>| {
        let path = place.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let small = seed("small.png", grey_png(Size { width: 2, height: 2 }, &[0, 255, 0, 0]).unwrap());
    assert!(error_of(&mut propagate(&small, &[]), 1).contains("2 x 2 pixels, its frame 96 x 64"));
    let colours = seed("colours.png", rgb_png(SIZE, &vec![1; 3 * 96 * 64]).unwrap());
    assert!(error_of(&mut propagate(&colours, &[]), 1).contains("is not a mask"));
    let words = seed("words.png", b"words".to_vec());
    assert!(error_of(&mut propagate(&words, &[]), 1).contains("is not a mask"));
    assert!(error_of(&mut propagate(&small, &["--at", "2"]), 2).contains("no frame 2"));
    assert!(error_of(&mut propagate(&small, &["--layer", "3"]), 2).contains("no layer 3"));
    let missing = place.join("missing.png");
    assert!(error_of(&mut propagate(&missing, &[]), 1).contains("missing.png"));
    // With or without ffmpeg, a text is not a video.
    let mut track = on_pack(&["track"]);
    track.arg(&words).arg("--out").arg(place.join("tracks"));
    assert!(error_of(&mut track, 1).contains("ffmpeg"));
    let mut without = on_pack(&["track"]);
    without.arg(&words).arg("--out").arg(place.join("tracks")).env("PATH", &place);
    assert!(error_of(&mut without, 1).contains("install it, or give a folder of frames"));
    assert!(!output_of(on_pack(&["track"]).arg("--help")).is_empty());
}
