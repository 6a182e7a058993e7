//! The masks of the first frame propagated forward through the clips, and the masks of the last frame backward.

use headlamp::session::Featured;
use headlamp::track::{PropagateOptions, Propagator, SoftMasks};

use crate::clips::Clip;
use crate::{FRAMES, clips, j, mean, session, tokens_after};

/// 22 patches. DAVIS's 480 pixels would be finer and slower.
const SHORT_SIDE: usize = 308;

/// Returns J of each shape in each frame of `order` except the first frame, whose masks are the seed.
fn carried(clip: &Clip, frames: &[Featured], order: &[usize]) -> Vec<f64> {
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
fn figures(layer: usize) -> Figures {
    let forwards: Vec<usize> = (0..FRAMES).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for clip in clips() {
        let frames = tokens_after(&clip.frames, SHORT_SIDE, layer);
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
    let Figures { forward, backward } = figures(session().manifest().propagation_layer());
    println!("J {forward:.3}, backwards {backward:.3}, copying the first mask {copy:.3}");
    assert!(forward >= 0.8 && forward >= copy + 0.2, "J {forward}, copying {copy}");
    assert!(backward >= 0.8, "backwards J {backward}");
}

/// The reason why the default pack chooses a layer.
#[test]
fn the_chosen_layer_carries_masks_better_than_the_last() {
    let (manifest, last) = (session().manifest(), session().model().config.vision.layers - 1);
    let [chosen, last] = [manifest.propagation_layer(), last].map(figures);
    assert!(chosen.forward > last.forward, "J {} and {}", chosen.forward, last.forward);
    assert!(chosen.backward > last.backward, "backwards J {} and {}", chosen.backward, last.backward);
}
