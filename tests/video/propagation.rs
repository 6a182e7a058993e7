//! The masks of the first frame propagated forward through the clips, and the masks of the last frame backward.

use headlamp::foreground;
use headlamp::session::PhotoFeatures;
use headlamp::track::{PropagateOptions, Propagator, SoftMasks, seeds};

use crate::clips::Clip;
use crate::{FRAMES, SIZE, clips, j, mean, photo_clips, session, tokens_after};

/// 22 patches. DAVIS's 480 pixels would be finer and slower.
const SHORT_SIDE: usize = 308;
/// The short side that the page begins with.
const PAGE_SHORT_SIDE: usize = 224;

/// Returns J of each shape in each frame of `order` except the first frame, whose masks are the seed.
fn carried(clip: &Clip, frames: &[PhotoFeatures], order: &[usize]) -> Vec<f64> {
    let mut propagator = Propagator::new(PropagateOptions::default());
    let seed = &frames[order[0]];
    let masks = SoftMasks::of_pixels(&clip.labels[order[0]], &seed.frame);
    propagator.seed(order[0], &seed.features, masks).unwrap();
    let of_frame = |frame: &usize| {
        let masks = propagator.push(&frames[*frame].features).unwrap();
        let labels = masks.labels_in_photo(&frames[*frame].frame);
        [1, 2].map(|shape| j(labels.iter().map(|label| *label == shape), &clip.labels[*frame], shape))
    };
    order[1..].iter().flat_map(of_frame).collect()
}

fn copied(clip: &Clip) -> Vec<f64> {
    let first = &clip.labels[0];
    let of_frame = |frame: usize| {
        [1, 2].map(|shape| j(first.iter().map(|label| *label == shape), &clip.labels[frame], shape))
    };
    (1..FRAMES).flat_map(of_frame).collect()
}

/// Mean J over all shapes and clips.
struct Figures {
    forward: f64,
    backward: f64,
}

/// Returns the figures of the features after `layer`, and prints those of each clip.
fn figures(clips: &[Clip], short_side: usize, layer: usize) -> Figures {
    let forwards: Vec<usize> = (0..FRAMES).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for clip in clips {
        let frames = tokens_after(&clip.frames, short_side, layer);
        let [one, two] = [&forwards, &backwards].map(|order| carried(clip, &frames, order));
        println!("layer {layer}, {}: J {:.3}, backwards {:.3}", clip.name, mean(&one), mean(&two));
        there.extend(one);
        back.extend(two);
    }
    let figures = Figures { forward: mean(&there), backward: mean(&back) };
    println!("layer {layer}, all: J {:.3}, backwards {:.3}", figures.forward, figures.backward);
    figures
}

#[test]
fn masks_follow_the_shapes_forward_and_backward() {
    let of_clips: Vec<Vec<f64>> = clips().iter().map(copied).collect();
    for (clip, copied) in clips().iter().zip(&of_clips) {
        println!("{}: J of a copy of the first mask {:.3}", clip.name, mean(copied));
    }
    let copy = mean(&of_clips.concat());
    let Figures { forward, backward } = figures(clips(), SHORT_SIDE, session().manifest().propagation_layer());
    println!("J {forward:.3}, backwards {backward:.3}, copying the first mask {copy:.3}");
    assert!(forward >= 0.8 && forward >= copy + 0.2, "J {forward}, copying {copy}");
    assert!(backward >= 0.8, "backwards J {backward}");
}

/// Shapes that are painted with photos, by the chosen layer. The last layer is printed for comparison.
#[test]
fn masks_follow_shapes_that_are_painted_with_photos() {
    let (manifest, last) = (session().manifest(), session().model().config.vision.layers - 1);
    let clips = photo_clips();
    let [chosen, _last] =
        [manifest.propagation_layer(), last].map(|layer| figures(&clips, PAGE_SHORT_SIDE, layer));
    assert!(chosen.forward >= 0.75, "J {}", chosen.forward);
    assert!(chosen.backward >= 0.75, "backwards J {}", chosen.backward);
}

/// Returns the mean place of a shape's pixels.
fn middle_of(labels: &[u8], shape: u8) -> (f64, f64) {
    let pixels = labels.iter().enumerate().filter(|(_, label)| **label == shape).map(|(at, _)| at);
    let places: Vec<(f64, f64)> = pixels.map(|at| ((at % SIZE.width) as f64, (at / SIZE.width) as f64)).collect();
    let sum = places.iter().fold((0.0, 0.0), |sum, place| (sum.0 + place.0, sum.1 + place.1));
    (sum.0 / places.len() as f64, sum.1 / places.len() as f64)
}

/// Returns the mean J of the masks that a point in the middle of each shape selects on the first frame.
fn selected_by_points(clips: &[Clip], layer: usize) -> f64 {
    let of_clip = |clip: &Clip| {
        let frame = &tokens_after(&clip.frames[..1], PAGE_SHORT_SIDE, layer)[0];
        [1, 2].map(|shape| {
            let (x, y) = middle_of(&clip.labels[0], shape);
            let (column, row) = frame.frame.grid_from_photo(x, y);
            let patch = row as usize * frame.features.grid.columns + column as usize;
            let mask = foreground::in_photo(&seeds::at_point(&frame.features, patch), &frame.frame);
            let found = j(mask.into_iter(), &clip.labels[0], shape);
            println!("layer {layer}, {}, shape {shape}: J {found:.3} from a point", clip.name);
            found
        })
    };
    mean(&clips.iter().flat_map(of_clip).collect::<Vec<_>>())
}

#[test]
fn a_point_selects_the_shape_that_it_lies_in() {
    let layer = session().manifest().propagation_layer();
    for (paint, clips) in [("textures", &clips()[..]), ("photos", &photo_clips())] {
        let found = selected_by_points(clips, layer);
        println!("{paint}: J {found:.3} from points");
        assert!(found >= 0.5, "{paint}: J {found}");
    }
}
