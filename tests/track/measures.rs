//! J, F, their statistics over frames, and COCO's run lengths.

use headlamp::geometry::Size;
use headlamp::metrics::davis::{MeasureOverFrames, boundary, region};
use headlamp::rle::Rle;

use test_support::reference::Fixture;

const CASES: usize = 4;

fn mask(fixture: &Fixture, case: usize, part: &str) -> Vec<bool> {
    fixture.counts(&format!("measures.{case}.{part}")).into_iter().map(|value| value > 0).collect()
}

fn size(fixture: &Fixture, case: usize) -> Size {
    let sides = fixture.counts(&format!("measures.{case}.size"));
    Size { width: sides[0], height: sides[1] }
}

#[test]
fn region_and_boundary_measures_match_the_reference() {
    let fixture = Fixture::open("track");
    for case in 0..CASES {
        let [found, labelled, void] = ["found", "labelled", "void"].map(|part| mask(&fixture, case, part));
        let expected = |part: &str| fixture.values(&format!("measures.{case}.{part}"))[0];
        let j = region(&found, &labelled, &void);
        assert!((j - expected("region")).abs() < 1e-12, "case {case}: J {j}");
        let f = boundary(&found, &labelled, &void, size(&fixture, case));
        assert!((f - expected("boundary")).abs() < 1e-12, "case {case}: F {f}, not {}", expected("boundary"));
    }
}

#[test]
fn mean_recall_and_decay_match_the_reference() {
    let fixture = Fixture::open("track");
    for count in [1, 2, 3, 5, 8, 79, 400] {
        let found = MeasureOverFrames::of(&fixture.values(&format!("series.{count}"))).unwrap();
        let expected = fixture.values(&format!("series.{count}.sums"));
        for (found, expected) in [found.mean, found.recall, found.decay].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{count} frames: {found}, not {expected}");
        }
    }
}

#[test]
fn run_lengths_match_pycocotools() {
    let fixture = Fixture::open("track");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/track.rle.json");
    let expected: Vec<String> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let masks = (0..CASES).flat_map(|case| ["found", "labelled"].map(|part| (case, part)));
    for ((case, part), expected) in masks.zip(expected) {
        let size = size(&fixture, case);
        let rle = Rle::of(&mask(&fixture, case, part), size);
        assert_eq!((rle.counts, rle.size), (expected, [size.height, size.width]), "case {case}, {part}");
    }
}
