//! The spaces of a picture, and the transforms between them.
//!
//! - **photo**: the picture as its author sees it (EXIF orientation applied), in its own pixels;
//! - **crop**: the part of the photo that the model sees, resampled to the model's pixels;
//! - **grid**: the crop's patches, one token each.

use serde::{Deserialize, Serialize};

/// How much of the photo the model sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Framing {
    /// As in training: the short side is resized to the model's size, then a centred square is cut out.
    #[default]
    CentreCrop,
    /// The whole photo in its own proportions, on as many patches as needed.
    WholePhoto,
    /// A whole video frame whose short side has this length, with the size rule of mask propagation on DAVIS
    /// (docs/PAPERS.md, 2.4).
    Frame {
        /// Length in pixels, before it is floored to whole patches.
        short_side: usize,
    },
    /// A whole picture or video frame in its own proportions, whose short side has this length (docs/PAPERS.md, 2.1).
    WholeFrame {
        /// Length in pixels, before it is floored to whole patches.
        short_side: usize,
    },
}

/// How the long side of a resized photo is converted to whole pixels. One pixel can change the cosine between two
/// embeddings by up to 0.01, so a model needs the rule of its training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LongSide {
    /// Rounded down, as torchvision and the image processors of Hugging Face do.
    #[default]
    Truncated,
    Rounded,
}

/// Rows and columns of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grid {
    pub rows: usize,
    pub columns: usize,
}

impl Grid {
    /// Returns the number of patches.
    pub fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Returns whether the grid has no patch.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A rectangle in photo pixels; the page draws the crop frame from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhotoRect {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub width: usize,
    pub height: usize,
}

/// How a photo becomes a crop: resize the whole photo to `resized`, then cut out `crop` at (`left`, `top`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropFromPhoto {
    pub photo: Size,
    pub resized: Size,
    pub left: usize,
    pub top: usize,
    pub crop: Size,
    pub patch: usize,
}

/// The largest number of patches of a whole photo. Attention costs the square of this number, and a panorama must
/// not exhaust the browser's memory.
pub const MAX_PATCHES: usize = 1600;

/// The largest number of patches of a video frame whose size the user chose. DAVIS frames with a short side of 480
/// pixels have 6240 patches of 8 pixels.
pub const MAX_FRAME_PATCHES: usize = 6400;

impl CropFromPhoto {
    /// Returns the crop that `framing` takes from a photo, for a model of `size` pixels and patches of `patch`
    /// pixels.
    ///
    /// The centre crop follows torchvision: its offset is rounded half to even. A whole photo is resampled so that
    /// its short side has as many patches as the model's own size (fewer when the grid would exceed
    /// [`MAX_PATCHES`]), and both sides are whole patches. A whole frame is resampled in the same way to its own
    /// short side, with at most [`MAX_FRAME_PATCHES`].
    pub fn new(photo: Size, framing: Framing, size: usize, patch: usize, long_side: LongSide) -> Self {
        match framing {
            Framing::CentreCrop => Self::centre(photo, size, patch, long_side),
            Framing::WholePhoto => Self::whole(photo, size, patch, MAX_PATCHES),
            Framing::WholeFrame { short_side } => Self::whole(photo, short_side, patch, MAX_FRAME_PATCHES),
            Framing::Frame { short_side } => Self::davis_frame(photo, short_side, patch),
        }
    }

    fn centre(photo: Size, size: usize, patch: usize, long_side: LongSide) -> Self {
        let long = |long: usize, short: usize| match long_side {
            LongSide::Truncated => (size as u128 * long as u128 / short as u128) as usize,
            LongSide::Rounded => (size as f64 * long as f64 / short as f64).round_ties_even() as usize,
        };
        let resized = if photo.width <= photo.height {
            Size { width: size, height: long(photo.height, photo.width) }
        } else {
            Size { width: long(photo.width, photo.height), height: size }
        };
        let offset = |outer: usize| ((outer - size) as f64 / 2.0).round_ties_even() as usize;
        Self {
            photo,
            resized,
            left: offset(resized.width),
            top: offset(resized.height),
            crop: Size { width: size, height: size },
            patch,
        }
    }

    /// Keeps the proportions: the short side has `size` pixels, and both sides are rounded to whole patches. If the
    /// grid would exceed `most` patches, both sides shrink.
    fn whole(photo: Size, size: usize, patch: usize, most: usize) -> Self {
        let (short, long) = (photo.width.min(photo.height) as f64, photo.width.max(photo.height) as f64);
        let short_patches = (size / patch).max(1) as f64;
        let scale = (short_patches / short).min((most as f64 / (short * long)).sqrt());
        let patches = |pixels: f64| ((pixels * scale).round() as usize).clamp(1, most);
        let short = patches(short);
        let long = patches(long).min(most / short);
        let (columns, rows) = if photo.width < photo.height { (short, long) } else { (long, short) };
        let crop = Size { width: columns * patch, height: rows * patch };
        Self { photo, resized: crop, left: 0, top: 0, crop, patch }
    }

    /// Applies DAVIS's size rule.
    ///
    /// The short side has the wanted length. The long side keeps the proportions and is floored to a multiple of
    /// 64, but is never shorter than the short side. When 64 is no multiple of the patch, both sides are floored
    /// to multiples of the patch. The number of patches is at most that of a frame 2.5 times as wide as high, or
    /// [`MAX_PATCHES`] if that is more, and never more than [`MAX_FRAME_PATCHES`].
    fn davis_frame(photo: Size, short_side: usize, patch: usize) -> Self {
        let unit = if 64 % patch == 0 { 64 } else { patch };
        let most_short = MAX_FRAME_PATCHES.isqrt();
        let short = (short_side / patch).clamp(1, most_short);
        let (least, most) = (photo.width.min(photo.height).max(1), photo.width.max(photo.height));
        let in_proportion = (short * patch) as u128 * most as u128 / least as u128;
        let most_patches = (5 * short * short / 2).clamp(MAX_PATCHES, MAX_FRAME_PATCHES);
        let units = usize::try_from(in_proportion / unit as u128).unwrap_or(usize::MAX);
        let units = units.min(most_patches / short * patch / unit);
        let long = (units * (unit / patch)).max(short);
        let (columns, rows) = if photo.width < photo.height { (short, long) } else { (long, short) };
        let crop = Size { width: columns * patch, height: rows * patch };
        Self { photo, resized: crop, left: 0, top: 0, crop, patch }
    }

    /// Returns the grid of the crop's patches. The model does not see a crop edge that is narrower than a patch.
    pub fn grid(&self) -> Grid {
        Grid { rows: self.crop.height / self.patch, columns: self.crop.width / self.patch }
    }

    /// Returns the part of the photo that the crop shows.
    pub fn crop_in_photo(&self) -> PhotoRect {
        let (sx, sy) = self.photo_per_resized();
        PhotoRect {
            left: self.left as f64 * sx,
            top: self.top as f64 * sy,
            width: self.crop.width as f64 * sx,
            height: self.crop.height as f64 * sy,
        }
    }

    /// Converts a point from photo pixels to grid units, (column, row). Patch (row, column) covers [column, column
    /// + 1) x [row, row + 1).
    pub fn grid_from_photo(&self, x: f64, y: f64) -> (f64, f64) {
        let (sx, sy) = self.photo_per_resized();
        let patch = self.patch as f64;
        ((x / sx - self.left as f64) / patch, (y / sy - self.top as f64) / patch)
    }

    fn photo_per_resized(&self) -> (f64, f64) {
        (
            self.photo.width as f64 / self.resized.width as f64,
            self.photo.height as f64 / self.resized.height as f64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centre_crop_follows_torchvision() {
        let crop = CropFromPhoto::new(
            Size { width: 451, height: 300 },
            Framing::CentreCrop,
            224,
            14,
            LongSide::Truncated,
        );
        assert_eq!(crop.resized, Size { width: 336, height: 224 });
        assert_eq!((crop.left, crop.top), (56, 0));
        assert_eq!(crop.grid(), Grid { rows: 16, columns: 16 });
        let photo = Size { width: 451, height: 300 };
        let rounded = CropFromPhoto::new(photo, Framing::CentreCrop, 224, 14, LongSide::Rounded);
        assert_eq!((rounded.resized, rounded.left), (Size { width: 337, height: 224 }, 56));
    }

    #[test]
    fn grid_corners_map_to_the_crop_frame() {
        let crop = CropFromPhoto::new(
            Size { width: 640, height: 427 },
            Framing::CentreCrop,
            224,
            14,
            LongSide::Truncated,
        );
        let frame = crop.crop_in_photo();
        let (column, row) = crop.grid_from_photo(frame.left + frame.width, frame.top + frame.height);
        assert!((column - 16.0).abs() < 1e-9 && (row - 16.0).abs() < 1e-9);
        let (column, row) = crop.grid_from_photo(frame.left, frame.top);
        assert!(column.abs() < 1e-9 && row.abs() < 1e-9);
    }

    #[test]
    fn frame_sizes_follow_davis() {
        let grid = |width, height, short_side, patch| {
            let framing = Framing::Frame { short_side };
            let frame = CropFromPhoto::new(Size { width, height }, framing, 224, patch, LongSide::Truncated);
            assert_eq!(frame.crop, frame.resized);
            (frame.grid().rows, frame.grid().columns)
        };
        // 854 is floored to 832. A portrait frame swaps rows and columns.
        assert_eq!(grid(854, 480, 480, 16), (30, 52));
        assert_eq!(grid(480, 854, 480, 16), (52, 30));
        assert_eq!(grid(854, 480, 480, 8), (60, 104));
        // 480 is floored to 476. The long side, 846.9, is floored to 840.
        assert_eq!(grid(854, 480, 480, 14), (34, 60));
        assert_eq!(grid(100, 100, 420, 14), (30, 30));
        assert_eq!(grid(100, 100, 480, 16), (30, 30));
        for (width, height) in [(1, 1), (30_000, 1), (1, 30_000), (usize::MAX, 1)] {
            for short_side in [0, 1, 224, 480, 100_000] {
                let (rows, columns) = grid(width, height, short_side, 8);
                assert!((1..=MAX_FRAME_PATCHES).contains(&(rows * columns)), "{rows} x {columns}");
            }
        }
    }

    #[test]
    fn a_whole_frame_has_as_many_patches_as_fit() {
        let grid = |width, height, framing| {
            let frame = CropFromPhoto::new(Size { width, height }, framing, 224, 16, LongSide::Truncated);
            (frame.grid().rows, frame.grid().columns)
        };
        let framing = Framing::WholeFrame { short_side: 224 };
        assert_eq!(grid(500, 375, framing), (14, 19));
        assert_eq!(grid(375, 500, framing), (19, 14));
        assert_eq!(grid(500, 375, Framing::WholeFrame { short_side: 8 }), (1, 1));
        assert_eq!(grid(854, 480, Framing::WholeFrame { short_side: 480 }), (30, 53));
    }

    #[test]
    fn a_photo_and_the_same_photo_on_its_side_have_the_same_grid() {
        for (width, height) in [(20_000, 100), (451, 300), (4032, 3024), (30_000, 1), (1000, 999)] {
            let grid = |width, height, framing| {
                CropFromPhoto::new(Size { width, height }, framing, 224, 14, LongSide::Truncated).grid()
            };
            for framing in [Framing::WholePhoto, Framing::WholeFrame { short_side: 480 }] {
                let (wide, high) = (grid(width, height, framing), grid(height, width, framing));
                assert_eq!((wide.rows, wide.columns), (high.columns, high.rows), "{width} x {height}");
                assert!(!wide.is_empty() && wide.len() <= MAX_FRAME_PATCHES);
            }
        }
    }

    #[test]
    fn a_whole_photo_of_any_shape_stays_under_the_limit() {
        for (width, height) in [(1, 1), (30_000, 1), (1, 30_000), (4032, 3024), (224, 224), (30_000, 30_000)] {
            let crop =
                CropFromPhoto::new(Size { width, height }, Framing::WholePhoto, 224, 14, LongSide::Truncated);
            assert!(
                !crop.grid().is_empty() && crop.grid().len() <= MAX_PATCHES,
                "{width}x{height}: {:?}",
                crop.grid()
            );
            let frame = crop.crop_in_photo();
            assert_eq!((frame.width.round() as usize, frame.height.round() as usize), (width, height));
        }
    }
}
