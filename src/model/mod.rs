//! The transformers, over Burn's tensors.
//!
//! One vision transformer and one text transformer serve every family; a config read from the pack says
//! which variant. The modules know no file format: they ask a [`TensorSource`] for tensors by the
//! project's own names, which `checkpoint` maps onto other people's layouts.

mod backend;
mod block;
pub(crate) use block::transpose;
pub mod config;
pub mod features;
mod layers;
mod positions;
mod source;
pub mod text;
pub mod vision;

pub use backend::Backend;
pub use config::{
    Activation, Model, ModelConfig, PositionResize, TextConfig, TextKind, TextPooling, VisionConfig,
};
pub use features::Features;
pub use positions::resize_positions;
pub use source::{TensorSource, TensorSpec};
pub use text::TextTransformer;
pub use vision::{Crop, Trace, TracedLayer, VisionTransformer};

use burn::tensor::TensorData;

/// A model that cannot be built or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The config contradicts itself or lies outside what the program can hold.
    #[error("the model's config is not usable: {0}")]
    Config(String),
    /// A tensor is missing or malformed; the source's own words say which.
    #[error(transparent)]
    Tensor(#[from] crate::checkpoint::CheckpointError),
    /// A question about a text, to a self-supervised model.
    #[error(
        "this model has no text tower, so it has no measure for phrases: align it with `headlamp align`, or open a \
            model that was trained with texts"
    )]
    NoTextTower,
    /// The input does not fit the model.
    #[error("{0}")]
    Input(String),
    /// The device did not answer.
    #[error("the compute device failed ({}); reload, or choose the CPU", .0.lines().next().unwrap_or_default())]
    Device(String),
    /// What came back is no number: statistics and galleries would keep it for good.
    #[error(
        "the model made no finite numbers of this picture: open the model again, or choose the CPU if a GPU runs it"
    )]
    NotFinite,
}

/// The floats of tensor data that came back from a device.
fn floats(data: TensorData) -> Result<Vec<f32>, ModelError> {
    data.try_into_vec::<f32>().map_err(|err| ModelError::Device(format!("{err:?}")))
}
