//! Pictures: from a photo's file to pixels, and from pixels to the model's crop, the page's preview and PNG files.
//!
//! `decode` has two implementations: the `image` crate natively, and the browser's own decoders in the worker. All
//! other code runs on both sides.

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
mod browser;
mod error;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
mod native;
mod photo;
mod picture_header;
mod png;
mod resample;
pub mod video;

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
pub use browser::{decode, thumbnail};
pub use error::MediaError;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub use native::{decode, decode_foreground};
pub use photo::{MAX_PIXELS, Photo};
pub use png::{grey_png, indexed_png, labels_of_png, rgb_png};
pub use resample::{crop, preview};
