//! The foreground of a map over patches, as patches and in the photo's pixels (docs/PAPERS.md, 2.1, step 5).

use crate::geometry::{CropFromPhoto, Size};

/// Returns for each patch whether its value is above the mean of the map.
pub fn above_mean(map: &[f32]) -> Vec<bool> {
    let mean = map.iter().map(|value| f64::from(*value)).sum::<f64>() / map.len().max(1) as f64;
    map.iter().map(|value| f64::from(*value) > mean).collect()
}

/// Returns a mask over patches, `[row][column]` of the frame's grid, in the photo's own pixels, rows first. Each pixel
/// has the value of the patch around it; pixels outside the crop are background.
pub fn in_photo(mask: &[bool], frame: &CropFromPhoto) -> Vec<bool> {
    let (grid, Size { width, height }) = (frame.grid(), frame.photo);
    let place = |at: f64, length: usize| (at >= 0.0 && at < length as f64).then_some(at as usize);
    let columns: Vec<Option<usize>> =
        (0..width).map(|x| place(frame.grid_from_photo(x as f64 + 0.5, 0.0).0, grid.columns)).collect();
    let row = |y: usize| place(frame.grid_from_photo(0.0, y as f64 + 0.5).1, grid.rows);
    let is_in = |row: usize, column: usize| mask.get(row * grid.columns + column).copied().unwrap_or(false);
    let of_row = |row: Option<usize>| {
        columns.iter().map(move |column| row.zip(*column).is_some_and(|(row, column)| is_in(row, column)))
    };
    (0..height).flat_map(|y| of_row(row(y))).collect()
}
