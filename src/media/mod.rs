//! Pictures in and out: photo files to pixels, pixels to the model's crop, to the page's preview and to PNG.
//!
//! Decoding has two sides, the `image` crate natively and the browser's own decoders in the worker, behind
//! one `decode`. Everything else is portable.

mod header;
mod png;
mod resample;
pub mod video;

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
mod browser;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
mod native;

use std::fmt;

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
pub use browser::{decode, thumbnail};
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub use native::decode;
pub use png::{grey_png, indexed_png, labels_of_png, rgb_png};
pub use resample::{crop, preview};

use crate::geometry::Size;

/// The largest photo in pixels that is read.
pub const MAX_PIXELS: u64 = 120_000_000;

/// A decoded picture, upright (EXIF orientation applied), in RGB; transparency over white.
#[derive(Clone, PartialEq)]
pub struct Photo {
    /// The photo's own size, in its own pixels.
    pub size: Size,
    /// The size at which the pixels are held: `size`, or smaller where a browser decoded a huge photo at
    /// reduced size.
    pub held: Size,
    /// RGB bytes of `held` size, rows first.
    pub rgb: Vec<u8>,
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Photo").field("size", &self.size).field("held", &self.held).finish_non_exhaustive()
    }
}

/// A picture that could not be read, resampled or written, in a sentence for the person who chose it.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("\u{201c}{name}\u{201d} is empty: copy it again, or choose another picture")]
    Empty { name: String },
    #[error(
        "\u{201c}{name}\u{201d} is not a picture of any kind known here: choose a JPEG, PNG, WebP or GIF file"
    )]
    NotAPicture { name: String },
    /// `reader` is what cannot read it: "this browser".
    #[error(
        "\u{201c}{name}\u{201d} is a {format} picture of a kind that {reader} cannot read: save it as JPEG or PNG first"
    )]
    Unsupported { name: String, format: &'static str, reader: &'static str },
    #[error("\u{201c}{name}\u{201d} is cut off or damaged: copy or download it again, or choose another picture")]
    Damaged { name: String },
    #[error("\u{201c}{name}\u{201d} holds no pixels ({width} \u{d7} {height}): choose another picture")]
    NoPixels { name: String, width: u64, height: u64 },
    #[error(
        "\u{201c}{name}\u{201d} is too large ({width} \u{d7} {height} pixels): scale it down to {} million pixels or fewer first",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge { name: String, width: u64, height: u64 },
    /// The browser would not decode so large a picture, or not give out its pixels.
    #[error("this browser has no room for so large a picture as \u{201c}{name}\u{201d}: scale it down first")]
    NoRoom { name: String },
    #[error("the photo cannot be brought to the size asked for ({0}): open it again")]
    Resample(String),
    #[error(
        "\u{201c}{name}\u{201d} is no mask ({reason}): a mask is a PNG with a palette, whose entry 0 is the background, or a grey one"
    )]
    NotAMask { name: String, reason: String },
    #[error("the PNG cannot be written ({0}): try a smaller photo")]
    Png(String),
}
