//! The vision transformer, and what is read back from its run over one crop.

mod crop;
mod read_back;
mod recorded_runs;
mod tower;
mod transformer;

pub use crop::Crop;
pub use transformer::VisionTransformer;
