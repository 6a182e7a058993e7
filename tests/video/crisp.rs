//! Tracks and propagated masks of the default model, as the model sees them and with the edges of the frames.

use headlamp::edges::EdgeGuide;
use headlamp::foreground;
use headlamp::media::{self, Photo};
use headlamp::metrics::davis::boundary;
use headlamp::session::PhotoFeatures;
use headlamp::track::prototypes::concentrated_heads;
use headlamp::track::{PropagateOptions, Propagator, SoftMasks, Tracker};

use crate::clips::Clip;
use crate::{clips, features, j, mean};

const SHORT_SIDE: usize = 308;

/// J and F of masks as the model sees them, and of masks with the frames' edges.
#[derive(Default)]
struct Measures {
    raw_j: Vec<f64>,
    raw_f: Vec<f64>,
    j: Vec<f64>,
    f: Vec<f64>,
}

impl Measures {
    fn push(&mut self, raw: &[bool], refined: &[bool], labels: &[u8], shape: u8, photo: &Photo) {
        let labelled: Vec<bool> = labels.iter().map(|label| *label == shape).collect();
        let none = vec![false; labelled.len()];
        let of =
            |mask: &[bool]| (j(mask.iter().copied(), labels, shape), boundary(mask, &labelled, &none, photo.size));
        let ((raw_j, raw_f), (j, f)) = (of(raw), of(refined));
        self.raw_j.push(raw_j);
        self.raw_f.push(raw_f);
        self.j.push(j);
        self.f.push(f);
    }

    fn print(&self, what: &str) -> [f64; 4] {
        let means = [&self.raw_j, &self.j, &self.raw_f, &self.f].map(|values| mean(values));
        let [raw_j, j, raw_f, f] = means;
        println!("{what}: J {raw_j:.3}, with edges {j:.3}; F {raw_f:.3}, with edges {f:.3}");
        means
    }
}

fn guide(photo: &Photo, frame: &PhotoFeatures) -> EdgeGuide {
    media::edge_guide(photo, &frame.frame).unwrap()
}

fn propagated(measures: &mut Measures, clip: &Clip, frames: &[PhotoFeatures]) {
    let mut propagator = Propagator::new(PropagateOptions::default());
    let seed = SoftMasks::of_pixels(&clip.labels[0], &frames[0].frame);
    propagator.seed(0, &frames[0].features, seed).unwrap();
    for ((frame, photo), labels) in frames.iter().zip(&clip.frames).zip(&clip.labels).skip(1) {
        let masks = propagator.push(&frame.features).unwrap();
        let raw = masks.labels_in_photo(&frame.frame);
        let refined = masks.refined(&guide(photo, frame)).labels_in_photo(&frame.frame);
        for shape in [1, 2] {
            let of = |labels: &[u8]| labels.iter().map(|label| *label == shape).collect::<Vec<bool>>();
            measures.push(&of(&raw), &of(&refined), labels, shape, photo);
        }
    }
}

/// For each shape, the track that fits it best as the model sees it.
fn tracked(measures: &mut Measures, clip: &Clip, frames: &[PhotoFeatures]) {
    let mut tracker = Tracker::new(concentrated_heads(&frames[0].features, 3));
    let tracks: Vec<Vec<f32>> = frames.iter().map(|frame| tracker.push(&frame.features).unwrap().tracks).collect();
    let patches = frames[0].features.grid.len();
    let track = |frame: usize, object: usize| &tracks[frame][object * patches..][..patches];
    let raw = |frame: usize, object: usize| {
        foreground::in_photo(&foreground::above_mean(track(frame, object)), &frames[frame].frame)
    };
    for shape in [1, 2] {
        let fit = |object: usize| {
            let of_frame = |frame: usize| j(raw(frame, object).into_iter(), &clip.labels[frame], shape);
            mean(&(0..frames.len()).map(of_frame).collect::<Vec<_>>())
        };
        let best = (0..tracks[0].len() / patches).max_by(|a, b| fit(*a).total_cmp(&fit(*b))).unwrap();
        for (frame, photo) in clip.frames.iter().enumerate() {
            let refined = guide(photo, &frames[frame]).track_in_photo(track(frame, best));
            measures.push(&raw(frame, best), &refined, &clip.labels[frame], shape, photo);
        }
    }
}

#[test]
fn the_frames_edges_improve_masks_and_tracks() {
    let (mut masks, mut tracks) = (Measures::default(), Measures::default());
    for clip in clips() {
        let frames = features(&clip.frames, SHORT_SIDE);
        propagated(&mut masks, clip, &frames);
        tracked(&mut tracks, clip, &frames);
    }
    let [raw_j, j, raw_f, f] = masks.print("propagated masks");
    assert!(j > raw_j && f > raw_f, "propagated masks: J {raw_j} becomes {j}, F {raw_f} becomes {f}");
    let [raw_j, j, raw_f, f] = tracks.print("tracks");
    assert!(j > raw_j && f > raw_f, "tracks: J {raw_j} becomes {j}, F {raw_f} becomes {f}");
}
