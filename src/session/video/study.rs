//! The results of the model for a video's frames, and everything that can be computed from these results without
//! running the model again: tracks of other heads, scores of phrases, statistics of heads.

use half::f16;

use crate::decompose::{Direction, Readout};
use crate::foreground;
use crate::geometry::{CropFromPhoto, Framing, Grid};
use crate::media::Photo;
use crate::protocol::sampling::Sampling;
use crate::retrieve::PictureCodes;
use crate::session::{PhotoFeatures, Session, SessionError, Traced};
use crate::statistics::Statistics;
use crate::track::{Features, ObjectId, TrackError, TrackedFrame, Tracker, prototypes};

/// The number of objects to discover, unless the person chooses heads.
pub const OBJECTS: usize = 3;

/// A frame's features, stored in 16 bits.
#[derive(Clone, Debug)]
pub struct StoredFeatures {
    grid: Grid,
    width: usize,
    heads: usize,
    cls_attention: Vec<f32>,
    queries: Vec<f16>,
    keys: Vec<f16>,
    tokens: Vec<f16>,
}

impl StoredFeatures {
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

/// The results for one frame.
pub struct StudiedFrame {
    /// The index among the sampled frames.
    pub index: usize,
    pub frame: CropFromPhoto,
    pub stored: StoredFeatures,
    pub tracked: TrackedFrame,
    /// The parts of the embedding, from which the scores of phrases are computed.
    codes: PictureCodes,
}

impl StudiedFrame {
    /// Returns the CLS attention of the last block, `[head][patch]`.
    pub fn attention(&self) -> &[f32] {
        &self.stored.cls_attention
    }
}

/// The results for the frames of one video that are done.
pub struct Study {
    pub sampling: Sampling,
    /// The heads of the last block whose objects are tracked; empty before the first frame.
    pub heads: Vec<usize>,
    pub frames: Vec<StudiedFrame>,
    tracker: Tracker,
    statistics: Statistics,
}

/// Texts, by their index, with their scores for a region.
pub type RegionScores = Vec<(usize, f32)>;

impl Study {
    /// Creates a study without frames. `heads` are the heads to track; if empty, the most concentrated heads of the first
    /// frame are chosen.
    pub fn new(session: &Session, sampling: Sampling, heads: Vec<usize>) -> Self {
        let tracker = Tracker::new(heads.clone());
        Self { sampling, heads, frames: Vec::new(), tracker, statistics: session.new_statistics() }
    }

    /// Returns the sampled frame `index`, if it is done.
    pub fn frame(&self, index: usize) -> Option<&StudiedFrame> {
        self.frames.iter().find(|frame| frame.index == index)
    }

    /// Adds the next frame: tracks the objects to this frame, and stores the results that later requests need.
    ///
    /// # Errors
    /// If the frame cannot be tracked.
    pub fn push(
        &mut self,
        session: &Session,
        index: usize,
        traced: &Traced,
        features: &Features,
    ) -> Result<&StudiedFrame, TrackError> {
        let stored = StoredFeatures::of(features);
        // Tracks the stored features, so that tracking again gives the same result.
        let features = stored.features();
        if self.heads.is_empty() {
            self.heads = prototypes::concentrated_heads(&features, OBJECTS);
            self.tracker = Tracker::new(self.heads.clone());
        }
        let tracked = self.tracker.push(&features)?;
        let decomposition = session.decompose(traced);
        self.statistics.push(&decomposition);
        let codes = PictureCodes::of(&decomposition, &session.model().readout);
        let frame = StudiedFrame { index, frame: traced.frame, stored, tracked, codes };
        self.frames.push(frame);
        let last = self.frames.len() - 1;
        Ok(&self.frames[last])
    }

    /// Tracks the objects of other heads through the frames that are done.
    ///
    /// # Errors
    /// If there is no such head; the study stays unchanged.
    pub fn retrack(&mut self, heads: Vec<usize>) -> Result<(), TrackError> {
        let mut tracker = Tracker::new(heads.clone());
        let tracked: Result<Vec<TrackedFrame>, TrackError> =
            self.frames.iter().map(|frame| tracker.push(&frame.stored.features())).collect();
        for (frame, tracked) in self.frames.iter_mut().zip(tracked?) {
            frame.tracked = tracked;
        }
        self.tracker = tracker;
        self.heads = heads;
        Ok(())
    }

    /// Returns the cosines of texts (unit vectors) with the frames, `[text][frame]`.
    pub fn scores(&self, units: &[Vec<f32>]) -> Vec<f32> {
        self.on_every_frame(units.iter(), |unit, codes| codes.score(unit))
    }

    /// Returns every head's part in a text's cosines, `[layer][head][frame]`.
    pub fn parts(&self, readout: &Readout, direction: &Direction) -> Vec<f32> {
        self.on_every_frame(each_head(readout), |(layer, head), codes| {
            readout.code_part(direction, layer, head, &codes.code(readout, layer, head))
        })
    }

    /// Computes a value of every item on every frame, `[item][frame]`.
    fn on_every_frame<T: Copy>(
        &self,
        items: impl Iterator<Item = T>,
        value: impl Fn(T, &PictureCodes) -> f64,
    ) -> Vec<f32> {
        items
            .flat_map(|item| self.frames.iter().map(move |frame| (item, frame)))
            .map(|(item, frame)| value(item, &frame.codes) as f32)
            .collect()
    }

    /// Returns the statistics of the heads over the frames that are done.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Returns each object with the sampled frame on which its track has the highest peak.
    pub fn clearest_frames(&self) -> Vec<(ObjectId, usize)> {
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

    /// Returns the contribution of an object's patches to the frame's embedding, minus the average contribution of the
    /// same number of other patches, `[embedding]`. The inner product of this vector with a text says how much better
    /// the text describes the object than the surroundings. Returns `None` if the object is absent, or covers the
    /// whole frame.
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

/// Returns the texts that score highest with a vector. `embeddings` are unit vectors, `[text][embedding]`.
pub fn best_texts(vector: &[f64], embeddings: &[f32], count: usize) -> RegionScores {
    let score = |text: &[f32]| text.iter().zip(vector).map(|(a, b)| f64::from(*a) * b).sum::<f64>() as f32;
    let mut scored: RegionScores = embeddings.chunks(vector.len().max(1)).map(score).enumerate().collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(count);
    scored
}

/// Returns all (layer, head) pairs.
fn each_head(readout: &Readout) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (layers, heads) = (readout.layers, readout.heads);
    (0..layers).flat_map(move |layer| (0..heads).map(move |head| (layer, head)))
}

/// Computes a frame's features at the resolution of a propagation, after the block that the pack chooses.
///
/// # Errors
/// If the device fails.
pub async fn fine_features(
    session: &Session,
    photo: &Photo,
    short_side: usize,
) -> Result<PhotoFeatures, SessionError> {
    let layer = session.manifest().propagation_layer();
    session.tokens_after(photo, Framing::Frame { short_side }, layer).await
}
