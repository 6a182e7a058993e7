//! The layers of a transformer block on a GPU: WGSL shaders, launched by CubeCL.
//!
//! A block takes seven launches, where Burn's own operations take about thirty: [`Norm`]; [`Matrix::heads`];
//! [`attention`], which also gives the CLS row of the attention; [`Matrix::add_to`], which adds to the residual
//! stream; then a norm and two linear layers for the MLP, with the activation in [`Matrix::apply`]. Everything is
//! in f32, including the weights.
//!
//! A GPU needs many threads to be busy, and a single photo gives few: 257 tokens of 384 numbers. So tiles are
//! small, linear layers sum over slices of the inputs in parallel, and the next numbers are fetched from memory
//! early.

mod attention;
mod error;
mod gather;
pub(crate) mod gpu_errors;
mod launch;
mod linear;
mod norm;
mod pool;
mod recording;
mod shader;
mod tile_sizes;

pub use attention::{attention, supports_head_width};
pub use error::ShaderError;
pub use gather::gather;
pub use launch::{Gpu, GpuTensor, read_back};
pub use linear::Matrix;
pub use norm::Norm;
pub use pool::pool;
pub(crate) use recording::Recording;
pub use shader::Activation;
