//! Prototypes, their assignment, tracks and masks.

use headlamp::foreground;
use headlamp::model::Features;
use headlamp::track::prototypes::Prototypes;
use headlamp::track::{Refinement, Tracker, sinkhorn, tracks};

use crate::{TOLERANCE, features_of, grid_of, wide};
use test_support::reference::{Fixture, apart};

/// Cases of the fixture: three heads of six, two in another order on another grid, all.
const CASES: [&str; 3] = ["three", "mixed", "all"];
const FRAMES: usize = 3;

/// The unit tokens, here by way of f64.
fn units(tokens: &[f32], width: usize) -> Vec<f32> {
    let unit = |token: &[f32]| {
        let length = token.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        token.iter().map(|value| (f64::from(*value) / length) as f32).collect::<Vec<f32>>()
    };
    tokens.chunks(width).flat_map(unit).collect()
}

#[test]
fn prototypes_and_their_assignment_are_the_references() {
    let fixture = Fixture::open("track");
    for name in CASES {
        let expected = |part: &str| fixture.values(&format!("{name}.{part}"));
        let features = features_of(&fixture, &format!("{name}.0"), grid_of(&fixture, name));
        let heads = fixture.counts(&format!("{name}.heads"));
        let first = Prototypes::of_heads(&features, &heads);
        let off = apart(&wide(&first.values), &expected("prototypes"));
        assert!(off < TOLERANCE, "{name}: prototypes {off}");
        let logits = first.logits(&units(&features.tokens, features.width));
        let assignment = sinkhorn::assign(&logits, heads.len(), sinkhorn::TEMPERATURE, sinkhorn::ITERATIONS);
        // A logit's rounding error is divided by the temperature.
        let off = apart(&assignment, &expected("assignment"));
        assert!(off < 1e-4, "{name}: assignment {off}");
        // Of vectors some 60 long.
        let refined = Prototypes::refined_of(&features, &heads).unwrap();
        let off = apart(&wide(&refined.values), &expected("refined"));
        assert!(off < 1e-3, "{name}: refined {off}");
    }
}

#[test]
fn tracks_and_masks_are_the_references_in_every_frame() {
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
                let off = apart(&wide(&tracked.tracks), expected);
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
fn swapped_heads_swap_objects_and_nothing_else() {
    let fixture = Fixture::open("track");
    let features = features_of(&fixture, "three.0", grid_of(&fixture, "three"));
    let of = |heads: [usize; 3]| Prototypes::refined_of(&features, &heads).unwrap().values;
    let (there, swapped) = (of([0, 1, 2]), of([1, 0, 2]));
    let width = features.width;
    let back = [&swapped[width..2 * width], &swapped[..width], &swapped[2 * width..]].concat();
    assert!(apart(&wide(&there), &wide(&back)) < 1e-3);
    assert!(apart(&wide(&there), &wide(&swapped)) > 1.0, "objects are too alike to tell a swap");
}

/// A key in another's place takes its share of the track with it; a token does not, as prototypes are sums over
/// all patches; a query does, as the attention stays where it is.
#[test]
fn a_patch_in_anothers_place_shows() {
    let fixture = Fixture::open("track");
    let features = features_of(&fixture, "three.0", grid_of(&fixture, "three"));
    let (width, heads) = (features.width, [0, 1, 2]);
    // Patch 0 lies around the objects, patch 9 on the first one's left edge.
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
    assert!(apart(&of(&tokens), &wide(&prototypes.values)) < 1e-3);
    let queries = Features { queries: swapped(&features.queries), ..features.clone() };
    assert!(apart(&of(&queries), &wide(&prototypes.values)) > 1e-2, "swapped queries change nothing");
}
