//! The messages between the main worker and its helper workers. The output of the image tower travels as a list of
//! arrays.

use serde::{Deserialize, Serialize};

use crate::checkpoint::PackFile;
use crate::decompose::{Trace, TracedLayer};
use crate::geometry::{Grid, Size};
use crate::model::{Crop, ModelError, VisionConfig, VisionTransformer};
use crate::track::Features;

/// A request of the main worker to a helper worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HelperRequest {
    /// Load the image tower from a stored pack. Answer: [`HelperMessage::Ready`] or [`HelperMessage::Unable`].
    SetUp(HelperSetup),
    /// Run the tower over a crop of this size, whose floats are buffer 0. Answer: [`HelperMessage::Done`].
    Run { job: u32, size: Size, wants_patches: bool },
}

/// An image tower, and the place of its stored weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HelperSetup {
    /// The pack's folder in the browser's store.
    pub folder: String,
    pub weights: PackFile,
    pub vision: VisionConfig,
    pub embedding: usize,
}

/// A message of a helper worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HelperMessage {
    /// The helper worker accepts messages from now on. Browsers drop messages that arrive earlier.
    Listening,
    /// The tower is loaded.
    Ready,
    /// The tower cannot be loaded.
    Unable,
    /// The helper worker had no job for a while, and ends.
    Gone,
    /// A job is done. Buffers: the arrays of a [`TowerOutput`].
    Done { job: u32, shape: OutputShape },
}

/// The output of the image tower for one crop.
#[derive(Clone, Debug)]
pub struct TowerOutput {
    pub trace: Trace,
    /// Present if the request wanted patches.
    pub features: Option<Features>,
}

/// The sizes that [`TowerOutput::of_arrays`] needs besides the arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputShape {
    grid: Grid,
    tokens: usize,
    leading_tokens: usize,
    layers: usize,
    /// Width and heads of the features, if present.
    features: Option<(usize, usize)>,
}

impl TowerOutput {
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

    pub fn shape(&self) -> OutputShape {
        let Trace { grid, tokens, leading_tokens, .. } = self.trace;
        let features = self.features.as_ref().map(|features| (features.width, features.heads));
        OutputShape { grid, tokens, leading_tokens, layers: self.trace.layers.len(), features }
    }

    /// Returns all arrays, in the order that [`Self::of_arrays`] expects.
    pub fn arrays(&self) -> Vec<&[f32]> {
        let Trace { embedded_cls, layers, final_cls, embedding, .. } = &self.trace;
        let of_layers = layers.iter().flat_map(|layer| [&layer.attention[..], &layer.values, &layer.mlp]);
        let of_trace = [&embedded_cls[..], final_cls, embedding].into_iter().chain(of_layers);
        let of_features = self.features.iter().flat_map(|features| {
            [&features.cls_attention[..], &features.queries, &features.keys, &features.tokens]
        });
        of_trace.chain(of_features).collect()
    }

    /// Rebuilds an output from its shape and arrays; returns `None` if there are too few arrays.
    pub fn of_arrays(shape: OutputShape, mut arrays: impl Iterator<Item = Vec<f32>>) -> Option<Self> {
        let OutputShape { grid, tokens, leading_tokens, layers, features } = shape;
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

    /// An output of two layers, with different numbers in every array.
    fn output(has_features: bool) -> TowerOutput {
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
        TowerOutput { trace, features }
    }

    #[test]
    fn an_output_survives_the_way_through_arrays() {
        for has_features in [false, true] {
            let output = output(has_features);
            let arrays = || output.arrays().into_iter().map(<[f32]>::to_vec);
            let came = TowerOutput::of_arrays(output.shape(), arrays()).unwrap();
            assert_eq!(came.shape(), output.shape());
            assert_eq!(came.features, output.features);
            assert_eq!(format!("{:?}", came.trace), format!("{:?}", output.trace));
            assert!(TowerOutput::of_arrays(output.shape(), arrays().skip(1)).is_none(), "one is missing");
        }
    }
}
