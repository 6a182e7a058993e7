//! Prototypes, their assignment, tracks and masks.

use headlamp::foreground;
use headlamp::track::prototypes::Prototypes;
use headlamp::track::{Features, Refinement, Tracker, sinkhorn, tracks};

use crate::{TOLERANCE, features_of, grid_of, wide};
use test_support::reference::{Fixture, largest_difference};

/// Cases of the fixture: three of six heads, two heads in another order on another grid, and all heads.
const CASES: [&str; 3] = ["three", "mixed", "all"];
const FRAMES: usize = 3;

/// Returns the unit tokens, computed in f64.
fn units(tokens: &[f32], width: usize) -> Vec<f32> {
    let unit = |token: &[f32]| {
        let length = token.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        token.iter().map(|value| (f64::from(*value) / length) as f32).collect::<Vec<f32>>()
    };
    tokens.chunks(width).flat_map(unit).collect()
}

#[test]
fn prototypes_and_assignment_match_the_reference() {
    let fixture = Fixture::open("track");
    for name in CASES {
        let expected = |part: &str| fixture.values(&format!("{name}.{part}"));
        let features = features_of(&fixture, &format!("{name}.0"), grid_of(&fixture, name));
        let heads = fixture.counts(&format!("{name}.heads"));
        let first = Prototypes::of_heads(&features, &heads);
        let off = largest_difference(&wide(&first.values), &expected("prototypes"));
        assert!(off < TOLERANCE, "{name}: prototypes {off}");
        let logits = first.logits(&units(&features.tokens, features.width));
        let assignment = sinkhorn::assign(&logits, heads.len(), sinkhorn::TEMPERATURE, sinkhorn::ITERATIONS);
        // The rounding error of a logit is divided by the temperature.
        let off = largest_difference(&assignment, &expected("assignment"));
        assert!(off < 1e-4, "{name}: assignment {off}");
        // The vectors have a length of about 60.
        let refined = Prototypes::refined_of(&features, &heads).unwrap();
        let off = largest_difference(&wide(&refined.values), &expected("refined"));
        assert!(off < 1e-3, "{name}: refined {off}");
    }
}

#[test]
fn tracks_and_masks_match_the_reference_in_every_frame() {
    let fixture = Fixture::open("track");
    for name in CASES {
        let (grid, heads) = (grid_of(&fixture, name), fixture.counts(&format!("{name}.heads")));
        let masks = fixture.counts(&format!("{name}.masks"));
        for (refinement, part) in [(Refinement::Sinkhorn, "tracks"), (Refinement::Off, "unrefined")] {
            let expected = fixture.values(&format!("{name}.{part}"));
            let mut tracker = Tracker::new(heads.clone()).with_refinement(refinement);
            for (frame, expected) in (0..FRAMES).zip(expected.chunks(heads.len() * grid.len())) {
                let features = features_of(&fixture, &format!("{name}.{frame}"), grid);
                let tracked = tracker.push(&features).unwrap();
                let off = largest_difference(&wide(&tracked.tracks), expected);
                assert!(off < TOLERANCE && !tracked.is_cut, "{name}, frame {frame}, {part}: {off}");
                assert_eq!(tracked.objects.len(), heads.len());
                let masks = &masks[frame * heads.len() * grid.len()..];
                for (track, mask) in tracked.tracks.chunks(grid.len()).zip(masks.chunks(grid.len())) {
                    let found: Vec<usize> = foreground::above_mean(track).into_iter().map(usize::from).collect();
                    assert!(refinement == Refinement::Off || found == mask, "{name}, frame {frame}");
                }
            }
        }
    }
}

#[test]
fn swapping_heads_only_swaps_objects() {
    let fixture = Fixture::open("track");
    let features = features_of(&fixture, "three.0", grid_of(&fixture, "three"));
    let of = |heads: [usize; 3]| Prototypes::refined_of(&features, &heads).unwrap().values;
    let (there, swapped) = (of([0, 1, 2]), of([1, 0, 2]));
    let width = features.width;
    let back = [&swapped[width..2 * width], &swapped[..width], &swapped[2 * width..]].concat();
    assert!(largest_difference(&wide(&there), &wide(&back)) < 1e-3);
    assert!(
        largest_difference(&wide(&there), &wide(&swapped)) > 1.0,
        "the objects are too similar to detect a swap"
    );
}

/// Swapped keys swap the track's values at their patches. Swapped tokens do not change the prototypes, which are sums
/// over all patches. Swapped queries change the prototypes, because the attention is not swapped.
#[test]
fn swapping_two_patches_is_detected() {
    let fixture = Fixture::open("track");
    let features = features_of(&fixture, "three.0", grid_of(&fixture, "three"));
    let (width, heads) = (features.width, [0, 1, 2]);
    // Patch 0 is outside the objects. Patch 9 is on the left edge of the first object.
    let swapped = |values: &[f32]| {
        let (first, other) = (values[..width].to_vec(), values[9 * width..10 * width].to_vec());
        [&other[..], &values[width..9 * width], &first[..], &values[10 * width..]].concat()
    };
    let prototypes = Prototypes::refined_of(&features, &heads).unwrap();
    let track = tracks::tracks(&prototypes, &features);
    let keys = Features { keys: swapped(&features.keys), ..features.clone() };
    let moved = tracks::tracks(&prototypes, &keys);
    let off = (moved[0] - track[9]).abs().max((moved[9] - track[0]).abs());
    assert!(off < 1e-6 && moved[1..9] == track[1..9] && (track[0] - track[9]).abs() > 1e-3, "{off}");
    let of = |features: &Features| wide(&Prototypes::refined_of(features, &heads).unwrap().values);
    let tokens = Features { tokens: swapped(&features.tokens), ..features.clone() };
    assert!(largest_difference(&of(&tokens), &wide(&prototypes.values)) < 1e-3);
    let queries = Features { queries: swapped(&features.queries), ..features.clone() };
    assert!(
        largest_difference(&of(&queries), &wide(&prototypes.values)) > 1e-2,
        "swapped queries did not change the prototypes"
    );
}
