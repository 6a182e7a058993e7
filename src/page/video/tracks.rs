//! Paints the tracks of objects over a frame: either the mask, patch by patch with outlines, or a smooth map.

use crate::foreground::above_mean;
use crate::geometry::{Grid, Size};
use crate::page::common::colour::{self, Rgba};

/// The pixels of a painted mask per patch; outlines are one pixel wide.
pub const SCALE: usize = 10;

/// The opacity of a mask's inside and of its outline, out of 255.
const INSIDE: u8 = 118;
const OUTLINE: u8 = 255;

/// Returns the object that each patch is shown as. Among the objects whose mask contains the patch, this is the object
/// with the largest value relative to its own strongest patch. `tracks` is `[object][patch]`; only the objects that
/// `shown` marks count.
pub fn owners(tracks: &[f32], patches: usize, shown: &[bool]) -> Vec<Option<usize>> {
    let mut owners = vec![None; patches];
    let mut strongest = vec![0.0; patches];
    for (object, track) in tracks.chunks_exact(patches.max(1)).enumerate() {
        if !shown.get(object).copied().unwrap_or(false) {
            continue;
        }
        let peak = track.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        for (patch, is_in) in above_mean(track).into_iter().enumerate() {
            if is_in && track[patch] / peak > strongest[patch] {
                strongest[patch] = track[patch] / peak;
                owners[patch] = Some(object);
            }
        }
    }
    owners
}

/// Returns the strongest object of each patch, or `None` if the background is the strongest or the object is not
/// shown. `masks` are soft masks, `[object][patch]`, background first.
pub fn winners(masks: &[f32], patches: usize, shown: &[bool]) -> Vec<Option<usize>> {
    let objects = masks.len() / patches.max(1);
    let strongest = |patch: usize| {
        let values = (0..objects).map(|object| (object, masks[object * patches + patch]));
        values.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(object, _)| object)
    };
    let is_shown = |object: &usize| shown.get(*object).copied().unwrap_or(false);
    (0..patches).map(|patch| strongest(patch)?.checked_sub(1).filter(is_shown)).collect()
}

/// Returns the size of a painted mask.
pub fn painted_size(grid: Grid) -> Size {
    Size { width: grid.columns * SCALE, height: grid.rows * SCALE }
}

/// Paints each object's patches as a tint with an outline, RGBA of [`painted_size`].
pub fn paint_owners(grid: Grid, owners: &[Option<usize>], colours: &[[u8; 3]]) -> Vec<u8> {
    let Size { width, height } = painted_size(grid);
    let owner = |row: usize, column: usize| owners.get(row * grid.columns + column).copied().flatten();
    let at = |x: usize, y: usize| owner(y / SCALE, x / SCALE);
    let mut rgba = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        for x in 0..width {
            let Some(object) = at(x, y) else {
                rgba.extend([0; 4]);
                continue;
            };
            let differs = |x: usize, y: usize| at(x, y) != Some(object);
            let is_edge = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            let is_edge =
                is_edge || differs(x - 1, y) || differs(x + 1, y) || differs(x, y - 1) || differs(x, y + 1);
            let [red, green, blue] = colours.get(object).copied().unwrap_or(colour::MASK);
            rgba.extend([red, green, blue, if is_edge { OUTLINE } else { INSIDE }]);
        }
    }
    rgba
}

/// Paints all shown tracks, one pixel per patch. The opacity of a patch is its value relative to the track's strongest
/// patch. The page scales the result smoothly.
pub fn paint_soft(tracks: &[f32], patches: usize, shown: &[bool], colours: &[[u8; 3]]) -> Vec<Rgba> {
    let mut mixed = vec![[0.0_f32; 4]; patches];
    for (object, track) in tracks.chunks_exact(patches.max(1)).enumerate() {
        if !shown.get(object).copied().unwrap_or(false) {
            continue;
        }
        let peak = track.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let colour = colours.get(object).copied().unwrap_or(colour::MASK);
        for (pixel, value) in mixed.iter_mut().zip(track) {
            let strength = (value / peak).clamp(0.0, 1.0);
            for (sum, part) in pixel.iter_mut().zip(colour) {
                *sum += strength * f32::from(part);
            }
            pixel[3] += strength;
        }
    }
    let pixel = |[red, green, blue, strength]: [f32; 4]| {
        let of = |sum: f32| if strength > 0.0 { (sum / strength).round() as u8 } else { 0 };
        [of(red), of(green), of(blue), (strength.min(1.0) * 220.0).round() as u8]
    };
    mixed.into_iter().map(pixel).collect()
}

/// Returns the share of the frame that an object's mask covers.
pub fn area(track: &[f32]) -> f32 {
    above_mean(track).into_iter().filter(|is_in| *is_in).count() as f32 / track.len().max(1) as f32
}

/// Returns how much a track stands out: its strongest patch relative to an even spread. 1 is an even spread.
pub fn concentration(track: &[f32]) -> f32 {
    let total: f32 = track.iter().sum();
    let peak = track.iter().copied().fold(0.0, f32::max);
    if total > 0.0 { peak * track.len() as f32 / total } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { rows: 2, columns: 3 };

    /// Two objects over six patches; they share the third.
    fn tracks() -> Vec<f32> {
        vec![0.4, 0.3, 0.25, 0.02, 0.02, 0.01, 0.0, 0.0, 0.5, 0.4, 0.1, 0.0]
    }

    #[test]
    fn a_mask_contains_the_patches_above_the_tracks_mean() {
        assert_eq!(above_mean(&tracks()[..6]), [true, true, true, false, false, false]);
        assert_eq!(above_mean(&[0.25; 4]), [false; 4], "an even spread is no object");
        assert_eq!(area(&tracks()[6..]), 2.0 / 6.0);
        assert!((concentration(&[0.25; 4]) - 1.0).abs() < 1e-6 && concentration(&tracks()[..6]) > 2.0);
    }

    #[test]
    fn a_shared_patch_goes_to_the_object_that_stands_out_there() {
        let owners_of = |shown| owners(&tracks(), 6, shown);
        assert_eq!(owners_of(&[true, true]), [Some(0), Some(0), Some(1), Some(1), None, None]);
        assert_eq!(owners_of(&[true, false]), [Some(0), Some(0), Some(0), None, None, None]);
        assert_eq!(owners_of(&[]), [None; 6]);
    }

    #[test]
    fn the_background_wins_its_patches() {
        let masks = [0.9, 0.1, 0.2, 0.1, 0.8, 0.2, 0.0, 0.1, 0.6];
        assert_eq!(winners(&masks, 3, &[true, true]), [None, Some(0), Some(1)]);
        assert_eq!(winners(&masks, 3, &[true, false]), [None, Some(0), None], "hidden, not handed on");
    }

    #[test]
    fn patches_of_an_object_get_its_colour_and_an_outline() {
        let colours = [[200, 0, 0], [0, 0, 200]];
        let rgba = paint_owners(GRID, &owners(&tracks(), 6, &[true, true]), &colours);
        let Size { width, height } = painted_size(GRID);
        assert_eq!(rgba.len(), width * height * 4);
        let at = |x: usize, y: usize| &rgba[(y * width + x) * 4..][..4];
        assert_eq!(at(SCALE / 2, SCALE / 2), [200, 0, 0, INSIDE]);
        assert_eq!(at(0, SCALE / 2), [200, 0, 0, OUTLINE]);
        assert_eq!(at(SCALE, SCALE / 2), [200, 0, 0, INSIDE], "no line between patches of one object");
        assert_eq!(at(2 * SCALE, SCALE / 2), [0, 0, 200, OUTLINE]);
        assert_eq!(at(SCALE + 2, SCALE + 2), [0; 4]);
    }

    #[test]
    fn soft_tracks_are_as_strong_as_their_value() {
        let soft = paint_soft(&tracks(), 6, &[true, false], &[[200, 0, 0], [0, 0, 200]]);
        assert_eq!(soft[0], [200, 0, 0, 220]);
        assert_eq!(soft[1], [200, 0, 0, 165]);
        assert!(soft[5][3] < 10 && soft.iter().all(|pixel| pixel[2] == 0));
    }
}
