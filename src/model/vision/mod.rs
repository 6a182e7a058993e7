//! The vision transformer, and the numbers that are read back from a run over one crop.

mod crop;
mod read_back;
mod recorded_runs;
mod tower;
mod transformer;

pub use crop::Crop;
pub use transformer::VisionTransformer;
