//! The transformers, on Burn's tensors.
//!
//! One vision transformer and one text transformer serve every family. A config in the pack says which variant to
//! build. The modules know no file format: they ask a [`TensorSource`] for tensors by the project's own names.
//! `checkpoint` maps these names onto the layouts of other projects.

mod backend;
mod block;
pub mod config;
mod error;
mod layer_weights;
mod outer_layers;
mod positions;
mod readout;
mod tensor;
mod tensor_list;
mod tensor_source;
pub mod text;
mod towers;
pub mod vision;

pub use backend::Backend;
pub use config::{Activation, ModelConfig, PositionResize, TextConfig, TextKind, TextPooling, VisionConfig};
pub use error::ModelError;
pub use positions::resize_positions;
pub use readout::load_readout;
pub use tensor_source::{TensorError, TensorSource, TensorSpec};
pub use text::TextTransformer;
pub use towers::Model;
pub use vision::{Crop, VisionTransformer};
