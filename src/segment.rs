//! Segmentation by a phrase (docs/PAPERS.md, 1.10): each patch's part in the phrase's score, minus the mean over a
//! contrast set, as a soft map over the crop.

use crate::geometry::{CropFromPhoto, Grid, Size};

/// Contrast phrases besides the user's other phrases: the usual surroundings of a photo's subject.
pub const BACKGROUND: [&str; 16] = [
    "the sky",
    "a wall",
    "the ground",
    "a floor",
    "grass",
    "trees",
    "a road",
    "water",
    "a table top",
    "a plain background",
    "a blurred background",
    "a landscape",
    "a room",
    "snow",
    "sand",
    "darkness",
];

/// Returns [`BACKGROUND`] in the form of the phrase. The contrast of "a photo of a cat" contains "a photo of the
/// sky", so that the common part of all captions cancels in the difference.
pub fn background_for(phrase: &str) -> impl Iterator<Item = String> {
    const FORM: &str = "a photo of ";
    let has_form = phrase.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM));
    let form = if has_form { FORM } else { "" };
    BACKGROUND.iter().map(move |text| format!("{form}{text}"))
}

/// Returns whether two scores are equal, except for rounding: a model's sums in f32 are exact to about 1e-6.
pub fn are_equal(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * a.abs().max(b.abs())
}

/// A soft map: how much each pixel of the crop belongs to the phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftMap {
    pub size: Size,
    /// Values in [0, 1], row by row.
    pub values: Vec<f32>,
    /// The mean of the map. Pixels above it are foreground.
    pub threshold: f32,
    /// Whether no patch has a positive score. The map is then zero.
    pub is_empty: bool,
}

/// Computes the soft map of patch scores, `[row][column]`, from which the contrast's mean is already subtracted.
/// The scores are upsampled bilinearly by the patch size (torch's align_corners false), clipped at 0, and
/// stretched to [0, 1].
pub fn soft_map(patches: &[f64], grid: Grid, patch: usize) -> SoftMap {
    let size = Size { width: grid.columns * patch, height: grid.rows * patch };
    let scale = 1.0 / patch as f64;
    let clipped: Vec<f64> = (0..size.height)
        .flat_map(|y| (0..size.width).map(move |x| (x, y)))
        .map(|(x, y)| {
            let (column, row) = ((x as f64 + 0.5) * scale, (y as f64 + 0.5) * scale);
            let at = |row: usize, column: usize| patches[row * grid.columns + column];
            bilinear(row, column, Size { width: grid.columns, height: grid.rows }, at).max(0.0)
        })
        .collect();
    let (least, most) =
        clipped.iter().fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(*value), most.max(*value)));
    if most <= 0.0 {
        return SoftMap { values: vec![0.0; clipped.len()], size, threshold: 0.0, is_empty: true };
    }
    // A positive map with equal values everywhere is all foreground. Values that differ only by the rounding of f32
    // arithmetic count as equal: stretched to [0, 1], they would be noise.
    let stretch = if !are_equal(least, most) { 1.0 / (most - least) } else { 0.0 };
    let values: Vec<f32> = if stretch > 0.0 {
        clipped.iter().map(|value| ((value - least) * stretch) as f32).collect()
    } else {
        vec![1.0; clipped.len()]
    };
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    SoftMap { size, values, threshold: if stretch > 0.0 { mean as f32 } else { 0.0 }, is_empty: false }
}

/// Returns the soft map in the photo's own pixels, row by row. 0 outside the crop.
pub fn soft_in_photo(map: &SoftMap, crop_from_photo: &CropFromPhoto) -> Vec<f32> {
    in_photo(map, crop_from_photo, 0.0, |value| value)
}

/// Returns the mask in the photo's own pixels, row by row: 255 where the soft map is above `threshold`, 0
/// elsewhere.
pub fn mask_in_photo(map: &SoftMap, crop_from_photo: &CropFromPhoto, threshold: f32) -> Vec<u8> {
    in_photo(map, crop_from_photo, 0, |value| if value > threshold { 255 } else { 0 })
}

/// Returns the soft map in the photo's own pixels as grey values, 0 to 255.
pub fn grey_in_photo(map: &SoftMap, crop_from_photo: &CropFromPhoto) -> Vec<u8> {
    in_photo(map, crop_from_photo, 0, |value| (value * 255.0).round() as u8)
}

/// Samples the map at the centre of every pixel of the photo.
fn in_photo<T: Copy>(map: &SoftMap, frame: &CropFromPhoto, outside: T, paint: impl Fn(f32) -> T) -> Vec<T> {
    let Size { width, height } = frame.photo;
    let patch = frame.patch as f64;
    // The position in map pixels for each column and each row. None outside the map.
    let place = |grid: f64, length: usize| {
        let place = grid * patch;
        (place >= 0.0 && place < length as f64).then_some(place)
    };
    let columns: Vec<Option<f64>> =
        (0..width).map(|x| place(frame.grid_from_photo(x as f64 + 0.5, 0.0).0, map.size.width)).collect();
    let mut values = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = place(frame.grid_from_photo(0.0, y as f64 + 0.5).1, map.size.height);
        values.extend(columns.iter().map(|column| match row.zip(*column) {
            None => outside,
            Some((row, column)) => {
                let at = |y: usize, x: usize| f64::from(map.values[y * map.size.width + x]);
                paint(bilinear(row, column, map.size, at) as f32)
            }
        }));
    }
    values
}

/// Interpolates the value at (`row`, `column`), where sample (i, j) is at (i + 0.5, j + 0.5). The values at the
/// edges continue outwards.
fn bilinear(row: f64, column: f64, size: Size, at: impl Fn(usize, usize) -> f64) -> f64 {
    let split = |place: f64, length: usize| {
        let place = (place - 0.5).clamp(0.0, (length - 1) as f64);
        let first = place.floor() as usize;
        (first, (first + 1).min(length - 1), place - first as f64)
    };
    let (top, bottom, down) = split(row, size.height);
    let (left, right, across) = split(column, size.width);
    let upper = at(top, left) * (1.0 - across) + at(top, right) * across;
    let lower = at(bottom, left) * (1.0 - across) + at(bottom, right) * across;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Framing, LongSide};

    const GRID: Grid = Grid { rows: 2, columns: 3 };

    #[test]
    fn background_texts_take_the_form_of_the_phrase() {
        assert_eq!(background_for("A photo of a cat").next().as_deref(), Some("a photo of the sky"));
        assert_eq!(background_for("cat").next().as_deref(), Some("the sky"));
        assert_eq!(background_for("ein Café").count(), BACKGROUND.len());
    }

    #[test]
    fn scores_without_a_positive_one_give_an_empty_mask() {
        let map = soft_map(&[-1.0, -0.5, -2.0, -0.1, -3.0, 0.0], GRID, 4);
        assert!(map.is_empty && map.values.iter().all(|value| *value == 0.0));
        let frame =
            CropFromPhoto::new(Size { width: 30, height: 20 }, Framing::WholePhoto, 8, 4, LongSide::Truncated);
        assert!(mask_in_photo(&map, &frame, map.threshold).iter().all(|value| *value == 0));
    }

    #[test]
    fn a_constant_positive_map_is_all_foreground() {
        let map = soft_map(&[0.3; 6], GRID, 4);
        assert!(!map.is_empty && map.values.iter().all(|value| *value > map.threshold));
        let rounded = [0.3, 0.300_000_1, 0.3, 0.299_999_9, 0.3, 0.3];
        assert!(soft_map(&rounded, GRID, 4).values.iter().all(|value| *value == 1.0));
    }

    #[test]
    fn a_map_spans_zero_to_one_around_its_mean() {
        let map = soft_map(&[-1.0, 0.0, 0.2, 0.4, 0.9, -0.3], GRID, 5);
        let most = map.values.iter().copied().fold(0.0, f32::max);
        let least = map.values.iter().copied().fold(1.0, f32::min);
        assert_eq!((least, most), (0.0, 1.0));
        assert!(map.threshold > 0.0 && map.threshold < 1.0);
    }

    #[test]
    fn the_mask_lies_inside_the_crop() {
        let frame =
            CropFromPhoto::new(Size { width: 60, height: 40 }, Framing::CentreCrop, 20, 10, LongSide::Truncated);
        let map = soft_map(&[1.0; 4], frame.grid(), 10);
        let mask = mask_in_photo(&map, &frame, 0.5);
        for (index, value) in mask.iter().enumerate() {
            let inside = (10..50).contains(&(index % 60));
            assert_eq!(*value == 255, inside, "pixel {index}");
        }
    }
}
