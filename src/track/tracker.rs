//! Objects through a whole video, frame by frame.

use serde::{Deserialize, Serialize};

use super::prototypes::check_heads;
use super::scene::{self, CutDetector};
use super::vectors::unit_tokens;
use super::{Prototypes, Refinement, TrackError, tracks};
use crate::model::Features;

/// An object's number, the same in every scene that it is found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(pub usize);

/// Where the objects are in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFrame {
    /// `[object][patch]`, each summing to 1.
    pub tracks: Vec<f32>,
    /// Which object each track is of.
    pub objects: Vec<ObjectId>,
    /// A new scene begins here, and objects were looked for anew. The first frame is no cut.
    pub is_cut: bool,
}

/// Follows the objects that the chosen heads find, one an object, through the frames that it is given.
///
/// Objects are discovered in the first frame and again after each cut ([`scene`]). For other heads make another
/// tracker and push the stored features again: that takes no encoder.
#[derive(Clone, Debug)]
pub struct Tracker {
    heads: Vec<usize>,
    /// [`Refinement::Auto`] until the first frame has told.
    refinement: Refinement,
    cuts: CutDetector,
    scene: Option<Scene>,
    /// Signatures of all objects so far, by number, as they were last discovered.
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
    /// `heads` are the last layer's; [`super::prototypes::concentrated_heads`] proposes some.
    pub fn new(heads: Vec<usize>) -> Self {
        Self {
            heads,
            refinement: Refinement::default(),
            cuts: CutDetector::default(),
            scene: None,
            known: Vec::new(),
        }
    }

    /// The same with prototypes refined, or not, whatever the model.
    #[must_use]
    pub fn with_refinement(self, refinement: Refinement) -> Self {
        Self { refinement, ..self }
    }

    /// Whether prototypes are refined; after the first frame never [`Refinement::Auto`].
    pub fn refinement(&self) -> Refinement {
        self.refinement
    }

    /// Takes the next frame.
    ///
    /// # Errors
    /// [`TrackError::NoHeads`], [`TrackError::NoHead`]; [`TrackError::OtherModel`] where the features are not of the
    /// earlier frames' width.
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
                if self.cuts.is_cut(scene::likeness(&scene.last, &units, found)) {
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

    /// Begins a scene: discovers its objects, and recognises those that were known.
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
