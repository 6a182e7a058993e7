//! Tracks objects through a video, frame by frame (docs/PAPERS.md, 2.1).

use serde::{Deserialize, Serialize};

use super::error::TrackError;
use super::features::Features;
use super::prototypes::{Prototypes, check_heads};
use super::refinement::Refinement;
use super::scene::{self, CutDetector};
use super::tracks;
use super::vectors::unit_tokens;

/// The number of an object. An object keeps its number in every scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(pub usize);

/// The objects in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFrame {
    /// `[object][patch]`. Each track sums to 1.
    pub tracks: Vec<f32>,
    /// The object of each track.
    pub objects: Vec<ObjectId>,
    /// Whether this frame begins a new scene, in which the objects were discovered again. False for the first
    /// frame.
    pub is_cut: bool,
}

/// Follows the objects of the chosen heads, one object for each head, through the frames that are pushed.
///
/// Objects are discovered in the first frame and after each cut ([`scene`]). For other heads, make a new tracker
/// and push the stored features again. This does not run the encoder.
#[derive(Clone, Debug)]
pub struct Tracker {
    heads: Vec<usize>,
    /// [`Refinement::Auto`] until the first frame decides.
    refinement: Refinement,
    cuts: CutDetector,
    scene: Option<Scene>,
    /// Signatures of all objects so far, by number, from their last discovery.
    known: Vec<Vec<f32>>,
}

#[derive(Clone, Debug)]
struct Scene {
    prototypes: Prototypes,
    objects: Vec<ObjectId>,
    /// Unit tokens of the last frame, `[patch][width]`.
    last: Vec<f32>,
}

impl Tracker {
    /// Creates a tracker for `heads` of the last layer. [`super::prototypes::concentrated_heads`] proposes heads.
    pub fn new(heads: Vec<usize>) -> Self {
        Self {
            heads,
            refinement: Refinement::default(),
            cuts: CutDetector::default(),
            scene: None,
            known: Vec::new(),
        }
    }

    /// Sets whether prototypes are refined. The choice then does not depend on the model.
    #[must_use]
    pub fn with_refinement(self, refinement: Refinement) -> Self {
        Self { refinement, ..self }
    }

    /// Returns whether prototypes are refined. Never [`Refinement::Auto`] after the first frame.
    pub fn refinement(&self) -> Refinement {
        self.refinement
    }

    /// Tracks the objects in the next frame.
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`]; [`TrackError::OtherModel`] when the features have another
    /// width than those of earlier frames.
    pub fn push(&mut self, features: &Features) -> Result<TrackedFrame, TrackError> {
        check_heads(&self.heads, features.heads)?;
        let units = unit_tokens(features);
        let (scene, is_cut) = match self.scene.take() {
            None => (self.discover(features, units)?, false),
            Some(scene) => {
                let (found, expected) = (features.width, scene.prototypes.width);
                if found != expected {
                    self.scene = Some(scene);
                    return Err(TrackError::OtherModel { found, expected });
                }
                if self.cuts.is_cut(scene::similarity(&scene.last, &units, found)) {
                    (self.discover(features, units)?, true)
                } else {
                    (Scene { last: units, ..scene }, false)
                }
            }
        };
        let tracks = tracks::tracks(&scene.prototypes, features);
        let objects = scene.objects.clone();
        self.scene = Some(scene);
        Ok(TrackedFrame { tracks, objects, is_cut })
    }

    /// Begins a scene: discovers its objects, and recognises known objects.
    fn discover(&mut self, features: &Features, units: Vec<f32>) -> Result<Scene, TrackError> {
        self.refinement = self.refinement.in_frame(features, &self.heads)?;
        let prototypes = Prototypes::discover(features, &self.heads, self.refinement)?;
        let signatures = scene::signatures(&tracks::tracks(&prototypes, features), &units, features.width);
        let known: Vec<&[f32]> = self.known.iter().map(Vec::as_slice).collect();
        let matches = scene::matched(&signatures, &known, scene::SAME_FROM);
        let mut objects = Vec::with_capacity(signatures.len());
        for (signature, matched) in signatures.into_iter().zip(matches) {
            match matched {
                Some(place) => {
                    self.known[place] = signature;
                    objects.push(ObjectId(place));
                }
                None => {
                    objects.push(ObjectId(self.known.len()));
                    self.known.push(signature);
                }
            }
        }
        Ok(Scene { prototypes, objects, last: units })
    }
}
