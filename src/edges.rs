//! Soft maps whose edges follow the edges of the photo (docs/PAPERS.md, 1.16).
//!
//! A map from patches is smooth across an edge of the photo, because a patch is 14 or 16 pixels wide. The guided filter
//! moves the map's edges onto the photo's edges. The coefficients of the filter are computed once, on a coarse grid.
//! Applied to the preview's pixels they give the mask on screen, applied to the photo's own pixels the mask that is
//! saved.

use crate::geometry::{CropFromPhoto, POINTS_PER_PATCH, PhotoRect, Size};
use crate::guided_filter::{Coefficients, GuideWindows, PixelLine};
use crate::segment::{SoftMap, mask_in_photo, resampled};

/// The radius of the filter's windows, in points: one and a half patches. An edge of the map can move this far.
const RADIUS: usize = 3 * POINTS_PER_PATCH / 2;
/// The filter smooths where the variance of the colours (in `[0, 1]`) is much smaller than this.
const EPSILON: f32 = 1e-3;
/// Bytes of a refined track above this value are inside the object.
const INSIDE: f32 = 127.5;

/// The photo as the guide of the filter.
#[derive(Clone, Debug)]
pub struct EdgeGuide {
    frame: CropFromPhoto,
    windows: GuideWindows,
    /// RGB bytes, one pixel per point.
    rgb: Vec<u8>,
}

/// The whole photo at some size: RGB bytes, `[row][column]`.
#[derive(Clone, Copy, Debug)]
pub struct Pixels<'a> {
    pub rgb: &'a [u8],
    pub size: Size,
}

/// A soft map with the coefficients of the filter. The map can be computed at any size.
#[derive(Clone, Debug)]
pub struct GuidedMap {
    frame: CropFromPhoto,
    threshold: f32,
    coefficients: Coefficients,
}

/// A part of a map that was computed in the pixels of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct RefinedMap {
    pub size: Size,
    /// The part of the photo that the pixels cover, in photo pixels.
    pub in_photo: PhotoRect,
    /// Values in [0, 1], row by row.
    pub values: Vec<f32>,
}

/// The size of the guide of a crop: one pixel per point.
pub fn guide_size(frame: &CropFromPhoto) -> Size {
    frame.grid().points().size()
}

impl EdgeGuide {
    /// Prepares the guide from the crop's RGB bytes at [`guide_size`].
    pub fn new(frame: CropFromPhoto, rgb: Vec<u8>) -> Self {
        Self::with_windows(frame, rgb, RADIUS, EPSILON)
    }

    /// Prepares a guide with other windows than [`Self::new`]: the radius in points, and the filter's epsilon.
    pub fn with_windows(frame: CropFromPhoto, rgb: Vec<u8>, radius: usize, epsilon: f32) -> Self {
        Self { frame, windows: GuideWindows::new(&rgb, guide_size(&frame), radius, epsilon), rgb }
    }

    /// Returns the guide's RGB bytes, from which [`Self::new`] makes the guide again.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// Computes the filter's coefficients for the soft map of the photo's crop.
    pub fn refine(&self, map: &SoftMap) -> GuidedMap {
        self.guided(&map.values, map.size, map.threshold)
    }

    fn guided(&self, values: &[f32], size: Size, threshold: f32) -> GuidedMap {
        let balance = Balance { threshold };
        let mut points = resampled(values, size, guide_size(&self.frame));
        points.iter_mut().for_each(|value| *value = balance.balanced(*value));
        let coefficients = self.windows.coefficients(&points);
        GuidedMap { frame: self.frame, threshold, coefficients }
    }

    /// Refines an object's track on a frame, `[patch]`. Returns one byte per point: at least 128 inside the object,
    /// where the track is above its mean.
    pub fn refined_track(&self, track: &[f32]) -> Vec<u8> {
        let peak = track.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let shares: Vec<f32> = track.iter().map(|value| value / peak).collect();
        let mean = shares.iter().map(|share| f64::from(*share)).sum::<f64>() / shares.len().max(1) as f64;
        let mean = mean as f32;
        // No patch of an even track is above the mean.
        if shares.iter().all(|share| *share <= mean) {
            return vec![0; self.rgb.len() / 3];
        }
        let map = self.guided(&shares, self.frame.grid().size(), mean);
        self.at_points(&map).into_iter().map(|value| (value * 255.0).round() as u8).collect()
    }

    /// Returns the mask of [`Self::refined_track`] in the photo's own pixels, row by row.
    pub fn track_in_photo(&self, track: &[f32]) -> Vec<bool> {
        let values = self.refined_track(track).into_iter().map(f32::from).collect();
        let map = SoftMap { size: guide_size(&self.frame), values, threshold: INSIDE, is_empty: false };
        mask_in_photo(&map, &self.frame, INSIDE).into_iter().map(|value| value > 0).collect()
    }

    /// Refines a map over patches with values in [0, 1], `[patch]`. Returns one value per point.
    pub fn refined_points(&self, patches: &[f32]) -> Vec<f32> {
        // The middle of the scale needs no balance.
        self.at_points(&self.guided(patches, self.frame.grid().size(), 0.5))
    }

    /// Applies the filter to the guide itself. The values are balanced.
    fn at_points(&self, map: &GuidedMap) -> Vec<f32> {
        let Size { width, height } = guide_size(&self.frame);
        let line = |source: usize| PixelLine { source, place: source as f64 + 0.5 };
        let lines = |length: usize| (0..length).map(line).collect::<Vec<_>>();
        let mut values = Vec::with_capacity(width * height);
        map.coefficients
            .apply(&self.rgb, width, &lines(height), &lines(width), |row| values.extend_from_slice(row));
        values
    }
}

impl GuidedMap {
    /// Computes the map in the pixels of a picture of the photo. The result covers the crop's pixels only.
    pub fn in_picture(&self, picture: Pixels<'_>) -> RefinedMap {
        let CropLines { rows, columns, top, left } = self.lines(picture, picture.size);
        let size = Size { width: columns.len(), height: rows.len() };
        let mut values = Vec::with_capacity(size.width * size.height);
        self.apply(picture, &rows, &columns, |row| values.extend_from_slice(row));
        let photo = self.frame.photo;
        let across = photo.width as f64 / picture.size.width as f64;
        let down = photo.height as f64 / picture.size.height as f64;
        let in_photo = PhotoRect {
            left: left as f64 * across,
            top: top as f64 * down,
            width: size.width as f64 * across,
            height: size.height as f64 * down,
        };
        RefinedMap { size, in_photo, values }
    }

    /// Returns the map in the photo's own pixels, row by row. 0 outside the crop.
    pub fn soft_in_photo(&self, picture: Pixels<'_>) -> Vec<f32> {
        self.paint_in_photo(picture, 0.0, |value| value)
    }

    /// Returns the mask in the photo's own pixels, row by row: 255 where the map is above `threshold`, 0 elsewhere.
    pub fn mask_in_photo(&self, picture: Pixels<'_>, threshold: f32) -> Vec<u8> {
        self.paint_in_photo(picture, 0, |value| if value > threshold { 255 } else { 0 })
    }

    /// Returns the map in the photo's own pixels as grey values, 0 to 255.
    pub fn grey_in_photo(&self, picture: Pixels<'_>) -> Vec<u8> {
        self.paint_in_photo(picture, 0, |value| (value * 255.0).round() as u8)
    }

    /// Computes one row of the map at a time. Besides the result, only one row is in memory.
    fn paint_in_photo<T: Copy>(&self, picture: Pixels<'_>, outside: T, paint: impl Fn(f32) -> T) -> Vec<T> {
        let photo = self.frame.photo;
        let CropLines { rows, columns, top, left } = self.lines(picture, photo);
        let mut painted = vec![outside; photo.width * photo.height];
        let mut into = painted.chunks_exact_mut(photo.width.max(1)).skip(top);
        self.apply(picture, &rows, &columns, |row| {
            if let Some(into) = into.next() {
                into[left..].iter_mut().zip(row).for_each(|(into, value)| *into = paint(*value));
            }
        });
        painted
    }

    fn apply(&self, picture: Pixels<'_>, rows: &[PixelLine], columns: &[PixelLine], mut take: impl FnMut(&[f32])) {
        let balance = Balance { threshold: self.threshold };
        let mut values = Vec::with_capacity(columns.len());
        self.coefficients.apply(picture.rgb, picture.size.width, rows, columns, |row| {
            values.clear();
            values.extend(row.iter().map(|value| balance.original(*value)));
            take(&values);
        });
    }

    /// Returns the lines of `size` pixels over the whole photo whose centres lie in the crop's patches.
    fn lines(&self, picture: Pixels<'_>, size: Size) -> CropLines {
        let (photo, points) = (self.frame.photo, guide_size(&self.frame));
        let lines =
            |length: usize, of_photo: usize, of_picture: usize, points: usize, place: &dyn Fn(f64) -> f64| {
                let line = |pixel: usize| {
                    let share = (pixel as f64 + 0.5) / length as f64;
                    let place = place(share * of_photo as f64) * POINTS_PER_PATCH as f64;
                    let source = ((share * of_picture as f64) as usize).min(of_picture.saturating_sub(1));
                    (place >= 0.0 && place < points as f64).then_some((pixel, PixelLine { source, place }))
                };
                let inside: Vec<_> = (0..length).filter_map(line).collect();
                let first = inside.first().map_or(0, |(pixel, _)| *pixel);
                (first, inside.into_iter().map(|(_, line)| line).collect())
            };
        let column = |x: f64| self.frame.grid_from_photo(x, 0.0).0;
        let row = |y: f64| self.frame.grid_from_photo(0.0, y).1;
        let (left, columns) = lines(size.width, photo.width, picture.size.width, points.width, &column);
        let (top, rows) = lines(size.height, photo.height, picture.size.height, points.height, &row);
        CropLines { rows, columns, top, left }
    }
}

/// The rows and columns of a picture that lie in the crop, and the first of them.
struct CropLines {
    rows: Vec<PixelLine>,
    columns: Vec<PixelLine>,
    top: usize,
    left: usize,
}

/// A scale on which the threshold is in the middle. The filter takes means of values on both sides of an edge. On this
/// scale the mean of an inside and an outside value is at the threshold, so that the edge does not move towards one
/// side.
#[derive(Clone, Copy, Debug)]
struct Balance {
    threshold: f32,
}

impl Balance {
    fn balanced(self, value: f32) -> f32 {
        let t = self.threshold;
        if !(t > 0.0 && t < 1.0) {
            return value;
        }
        if value < t { 0.5 * value / t } else { 0.5 + 0.5 * (value - t) / (1.0 - t) }
    }

    /// Undoes [`Self::balanced`].
    fn original(self, balanced: f32) -> f32 {
        let t = self.threshold;
        if !(t > 0.0 && t < 1.0) {
            return balanced;
        }
        if balanced < 0.5 { 2.0 * balanced * t } else { t + (2.0 * balanced - 1.0) * (1.0 - t) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_the_middle_of_the_balanced_scale() {
        let balance = Balance { threshold: 0.2 };
        assert_eq!([0.0, 0.2, 1.0].map(|value| balance.balanced(value)), [0.0, 0.5, 1.0]);
        for value in [0.0, 0.05, 0.19, 0.2, 0.21, 0.7, 1.0] {
            assert!((balance.original(balance.balanced(value)) - value).abs() < 1e-6, "{value}");
        }
        for threshold in [0.0, 1.0] {
            assert_eq!(Balance { threshold }.balanced(0.3), 0.3);
            assert_eq!(Balance { threshold }.original(0.3), 0.3);
        }
    }
}
