//! Resamples the photo's pixels to the model's crop and to the page's preview (`docs/PAPERS.md, 1.5`).
//!
//! The crop follows Pillow, which the models' own preprocessing uses: antialiased bicubic (a = -0.5) in two passes,
//! with rounding to 8 bits in between. Only the crop's own pixels are computed. The resizer's weights have 16 bits,
//! Pillow's have 22. At most 1 value in 100 differs, by 1 level (the test of `media` checks this).

use std::array::from_fn;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::error::MediaError;
use super::photo::{MAX_PIXELS, Photo};
use crate::edges::{self, EdgeGuide};
use crate::geometry::{CropFromPhoto, Size};
use crate::model::Crop;

/// The reach of the bicubic kernel to each side, in pixels of the picture with the larger pixels.
const REACH: f64 = 2.0;

/// Returns the model's input: the photo resized to `frame.resized` with Pillow's antialiased bicubic (a = -0.5),
/// cropped at (`left`, `top`), and normalised to `(x / 255 - mean) / std`. The channels come first: `[3, height,
/// width]`.
///
/// # Errors
/// [`MediaError::Resample`] if the frame does not lie in the photo, or the photo's bytes do not fit its size.
pub fn crop(photo: &Photo, frame: &CropFromPhoto, mean: [f32; 3], std: [f32; 3]) -> Result<Crop, MediaError> {
    let Size { width, height } = frame.crop;
    if frame.left.saturating_add(width) > frame.resized.width
        || frame.top.saturating_add(height) > frame.resized.height
    {
        return Err(MediaError::Resample(format!("the crop reaches beyond the photo: {frame:?}")));
    }
    let rgb = crop_of_size(photo, frame, frame.crop)?;
    Ok(Crop { size: frame.crop, values: normalised(&rgb, mean, std) })
}

/// Returns the guide that moves the edges of masks onto the photo's edges (`docs/PAPERS.md, 1.16`).
///
/// # Errors
/// As [`crop`].
pub fn edge_guide(photo: &Photo, frame: &CropFromPhoto) -> Result<EdgeGuide, MediaError> {
    // The grid leaves out a crop edge that is narrower than a patch.
    let grid = frame.grid();
    let crop = Size { width: grid.columns * frame.patch, height: grid.rows * frame.patch };
    let rgb = crop_of_size(photo, &CropFromPhoto { crop, ..*frame }, edges::guide_size(frame))?;
    Ok(EdgeGuide::new(*frame, rgb))
}

/// Returns the RGB bytes of the crop at a size.
fn crop_of_size(photo: &Photo, frame: &CropFromPhoto, to: Size) -> Result<Vec<u8>, MediaError> {
    let Size { width, height } = frame.crop;
    // The product comes before the division: if the crop covers a whole side, the result for this side is then exact.
    let held_from_resized =
        |pixels: usize, held: usize, resized: usize| pixels as f64 * held as f64 / resized as f64;
    let across = |pixels: usize| held_from_resized(pixels, photo.held.width, frame.resized.width);
    let down = |pixels: usize| held_from_resized(pixels, photo.held.height, frame.resized.height);
    let window =
        PhotoWindow { left: across(frame.left), top: down(frame.top), width: across(width), height: down(height) };
    resample(photo, window, to, PassOrder::of_pillow(photo.held, frame.resized))
}

/// Returns the photo, held with at most `longest` pixels along the longer side. The photo is never enlarged.
///
/// # Errors
/// [`MediaError::Resample`] if the photo's bytes do not fit its size.
pub fn preview(photo: &Photo, longest: usize) -> Result<Photo, MediaError> {
    let Size { width, height } = photo.held;
    let longer = width.max(height).max(1);
    let scale = longest.clamp(1, longer) as f64 / longer as f64;
    let side = |pixels: usize| ((pixels as f64 * scale).round() as usize).max(1);
    let size = Size { width: side(width), height: side(height) };
    let window = PhotoWindow { left: 0.0, top: 0.0, width: width as f64, height: height as f64 };
    let rgb = resample(photo, window, size, PassOrder::HeightFirst)?;
    Ok(Photo { size: photo.size, held: size, rgb })
}

/// Converts RGB bytes, pixel by pixel, to normalised values, channel by channel.
fn normalised(rgb: &[u8], mean: [f32; 3], std: [f32; 3]) -> Vec<f32> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let mut values = Vec::with_capacity(rgb.len());
    for channel in 0..3 {
        // A table of the results for all 256 bytes.
        let numbers: [f32; 256] = from_fn(|byte| (byte as f32 / 255.0 - mean[channel]) / std[channel]);
        values.extend(pixels.iter().map(|pixel| numbers[usize::from(pixel[channel])]));
    }
    values
}

/// A part of the photo's pixels, with fractions of pixels.
#[derive(Clone, Copy, Debug)]
struct PhotoWindow {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// The order of the two passes. Each pass clips values beyond black and white, so the order changes hard edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassOrder {
    WidthFirst,
    HeightFirst,
}

impl PassOrder {
    /// Returns Pillow's order. Pillow resizes the width first. Since version 13, it resizes the height first if the
    /// photo loses more than twice as much height as width. For centre crops, this concerns photos that are more than
    /// twice as tall as wide.
    fn of_pillow(photo: Size, resized: Size) -> Self {
        let lost_height = photo.height.saturating_sub(resized.height) as f64;
        let lost_width = photo.width as f64 - resized.width as f64;
        if lost_height > 0.0 && lost_height > 2.0 * lost_width { Self::HeightFirst } else { Self::WidthFirst }
    }
}

/// Returns the RGB bytes of the window at another size. The kernel reads pixels around the window, so the result
/// equals the same part of the whole resampled photo.
fn resample(photo: &Photo, window: PhotoWindow, to: Size, order: PassOrder) -> Result<Vec<u8>, MediaError> {
    check(photo, to)?;
    let (rows, window) = rows_in_reach(photo, window, to.height);
    let from = Size { width: photo.held.width, height: rows.len() };
    let rgb = &photo.rgb[rows.start * from.width * 3..rows.end * from.width * 3];
    if order == PassOrder::HeightFirst {
        // This is the resizer's own order.
        return pass(rgb, from, window, to);
    }
    // `between` is never much larger than the photo. A photo of a few columns and millions of rows would grow to
    // gigabytes here, but such a photo loses height, so its height goes first.
    let between = Size { width: to.width, height: from.height };
    let across = PhotoWindow { top: 0.0, height: from.height as f64, ..window };
    let columns = pass(rgb, from, across, between)?;
    pass(&columns, between, PhotoWindow { left: 0.0, width: to.width as f64, ..window }, to)
}

/// Checks the photo and the target size.
///
/// # Errors
/// [`MediaError::Resample`] if the photo's bytes do not fit its size, or the target has no pixels or too many.
fn check(photo: &Photo, to: Size) -> Result<(), MediaError> {
    let wanted = pixels(photo.held).and_then(|pixels| pixels.checked_mul(3));
    if photo.rgb.is_empty() || wanted != Some(photo.rgb.len()) {
        return Err(MediaError::Resample(format!(
            "it has {} bytes, which do not fit {:?}",
            photo.rgb.len(),
            photo.held
        )));
    }
    match pixels(to) {
        Some(pixels) if pixels > 0 && pixels as u64 <= MAX_PIXELS => Ok(()),
        _ => Err(MediaError::Resample(format!("{} \u{d7} {} is not a possible size", to.width, to.height))),
    }
}

fn pixels(size: Size) -> Option<usize> {
    size.width.checked_mul(size.height)
}

/// Returns the photo's rows that the kernel reaches, and the window relative to the first of these rows.
fn rows_in_reach(photo: &Photo, window: PhotoWindow, to_height: usize) -> (std::ops::Range<usize>, PhotoWindow) {
    let reach = REACH * (window.height / to_height as f64).max(1.0) + 1.0;
    let start = (window.top - reach).floor().max(0.0) as usize;
    let end = ((window.top + window.height + reach).ceil() as usize).min(photo.held.height);
    (start..end, PhotoWindow { top: window.top - start as f64, ..window })
}

/// Calls the resizer once. It resizes the height, then the width, and skips a side that does not change.
fn pass(rgb: &[u8], from: Size, window: PhotoWindow, to: Size) -> Result<Vec<u8>, MediaError> {
    let failed = |err: &dyn std::error::Error| MediaError::Resample(err.to_string());
    let side = |pixels: usize| u32::try_from(pixels).map_err(|err| failed(&err));
    let source = TypedImageRef::<U8x3>::from_buffer(side(from.width)?, side(from.height)?, rgb)
        .map_err(|err| failed(&err))?;
    let mut bytes = vec![0; to.width * to.height * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(side(to.width)?, side(to.height)?, &mut bytes)
        .map_err(|err| failed(&err))?;
    // Rounding can move the window over the edge by one unit in the last place, which the resizer refuses.
    let width = window.width.min(from.width as f64 - window.left);
    let height = window.height.min(from.height as f64 - window.top);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).crop(
        window.left,
        window.top,
        width,
        height,
    );
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|err| failed(&err))?;
    Ok(bytes)
}
