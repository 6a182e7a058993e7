//! A decoded picture.

use std::fmt;

use crate::edges::Pixels;
use crate::geometry::Size;

/// The largest photo that is read, in pixels.
pub const MAX_PIXELS: u64 = 120_000_000;

/// A decoded picture in RGB. It is upright (EXIF orientation is applied), and transparent pixels are over white.
#[derive(Clone, PartialEq)]
pub struct Photo {
    /// The photo's own size, in pixels.
    pub size: Size,
    /// The size at which the pixels are in memory: `size`, or smaller if a browser decoded a huge photo at reduced
    /// size.
    pub held: Size,
    /// The RGB bytes of `held` size, row by row.
    pub rgb: Vec<u8>,
}

impl Photo {
    /// Returns the pixels in memory.
    pub fn pixels(&self) -> Pixels<'_> {
        Pixels { rgb: &self.rgb, size: self.held }
    }

    /// Returns the RGBA bytes of `held` size, row by row.
    pub fn rgba(&self) -> Vec<u8> {
        let (pixels, _) = self.rgb.as_chunks::<3>();
        pixels.iter().flat_map(|&[red, green, blue]| [red, green, blue, 255]).collect()
    }
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Photo").field("size", &self.size).field("held", &self.held).finish_non_exhaustive()
    }
}
