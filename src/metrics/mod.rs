//! How well masks and boxes agree with labels: segmentation of pictures (docs/PAPERS.md, 1.10), of videos
//! ([`davis`], 2.4), and object discovery ([`discovery`], 2.5).

pub mod davis;
pub mod discovery;
mod segmentation;

pub use segmentation::{PixelCounts, average_precision};
