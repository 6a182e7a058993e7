//! The spaces a picture passes through, and the transforms between them.
//!
//! - **photo**: the picture as its author sees it (EXIF orientation applied), in its own pixels;
//! - **crop**: the part of the photo that the model is shown, resampled to the model's pixels;
//! - **grid**: the crop's patches, one token each.

use serde::{Deserialize, Serialize};

/// How much of the photo the model is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Framing {
    /// As in training: short side to the model's size, then a centred square.
    #[default]
    CentreCrop,
    /// The whole photo at its own proportions, on as many patches as that takes.
    WholePhoto,
}

/// How the long side of a resized photo becomes whole pixels. One pixel moves an embedding by up to 0.01 of
/// cosine, so a model wants the way that it was trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LongSide {
    /// As torchvision and Hugging Face's image processors do.
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
    /// The number of patches.
    pub fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Whether there is no patch at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A rectangle in photo pixels; the crop frame that the page draws.
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

/// How a photo becomes a crop: resize the whole photo to `resized`, then cut the crop out at
/// (`left`, `top`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropFromPhoto {
    pub photo: Size,
    pub resized: Size,
    pub left: usize,
    pub top: usize,
    pub crop: Size,
    pub patch: usize,
}

/// A framed grid never has more patches than this: attention costs their square, and a panorama must
/// not take the browser down.
pub const MAX_PATCHES: usize = 1600;

impl CropFromPhoto {
    /// The crop that `framing` takes from a photo for a model of `size` pixels and `patch`-pixel patches.
    ///
    /// The centre crop follows torchvision: the offset is rounded half to even. The whole photo is resampled so that its short side has the model's own
    /// number of patches (fewer where [`MAX_PATCHES`] would be passed) and both sides are whole patches.
    pub fn new(photo: Size, framing: Framing, size: usize, patch: usize, long_side: LongSide) -> Self {
        match framing {
            Framing::CentreCrop => Self::centre(photo, size, patch, long_side),
            Framing::WholePhoto => Self::whole(photo, size, patch),
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

    fn whole(photo: Size, size: usize, patch: usize) -> Self {
        let (width, height) = (photo.width as f64, photo.height as f64);
        let short_patches = (size / patch) as f64;
        let scale = (short_patches / width.min(height)).min((MAX_PATCHES as f64 / (width * height)).sqrt());
        let patches = |pixels: f64| ((pixels * scale).round() as usize).clamp(1, MAX_PATCHES);
        let columns = patches(width);
        let rows = patches(height).min(MAX_PATCHES / columns).max(1);
        let crop = Size { width: columns * patch, height: rows * patch };
        Self { photo, resized: crop, left: 0, top: 0, crop, patch }
    }

    /// The crop's patches. A crop edge that no whole patch fills is not seen by the model.
    pub fn grid(&self) -> Grid {
        Grid { rows: self.crop.height / self.patch, columns: self.crop.width / self.patch }
    }

    /// The part of the photo that the crop shows.
    pub fn crop_in_photo(&self) -> PhotoRect {
        let (sx, sy) = self.photo_per_resized();
        PhotoRect {
            left: self.left as f64 * sx,
            top: self.top as f64 * sy,
            width: self.crop.width as f64 * sx,
            height: self.crop.height as f64 * sy,
        }
    }

    /// A point in photo pixels, in grid units: patch (row, column) covers [column, column + 1) x [row, row + 1).
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
    fn whole_photo_is_bounded_whatever_its_shape() {
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
