//! Soft masks over patches, and the labels of pixels that follow from them (docs/PAPERS.md, 2.4).

use crate::geometry::{CropFromPhoto, Grid, Size};

/// How much each patch of a frame belongs to each object. Channel 0 is the background, channel j is object j.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftMasks {
    pub grid: Grid,
    /// The number of objects plus one for the background.
    pub channels: usize,
    /// `[channel][patch]`
    pub values: Vec<f32>,
}

impl SoftMasks {
    /// Makes one-hot masks from the labels of a frame's patches, `[patch]`. Label 0 is the background.
    pub fn one_hot(grid: Grid, labels: &[u8]) -> Self {
        let channels = labels.iter().copied().max().map_or(1, |most| usize::from(most) + 1);
        let channel = |channel: usize| labels.iter().map(move |label| f32::from(usize::from(*label) == channel));
        Self { grid, channels, values: (0..channels).flat_map(channel).collect() }
    }

    /// Makes one-hot masks from pixel labels, given row by row in the photo's size. Each patch takes the label of
    /// the pixel at its centre. A patch whose centre lies outside the photo is background.
    pub fn of_pixels(labels: &[u8], frame: &CropFromPhoto) -> Self {
        let grid = frame.grid();
        let rect = frame.crop_in_photo();
        let patch_width = rect.width * frame.patch as f64 / frame.crop.width as f64;
        let patch_height = rect.height * frame.patch as f64 / frame.crop.height as f64;
        let pixel = |origin: f64, step: f64, place: usize, length: usize| {
            let pixel = origin + (place as f64 + 0.5) * step;
            (pixel >= 0.0 && pixel < length as f64).then_some(pixel as usize)
        };
        let label = |place: usize| {
            let x = pixel(rect.left, patch_width, place % grid.columns, frame.photo.width)?;
            let y = pixel(rect.top, patch_height, place / grid.columns, frame.photo.height)?;
            labels.get(y * frame.photo.width + x).copied()
        };
        let patches: Vec<u8> = (0..grid.len()).map(|place| label(place).unwrap_or(0)).collect();
        let most = labels.iter().copied().max().unwrap_or(0);
        Self::one_hot(grid, &patches).with_channels(usize::from(most) + 1)
    }

    /// Sets the number of channels. New channels are zero.
    #[must_use]
    pub fn with_channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self.values.resize(channels * self.grid.len(), 0.0);
        self
    }

    /// Replaces the mask of one object. The object gets all of the patches in `mask` and nothing of the other
    /// patches. The shares that the object loses go to the background.
    #[must_use]
    pub fn with_object(self, object: usize, mask: &[bool]) -> Self {
        let mut masks = if object < self.channels { self } else { self.with_channels(object + 1) };
        let patches = masks.grid.len();
        for (patch, is_in) in mask.iter().enumerate().take(patches) {
            if *is_in {
                (0..masks.channels).for_each(|channel| masks.values[channel * patches + patch] = 0.0);
                masks.values[object * patches + patch] = 1.0;
            } else {
                let lost = std::mem::take(&mut masks.values[object * patches + patch]);
                masks.values[patch] += lost;
            }
        }
        masks
    }

    /// Returns one channel, `[patch]`.
    pub fn channel(&self, channel: usize) -> &[f32] {
        &self.values[channel * self.grid.len()..][..self.grid.len()]
    }

    /// Returns the label of each patch: the channel with the largest value, after each channel is stretched to [0,
    /// 1].
    pub fn patch_labels(&self) -> Vec<u8> {
        let stretched: Vec<Vec<f32>> = (0..self.channels).map(|channel| stretch(self.channel(channel))).collect();
        argmax(&stretched)
    }

    /// Returns the labels in the photo's own pixels, row by row.
    ///
    /// Each channel is upsampled bilinearly to the crop's pixels and stretched to [0, 1]. A crop pixel gets the
    /// channel with the largest value. A photo pixel gets the label of the nearest crop pixel, or background
    /// outside the crop.
    pub fn labels_in_photo(&self, frame: &CropFromPhoto) -> Vec<u8> {
        let size = Size { width: self.grid.columns * frame.patch, height: self.grid.rows * frame.patch };
        let upsampled = |channel| stretch(&upsample(self.channel(channel), self.grid, size));
        let channels: Vec<Vec<f32>> = (0..self.channels).map(upsampled).collect();
        let labels = argmax(&channels);
        let place = |grid: f64, length: usize| {
            let pixel = grid * frame.patch as f64;
            (pixel >= 0.0 && pixel < length as f64).then_some(pixel as usize)
        };
        let Size { width, height } = frame.photo;
        let columns: Vec<Option<usize>> =
            (0..width).map(|x| place(frame.grid_from_photo(x as f64 + 0.5, 0.0).0, size.width)).collect();
        let mut in_photo = Vec::with_capacity(width * height);
        for y in 0..height {
            let row = place(frame.grid_from_photo(0.0, y as f64 + 0.5).1, size.height);
            let label =
                |column: &Option<usize>| row.zip(*column).map(|(row, column)| labels[row * size.width + column]);
            in_photo.extend(columns.iter().map(|column| label(column).unwrap_or(0)));
        }
        in_photo
    }
}

/// Upsamples `[row][column]` bilinearly to the pixels of `size`, as torch does with align_corners false. The
/// values at the edges continue outwards.
pub fn upsample(patches: &[f32], grid: Grid, size: Size) -> Vec<f32> {
    let taps = |count: usize, length: usize| -> Vec<(usize, usize, f32)> {
        let tap = |place: usize| {
            let at = ((place as f64 + 0.5) * count as f64 / length as f64 - 0.5).clamp(0.0, (count - 1) as f64);
            let first = at.floor() as usize;
            (first, (first + 1).min(count - 1), (at - first as f64) as f32)
        };
        (0..length).map(tap).collect()
    };
    let (down, across) = (taps(grid.rows, size.height), taps(grid.columns, size.width));
    let mut row = vec![0.0; grid.columns];
    let mut pixels = Vec::with_capacity(size.width * size.height);
    for (top, bottom, share) in down {
        let (upper, lower) = (&patches[top * grid.columns..], &patches[bottom * grid.columns..]);
        for (value, (upper, lower)) in row.iter_mut().zip(upper.iter().zip(lower)) {
            *value = upper * (1.0 - share) + lower * share;
        }
        pixels.extend(across.iter().map(|(left, right, share)| row[*left] * (1.0 - share) + row[*right] * share));
    }
    pixels
}

/// The least difference between the values of a channel, which are shares of 1, that is more than rounding.
const LEAST_SPREAD: f32 = 1e-5;

/// Stretches values to [0, 1]. Values that are equal, except for rounding, do not change: stretched, they would be
/// noise.
fn stretch(values: &[f32]) -> Vec<f32> {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if most - least > LEAST_SPREAD {
        return values.iter().map(|value| (value - least) / (most - least)).collect();
    }
    values.to_vec()
}

/// Returns the channel with the largest value at each place. Among equal channels the first wins.
fn argmax(channels: &[Vec<f32>]) -> Vec<u8> {
    let places = channels.first().map_or(0, Vec::len);
    let mut best = channels.first().cloned().unwrap_or_default();
    let mut labels = vec![0; places];
    for (label, channel) in (1..=u8::MAX).zip(&channels[1.min(channels.len())..]) {
        for ((best, chosen), value) in best.iter_mut().zip(&mut labels).zip(channel) {
            if *value > *best {
                (*best, *chosen) = (*value, label);
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_fills_the_frame_stays_whole() {
        let grid = Grid { rows: 4, columns: 5 };
        // Rounding leaves shares that are not exactly 0 and 1.
        let noise = |place: usize| (place * 7919 % 13) as f32 * 1e-7;
        let background = (0..grid.len()).map(noise);
        let object = (0..grid.len()).map(|place| 1.0 - noise(place));
        let masks = SoftMasks { grid, channels: 2, values: background.chain(object).collect() };
        assert!(masks.patch_labels().iter().all(|label| *label == 1));
    }
}
