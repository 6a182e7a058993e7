//! The error type for pictures.

use super::photo::MAX_PIXELS;

/// A picture that cannot be read, resampled or written. Each message addresses the user who chose the picture.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("\u{201c}{name}\u{201d} is empty: copy it again, or choose another picture")]
    Empty { name: String },
    #[error("\u{201c}{name}\u{201d} is not a picture that headlamp knows: choose a JPEG, PNG, WebP or GIF file")]
    NotAPicture { name: String },
    /// `reader` is the program that cannot read the picture, for example "this browser".
    #[error(
        "\u{201c}{name}\u{201d} is a {format} picture that {reader} cannot read: save it as JPEG or PNG first"
    )]
    Unsupported { name: String, format: &'static str, reader: &'static str },
    #[error("\u{201c}{name}\u{201d} is cut off or damaged: copy or download it again, or choose another picture")]
    Damaged { name: String },
    #[error("\u{201c}{name}\u{201d} has no pixels ({width} \u{d7} {height}): choose another picture")]
    NoPixels { name: String, width: u64, height: u64 },
    #[error(
        "\u{201c}{name}\u{201d} is too large ({width} \u{d7} {height} pixels): scale it down to {} million pixels or fewer first",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge { name: String, width: u64, height: u64 },
    /// The browser refused to decode the picture because of its size, or to return its pixels.
    #[error("this browser has no memory for a picture as large as \u{201c}{name}\u{201d}: scale it down first")]
    NoRoom { name: String },
    #[error("the photo cannot be resized ({0}): open it again")]
    Resample(String),
    #[error(
        "\u{201c}{name}\u{201d} is not a mask ({reason}): choose a PNG with a palette in which entry 0 is the background, or a grey PNG"
    )]
    NotAMask { name: String, reason: String },
    #[error("the PNG cannot be written ({0}): try a smaller photo")]
    Png(String),
}
