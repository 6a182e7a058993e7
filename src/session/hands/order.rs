//! What the engine and its hands tell each other, and a picture's way through the tower as a list of arrays.

use serde::{Deserialize, Serialize};

use crate::checkpoint::PackFile;
use crate::decompose::{Trace, TracedLayer};
use crate::geometry::{Grid, Size};
use crate::model::{Crop, ModelError, VisionConfig, VisionTransformer};
use crate::track::Features;

/// What a hand is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Take the image tower out of a kept pack. Report: [`Report::Ready`] or [`Report::Unable`].
    Learn(Lesson),
    /// Run the tower over the crop of this size whose floats are buffer 0. Report: [`Report::Done`].
    Run { order: u32, size: Size, wants_patches: bool },
}

/// An image tower, and where its weights are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// The pack's, as the shelf knows it.
    pub folder: String,
    pub weights: PackFile,
    pub vision: VisionConfig,
    pub embedding: usize,
}

/// What a hand says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// It hears from now on: browsers drop what is posted to a module worker before.
    Listening,
    /// It has the tower.
    Ready,
    /// It cannot get the tower, and is of no use.
    Unable,
    /// It had nothing to do for long, and goes.
    Gone,
    /// Buffers: the arrays of a [`Seen`].
    Done { order: u32, shape: Shape },
}

/// What the tower made of one crop.
#[derive(Clone, Debug)]
pub struct Seen {
    pub trace: Trace,
    /// Where they were wanted.
    pub features: Option<Features>,
}

/// The numbers of a [`Seen`] beside its arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    grid: Grid,
    tokens: usize,
    leading_tokens: usize,
    layers: usize,
    /// Width and heads of the features, where there are any.
    features: Option<(usize, usize)>,
}

impl Seen {
    /// Runs a tower over a crop.
    ///
    /// # Errors
    /// As [`VisionTransformer::trace`].
    pub async fn run(tower: &VisionTransformer, crop: &Crop, wants_patches: bool) -> Result<Self, ModelError> {
        if !wants_patches {
            return Ok(Self { trace: tower.trace(crop).await?, features: None });
        }
        let (trace, features) = tower.trace_with_features(crop).await?;
        Ok(Self { trace, features: Some(features) })
    }

    pub fn shape(&self) -> Shape {
        let Trace { grid, tokens, leading_tokens, .. } = self.trace;
        let features = self.features.as_ref().map(|features| (features.width, features.heads));
        Shape { grid, tokens, leading_tokens, layers: self.trace.layers.len(), features }
    }

    /// All arrays, in the order in which [`Self::of_arrays`] takes them in.
    pub fn arrays(&self) -> Vec<&[f32]> {
        let Trace { embedded_cls, layers, final_cls, embedding, .. } = &self.trace;
        let of_layers = layers.iter().flat_map(|layer| [&layer.attention[..], &layer.values, &layer.mlp]);
        let of_trace = [&embedded_cls[..], final_cls, embedding].into_iter().chain(of_layers);
        let of_features = self.features.iter().flat_map(|features| {
            [&features.cls_attention[..], &features.queries, &features.keys, &features.tokens]
        });
        of_trace.chain(of_features).collect()
    }

    /// What has this shape and these arrays; none where there are too few of them.
    pub fn of_arrays(shape: Shape, mut arrays: impl Iterator<Item = Vec<f32>>) -> Option<Self> {
        let Shape { grid, tokens, leading_tokens, layers, features } = shape;
        let mut next = || arrays.next();
        let (embedded_cls, final_cls, embedding) = (next()?, next()?, next()?);
        let layers = (0..layers)
            .map(|_layer| Some(TracedLayer { attention: next()?, values: next()?, mlp: next()? }))
            .collect::<Option<Vec<_>>>()?;
        let trace = Trace { grid, tokens, leading_tokens, embedded_cls, layers, final_cls, embedding };
        let features = match features {
            None => None,
            Some((width, heads)) => Some(Features {
                grid,
                width,
                heads,
                cls_attention: next()?,
                queries: next()?,
                keys: next()?,
                tokens: next()?,
            }),
        };
        Some(Self { trace, features })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two layers, every array of other numbers.
    fn seen(has_features: bool) -> Seen {
        let mut last = 0.0;
        let mut numbers = |count: usize| -> Vec<f32> {
            last += 1.0;
            vec![last; count]
        };
        let grid = Grid { rows: 1, columns: 2 };
        let mut layer = || TracedLayer { attention: numbers(3), values: numbers(6), mlp: numbers(2) };
        let layers = vec![layer(), layer()];
        let trace = Trace {
            grid,
            tokens: 3,
            leading_tokens: 1,
            embedded_cls: numbers(2),
            layers,
            final_cls: numbers(2),
            embedding: numbers(4),
        };
        let features = has_features.then(|| Features {
            grid,
            width: 2,
            heads: 1,
            cls_attention: numbers(2),
            queries: numbers(4),
            keys: numbers(4),
            tokens: numbers(4),
        });
        Seen { trace, features }
    }

    #[test]
    fn what_a_hand_saw_arrives_as_it_was() {
        for has_features in [false, true] {
            let seen = seen(has_features);
            let arrays = || seen.arrays().into_iter().map(<[f32]>::to_vec);
            let came = Seen::of_arrays(seen.shape(), arrays()).unwrap();
            assert_eq!(came.shape(), seen.shape());
            assert_eq!(came.features, seen.features);
            assert_eq!(format!("{:?}", came.trace), format!("{:?}", seen.trace));
            assert!(Seen::of_arrays(seen.shape(), arrays().skip(1)).is_none(), "one is missing");
        }
    }
}
