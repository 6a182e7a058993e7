//! Paints maps of a crop over the photo's preview.

use crate::geometry::{PhotoRect, Size};
use crate::page::common::colour::{self, Rgba};

/// The default opacity of the layer over the photo.
pub const OPACITY: f64 = 0.85;

/// The position of a map: its `map` pixels cover the rectangle `frame` of a photo that is shown at `preview` pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    pub photo: Size,
    pub preview: Size,
    pub frame: PhotoRect,
    pub map: Size,
}

impl Placement {
    /// Returns the centre of each preview column (x) in map pixels; `None` outside the map.
    fn map_from_preview_x(&self) -> Vec<Option<f64>> {
        let photo_per_preview = self.photo.width as f64 / self.preview.width as f64;
        let map_per_photo = self.map.width as f64 / self.frame.width;
        line(self.preview.width, self.map.width, photo_per_preview, self.frame.left, map_per_photo)
    }

    /// Returns the centre of each preview row (y) in map pixels; `None` outside the map.
    fn map_from_preview_y(&self) -> Vec<Option<f64>> {
        let photo_per_preview = self.photo.height as f64 / self.preview.height as f64;
        let map_per_photo = self.map.height as f64 / self.frame.height;
        line(self.preview.height, self.map.height, photo_per_preview, self.frame.top, map_per_photo)
    }

    /// Returns the rectangle of the preview that the map covers, in whole pixels.
    pub fn frame_in_preview(&self) -> PhotoRect {
        let sx = self.preview.width as f64 / self.photo.width as f64;
        let sy = self.preview.height as f64 / self.photo.height as f64;
        let (left, top) = ((self.frame.left * sx).round(), (self.frame.top * sy).round());
        let right = ((self.frame.left + self.frame.width) * sx).round().min(self.preview.width as f64);
        let bottom = ((self.frame.top + self.frame.height) * sy).round().min(self.preview.height as f64);
        PhotoRect { left, top, width: (right - left).max(1.0), height: (bottom - top).max(1.0) }
    }
}

fn line(pixels: usize, map: usize, photo_per_preview: f64, start: f64, map_per_photo: f64) -> Vec<Option<f64>> {
    let position = |pixel: usize| ((pixel as f64 + 0.5) * photo_per_preview - start) * map_per_photo;
    (0..pixels).map(|pixel| Some(position(pixel)).filter(|at| (0.0..map as f64).contains(at))).collect()
}

/// Returns the preview's pixels whose bilinearly interpolated map value is above `threshold` (docs/PAPERS.md, 1.10).
/// Rows first.
pub fn foreground(place: &Placement, map: &[f32], threshold: f32) -> Vec<bool> {
    let width = place.map.width;
    let columns: Vec<_> = place.map_from_preview_x().into_iter().map(|x| x.map(|x| ends(x, width))).collect();
    let mut mask = vec![false; place.preview.width * place.preview.height];
    let mut line = Vec::with_capacity(width);
    for (row, y) in mask.chunks_exact_mut(place.preview.width).zip(place.map_from_preview_y()) {
        let Some((top, bottom, down)) = y.map(|y| ends(y, place.map.height)) else { continue };
        let lines = map[top * width..].iter().zip(&map[bottom * width..]).take(width);
        // Interpolate between two lines of the map first. This saves work, because a preview has more pixels than the
        // map.
        line.clear();
        line.extend(lines.map(|(top, bottom)| top + (bottom - top) * down));
        for (pixel, column) in row.iter_mut().zip(&columns) {
            let Some((left, right, across)) = *column else { continue };
            *pixel = line[left] + (line[right] - line[left]) * across > threshold;
        }
    }
    mask
}

/// Returns the two map pixels around a position, and the weight of the second.
fn ends(position: f64, pixels: usize) -> (usize, usize, f32) {
    let position = (position - 0.5).clamp(0.0, (pixels - 1) as f64);
    let first = position.floor() as usize;
    (first, (first + 1).min(pixels - 1), (position - first as f64) as f32)
}

/// The opacity of a mask's inside and of its outline, out of 255.
const INSIDE: u8 = 128;
const OUTLINE: u8 = 255;

/// Paints a mask as a tint with an outline: transparent outside, every foreground pixel visible.
pub fn paint_mask(size: Size, mask: &[bool]) -> Vec<u8> {
    let Size { width, height } = size;
    // The outline is one pixel wide if the preview is shown at about 500 pixels.
    let reach = (width.max(height) / 400).max(1);
    let line = |y: usize| &mask[y * width..][..width];
    let [red, green, blue] = colour::MASK;
    let mut rgba = vec![0; mask.len() * 4];
    for (y, pixels) in rgba.chunks_exact_mut(4 * width.max(1)).enumerate() {
        let row = line(y);
        let around = y.checked_sub(reach).filter(|_above| y + reach < height);
        let around = around.map(|above| (line(above), line(y + reach)));
        let is_inside = |x: usize| {
            let sides = x >= reach && x + reach < width && row[x - reach] && row[x + reach];
            sides && around.is_some_and(|(above, below)| above[x] && below[x])
        };
        for (x, pixel) in pixels.chunks_exact_mut(4).enumerate().filter(|(x, _pixel)| row[*x]) {
            let alpha = if is_inside(x) { INSIDE } else { OUTLINE };
            pixel.copy_from_slice(&[red, green, blue, alpha]);
        }
    }
    rgba
}

/// The layer over the photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layer {
    #[default]
    Segmentation,
    Head,
    None,
}

/// The kind of values in a head's map, which decides the colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeadMapKind {
    /// Signed contributions to a phrase, per patch.
    #[default]
    Contribution,
    /// The share of the CLS token's attention, per patch.
    Attention,
}

/// Returns the colours of patches, one pixel each, rows first. The strongest value has the strongest colour.
pub fn paint_patches(kind: HeadMapKind, map: &[f32]) -> Vec<Rgba> {
    let strongest = map.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
    let paint = |value: &f32| match kind {
        HeadMapKind::Contribution => colour::diverging(value / strongest),
        HeadMapKind::Attention => colour::sequential(value / strongest),
    };
    map.iter().map(paint).collect()
}

/// Spreads the colours of a map over the preview as squares. RGBA, rows first; transparent outside.
pub fn spread(place: &Placement, colours: &[Rgba]) -> Vec<u8> {
    let columns = place.map_from_preview_x();
    let row_of = |y: Option<f64>| y.map(|y| y as usize);
    let rows: Vec<Option<usize>> = place.map_from_preview_y().into_iter().map(row_of).collect();
    let mut rgba = Vec::with_capacity(place.preview.width * place.preview.height * 4);
    for same in rows.chunk_by(PartialEq::eq) {
        let start = rgba.len();
        for x in &columns {
            let colour = x.zip(same[0]).map_or([0; 4], |(x, row)| colours[row * place.map.width + x as usize]);
            rgba.extend(colour);
        }
        let line = start..rgba.len();
        for _row in &same[1..] {
            rgba.extend_from_within(line.clone());
        }
    }
    rgba
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A photo of 60 x 40 shown at half its size; the map covers its middle square, 2 x 2 pixels of 20 x 20.
    fn place() -> Placement {
        Placement {
            photo: Size { width: 60, height: 40 },
            preview: Size { width: 30, height: 20 },
            frame: PhotoRect { left: 10.0, top: 0.0, width: 40.0, height: 40.0 },
            map: Size { width: 2, height: 2 },
        }
    }

    #[test]
    fn patches_lie_where_the_frame_is() {
        let colours = [[1, 0, 0, 255], [2, 0, 0, 255], [3, 0, 0, 255], [4, 0, 0, 255]];
        let rgba = spread(&place(), &colours);
        let red = |x: usize, y: usize| rgba[(y * 30 + x) * 4];
        assert_eq!([red(4, 0), red(5, 0), red(14, 0), red(15, 9), red(24, 9), red(25, 9)], [0, 1, 1, 2, 2, 0]);
        assert_eq!([red(5, 10), red(24, 19)], [3, 4]);
        assert_eq!(place().frame_in_preview(), PhotoRect { left: 5.0, top: 0.0, width: 20.0, height: 20.0 });
    }

    #[test]
    fn the_foreground_is_above_the_threshold_and_inside_the_frame() {
        // The map increases from 0 at the centre of the left pixel to 1 at the centre of the right pixel.
        let mask = foreground(&place(), &[0.0, 1.0, 0.0, 1.0], 0.5);
        for (index, is_foreground) in mask.iter().enumerate() {
            let x = index % 30;
            assert_eq!(*is_foreground, (15..25).contains(&x), "column {x}");
        }
        assert!(foreground(&place(), &[1.0; 4], 1.0).iter().all(|pixel| !pixel), "above, not at");
        assert_eq!(foreground(&place(), &[1.0; 4], 0.9).iter().filter(|pixel| **pixel).count(), 20 * 20);
    }

    #[test]
    fn every_foreground_pixel_is_visible_and_no_other() {
        let size = Size { width: 30, height: 20 };
        let mask = foreground(&place(), &[0.2, 0.9, 0.4, 0.1], 0.35);
        let rgba = paint_mask(size, &mask);
        for (pixel, is_foreground) in rgba.chunks_exact(4).zip(&mask) {
            assert_eq!(pixel[3] > 0, *is_foreground);
        }
        let full = paint_mask(size, &[true; 600]);
        assert_eq!((full[3], full[(10 * 30 + 15) * 4 + 3]), (OUTLINE, INSIDE));
    }

    #[test]
    fn a_map_is_scaled_by_its_strongest_value() {
        let colours = paint_patches(HeadMapKind::Contribution, &[0.0, 0.01, -0.02]);
        assert_eq!(colours, [colour::diverging(0.0), colour::diverging(0.5), colour::diverging(-1.0)]);
        assert!(paint_patches(HeadMapKind::Attention, &[0.0; 4]).iter().all(|colour| colour[3] == 0));
    }
}
