//! What the model made of a video's frames, and what follows from it without running the model again: tracks
//! of other heads, scores of phrases, statistics of heads.

use half::f16;

use crate::decompose::{Direction, Readout};
use crate::foreground;
use crate::geometry::{CropFromPhoto, Framing, Grid};
use crate::media::Photo;
use crate::protocol::sampling::Sampling;
use crate::retrieve::Imprint;
use crate::session::{EngineError, Featured, Session, Traced};
use crate::statistics::Statistics;
use crate::track::{Features, ObjectId, TrackError, TrackedFrame, Tracker, prototypes};

/// How many objects are looked for, unless the user says which heads.
pub const OBJECTS: usize = 3;

/// Features in 16 bits: what is kept of a frame.
#[derive(Clone, Debug)]
pub struct KeptFeatures {
    grid: Grid,
    width: usize,
    heads: usize,
    cls_attention: Vec<f32>,
    queries: Vec<f16>,
    keys: Vec<f16>,
    tokens: Vec<f16>,
}

impl KeptFeatures {
    pub fn of(features: &Features) -> Self {
        let half = |values: &[f32]| values.iter().map(|value| f16::from_f32(*value)).collect();
        Self {
            grid: features.grid,
            width: features.width,
            heads: features.heads,
            cls_attention: features.cls_attention.clone(),
            queries: half(&features.queries),
            keys: half(&features.keys),
            tokens: half(&features.tokens),
        }
    }

    pub fn features(&self) -> Features {
        let single = |values: &[f16]| values.iter().map(|value| value.to_f32()).collect();
        Features {
            grid: self.grid,
            width: self.width,
            heads: self.heads,
            cls_attention: self.cls_attention.clone(),
            queries: single(&self.queries),
            keys: single(&self.keys),
            tokens: single(&self.tokens),
        }
    }
}

/// One frame, looked at.
pub struct StudiedFrame {
    /// Among the sampled frames.
    pub index: usize,
    pub frame: CropFromPhoto,
    pub kept: KeptFeatures,
    pub tracked: TrackedFrame,
    /// What every component left: phrases' scores follow from it.
    imprint: Imprint,
}

impl StudiedFrame {
    /// Last-block CLS attention, `[head][patch]`.
    pub fn attention(&self) -> &[f32] {
        &self.kept.cls_attention
    }
}

/// The frames of one video, as far as they have been looked at.
pub struct Study {
    pub sampling: Sampling,
    /// Heads of the last block whose objects are tracked; empty before the first frame.
    pub heads: Vec<usize>,
    pub frames: Vec<StudiedFrame>,
    tracker: Tracker,
    statistics: Statistics,
}

/// What a text says of a region beyond the rest of its frame.
pub type RegionScores = Vec<(usize, f32)>;

impl Study {
    /// Nothing is known yet. `heads`: those to track; empty for the most concentrated of the first frame.
    pub fn new(session: &Session, sampling: Sampling, heads: Vec<usize>) -> Self {
        let tracker = Tracker::new(heads.clone());
        Self { sampling, heads, frames: Vec::new(), tracker, statistics: session.new_statistics() }
    }

    /// The frame `index`, if it has been looked at.
    pub fn frame(&self, index: usize) -> Option<&StudiedFrame> {
        self.frames.iter().find(|frame| frame.index == index)
    }

    /// Takes the next frame in: tracks objects to it, and keeps what later questions need.
    ///
    /// # Errors
    /// Where the frame cannot be tracked.
    pub fn push(
        &mut self,
        session: &Session,
        index: usize,
        traced: &Traced,
        features: &Features,
    ) -> Result<&StudiedFrame, TrackError> {
        let kept = KeptFeatures::of(features);
        // Tracked as it is kept, so that tracking again gives the same.
        let features = kept.features();
        if self.heads.is_empty() {
            self.heads = prototypes::concentrated_heads(&features, OBJECTS);
            self.tracker = Tracker::new(self.heads.clone());
        }
        let tracked = self.tracker.push(&features)?;
        let decomposition = session.decompose(traced);
        self.statistics.push(&decomposition);
        let imprint = Imprint::of(&decomposition, &session.model().readout);
        let frame = StudiedFrame { index, frame: traced.frame, kept, tracked, imprint };
        self.frames.push(frame);
        let last = self.frames.len() - 1;
        Ok(&self.frames[last])
    }

    /// Tracks the objects of other heads through the frames at hand.
    ///
    /// # Errors
    /// Where there is no such head; everything stays as it was.
    pub fn retrack(&mut self, heads: Vec<usize>) -> Result<(), TrackError> {
        let mut tracker = Tracker::new(heads.clone());
        let tracked: Result<Vec<TrackedFrame>, TrackError> =
            self.frames.iter().map(|frame| tracker.push(&frame.kept.features())).collect();
        for (frame, tracked) in self.frames.iter_mut().zip(tracked?) {
            frame.tracked = tracked;
        }
        self.tracker = tracker;
        self.heads = heads;
        Ok(())
    }

    /// Cosines of texts (unit vectors) with the frames, `[text][frame]`.
    pub fn scores(&self, units: &[Vec<f32>]) -> Vec<f32> {
        let score = |unit: &Vec<f32>, frame: &StudiedFrame| frame.imprint.score(unit) as f32;
        units.iter().flat_map(|unit| self.frames.iter().map(move |frame| score(unit, frame))).collect()
    }

    /// Every head's part in a text's cosines, `[layer][head][frame]`.
    pub fn parts(&self, readout: &Readout, direction: &Direction) -> Vec<f32> {
        let part = |(layer, head): (usize, usize), frame: &StudiedFrame| {
            readout.code_part(direction, layer, head, &frame.imprint.code(readout, layer, head)) as f32
        };
        each_head(readout).flat_map(|head| self.frames.iter().map(move |frame| part(head, frame))).collect()
    }

    /// The moments of the heads over the frames at hand.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Each object with the frame on which its track is most concentrated: (object, sampled frame).
    pub fn tellings(&self) -> Vec<(ObjectId, usize)> {
        let mut best: Vec<(ObjectId, usize, f32)> = Vec::new();
        for frame in &self.frames {
            let patches = frame.frame.grid().len();
            for (object, track) in frame.tracked.objects.iter().zip(frame.tracked.tracks.chunks(patches)) {
                let peak = track.iter().copied().fold(0.0, f32::max);
                match best.iter_mut().find(|(known, ..)| known == object) {
                    Some(known) if known.2 >= peak => {}
                    Some(known) => *known = (*object, frame.index, peak),
                    None => best.push((*object, frame.index, peak)),
                }
            }
        }
        best.into_iter().map(|(object, index, _peak)| (object, index)).collect()
    }

    /// What one object's patches on a frame add to the frame's embedding beyond what as many of its other
    /// patches do on average, `[embedding]`: its inner product with a text says how much more the text is
    /// true of the object than of what is around it. None where the object is not on the frame, or all of it.
    pub fn object_vector(
        &self,
        session: &Session,
        traced: &Traced,
        index: usize,
        object: ObjectId,
    ) -> Option<Vec<f64>> {
        let frame = self.frame(index)?;
        let patches = frame.frame.grid().len();
        let place = frame.tracked.objects.iter().position(|known| *known == object)?;
        let track = frame.tracked.tracks.get(place * patches..(place + 1) * patches)?;
        let mask = foreground::above_mean(track);
        let inside = mask.iter().filter(|is_in| **is_in).count();
        if inside == 0 || inside == patches || traced.trace.grid != frame.frame.grid() {
            return None;
        }
        let outside = -(inside as f32) / (patches - inside) as f32;
        let weights: Vec<f32> = mask.iter().map(|is_in| if *is_in { 1.0 } else { outside }).collect();
        Some(session.decompose(traced).region(&weights))
    }
}

/// The texts, of unit embeddings `[text][embedding]`, that score highest with a vector: text and score.
pub fn best_texts(vector: &[f64], embeddings: &[f32], count: usize) -> RegionScores {
    let score = |text: &[f32]| text.iter().zip(vector).map(|(a, b)| f64::from(*a) * b).sum::<f64>() as f32;
    let mut scored: RegionScores = embeddings.chunks(vector.len().max(1)).map(score).enumerate().collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(count);
    scored
}

fn each_head(readout: &Readout) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (layers, heads) = (readout.layers, readout.heads);
    (0..layers).flat_map(move |layer| (0..heads).map(move |head| (layer, head)))
}

/// A frame's features at the resolution of a propagation.
///
/// # Errors
/// Where the device fails.
pub async fn fine_features(session: &Session, photo: &Photo, short_side: usize) -> Result<Featured, EngineError> {
    session.features(photo, Framing::Frame { short_side }).await
}
