//! Segmentation compared with `tests/reference/segment.py`: from the scores of patches to a map in the photo.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::geometry::{CropFromPhoto, Framing, Grid, LongSide, Size};
use headlamp::segment::{SoftMap, grey_in_photo, mask_in_photo, soft_in_photo, soft_map};
use test_support::reference::{Fixture, largest_difference};

/// The grids of the fixture, with the frames that place their maps in the photo.
const GRIDS: [(&str, &[&str]); 3] =
    [("wide", &["whole"]), ("tall", &[]), ("square", &["landscape", "small_portrait"])];

/// Calls `test` for every text of every grid, with its name in the fixture and its map.
fn each_map(mut test: impl FnMut(&Fixture, &str, &SoftMap, &[CropFromPhoto])) {
    let fixture = Fixture::open("segment");
    for (name, frames) in GRIDS {
        let scores = fixture.values(&format!("{name}.scores"));
        let (grid, patch) = (grid_of(&fixture, name), fixture.counts(&format!("{name}.patch"))[0]);
        let frames: Vec<CropFromPhoto> =
            frames.iter().map(|frame| frame_of(&fixture, &format!("{name}.{frame}"), patch)).collect();
        let texts: Vec<&[f64]> = scores.chunks(grid.len()).collect();
        for text in 0..texts.len() {
            let map = soft_map(&against_others(&texts, text), grid, patch);
            test(&fixture, &format!("{name}.{text}"), &map, &frames);
        }
    }
}

fn grid_of(fixture: &Fixture, name: &str) -> Grid {
    let sides = fixture.counts(&format!("{name}.grid"));
    Grid { rows: sides[0], columns: sides[1] }
}

fn frame_of(fixture: &Fixture, name: &str, patch: usize) -> CropFromPhoto {
    let sides = fixture.counts(&format!("{name}.frame"));
    let size = |index: usize| Size { width: sides[index], height: sides[index + 1] };
    CropFromPhoto { photo: size(0), resized: size(2), left: sides[4], top: sides[5], crop: size(6), patch }
}

fn against_others(texts: &[&[f64]], text: usize) -> Vec<f64> {
    let others = (texts.len() - 1) as f64;
    (0..texts[text].len())
        .map(|patch| {
            let all: f64 = texts.iter().map(|scores| scores[patch]).sum();
            texts[text][patch] - (all - texts[text][patch]) / others
        })
        .collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

#[test]
fn maps_match_the_reference() {
    let mut largest: f64 = 0.0;
    each_map(|fixture, name, map, _frames| {
        let expected = fixture.values(&format!("{name}.soft"));
        assert_eq!(map.size.width * map.size.height, map.values.len(), "{name}");
        let off = largest_difference(&wide(&map.values), &expected);
        let threshold = fixture.values(&format!("{name}.threshold"))[0];
        let threshold_off = (f64::from(map.threshold) - threshold).abs();
        assert!(off < 1e-5 && threshold_off < 1e-5, "{name}: {off}, threshold {threshold_off}");
        assert_eq!(map.is_empty, expected.iter().all(|value| *value == 0.0), "{name}");
        largest = largest.max(off).max(threshold_off);
    });
    println!("largest difference {largest:.1e}");
}

#[test]
fn maps_have_the_grids_shape() {
    each_map(|fixture, name, map, _frames| {
        let grid_name = name.split_once('.').unwrap().0;
        let (grid, patch) = (grid_of(fixture, grid_name), fixture.counts(&format!("{grid_name}.patch"))[0]);
        assert_eq!(map.size, Size { width: grid.columns * patch, height: grid.rows * patch }, "{name}");
    });
}

#[test]
fn foreground_is_above_the_mean_of_the_map() {
    let mut empty = 0;
    each_map(|fixture, name, map, _frames| {
        let mask: Vec<f64> = map.values.iter().map(|value| f64::from(u8::from(*value > map.threshold))).collect();
        assert_eq!(mask, fixture.values(&format!("{name}.mask")), "{name}");
        empty += usize::from(map.is_empty);
    });
    assert_eq!(empty, 1, "the fixture does not have exactly one text without foreground");
}

#[test]
fn maps_have_the_reference_position_in_the_photo() {
    let mut largest: f64 = 0.0;
    each_map(|fixture, name, map, frames| {
        let (grid_name, _) = name.split_once('.').unwrap();
        let labels = GRIDS.iter().find(|(grid, _)| *grid == grid_name).unwrap().1;
        for (frame, label) in frames.iter().zip(labels) {
            let found = soft_in_photo(map, frame);
            let off = largest_difference(&wide(&found), &fixture.values(&format!("{name}.{label}")));
            assert!(off < 1e-5, "{name}, {label}: {off}");
            largest = largest.max(off);
        }
    });
    println!("largest difference {largest:.1e}");
}

#[test]
fn centre_crops_match_the_reference_frame() {
    let fixture = Fixture::open("segment");
    for label in ["landscape", "small_portrait"] {
        let expected = frame_of(&fixture, &format!("square.{label}"), 5);
        assert_eq!(
            CropFromPhoto::new(expected.photo, Framing::CentreCrop, 20, 5, LongSide::Truncated),
            expected,
            "{label}"
        );
    }
}

#[test]
fn mask_and_grey_in_the_photo_follow_the_soft_map() {
    each_map(|_fixture, name, map, frames| {
        for frame in frames {
            let soft = soft_in_photo(map, frame);
            let mask: Vec<u8> = soft.iter().map(|value| if *value > map.threshold { 255 } else { 0 }).collect();
            assert_eq!(mask_in_photo(map, frame, map.threshold), mask, "{name}");
            let grey: Vec<u8> = soft.iter().map(|value| (value * 255.0).round() as u8).collect();
            assert_eq!(grey_in_photo(map, frame), grey, "{name}");
        }
    });
}
