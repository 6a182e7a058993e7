//! From the photo's pixels to the model's crop and the page's preview.
//!
//! The crop follows Pillow, which the models' own preprocessing uses: antialiased bicubic (a = -0.5) in two
//! passes, rounded to 8 bits in between. Only the crop's own pixels are computed. The resizer's weights have
//! 16 bits where Pillow's have 22: at most 1 value in 100 differs (tests/media.rs), by 1 level.

use std::array::from_fn;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::{MAX_PIXELS, MediaError, Photo};
use crate::geometry::{CropFromPhoto, Size};
use crate::model::Crop;

/// The bicubic kernel reaches this many pixels to each side, of whichever of the two pictures has the
/// larger ones.
const REACH: f64 = 2.0;

/// The crop as the model takes it: Pillow's antialiased bicubic (a = -0.5) to `frame.resized`, cut at
/// (`left`, `top`), `(x / 255 - mean) / std`, channels first.
///
/// # Errors
/// [`MediaError::Resample`] where the frame does not lie in the photo, or the photo's bytes are not of its
/// size.
pub fn crop(photo: &Photo, frame: &CropFromPhoto, mean: [f32; 3], std: [f32; 3]) -> Result<Crop, MediaError> {
    let Size { width, height } = frame.crop;
    if frame.left.saturating_add(width) > frame.resized.width
        || frame.top.saturating_add(height) > frame.resized.height
    {
        return Err(MediaError::Resample(format!("the crop leaves the photo: {frame:?}")));
    }
    // Multiplied before divided: a side that the crop takes whole stays exact.
    let held_from_resized =
        |pixels: usize, held: usize, resized: usize| pixels as f64 * held as f64 / resized as f64;
    let across = |pixels: usize| held_from_resized(pixels, photo.held.width, frame.resized.width);
    let down = |pixels: usize| held_from_resized(pixels, photo.held.height, frame.resized.height);
    let window =
        Window { left: across(frame.left), top: down(frame.top), width: across(width), height: down(height) };
    let rgb = resample(photo, window, frame.crop, First::as_in_pillow(photo.held, frame.resized))?;
    Ok(Crop { size: frame.crop, values: normalised(&rgb, mean, std) })
}

/// For display: RGBA bytes, at most `longest` pixels on the longer side, never enlarged.
///
/// # Errors
/// [`MediaError::Resample`] where the photo's bytes are not of its size.
pub fn preview(photo: &Photo, longest: usize) -> Result<(Size, Vec<u8>), MediaError> {
    let Size { width, height } = photo.held;
    let longer = width.max(height).max(1);
    let scale = longest.clamp(1, longer) as f64 / longer as f64;
    let side = |pixels: usize| ((pixels as f64 * scale).round() as usize).max(1);
    let size = Size { width: side(width), height: side(height) };
    let window = Window { left: 0.0, top: 0.0, width: width as f64, height: height as f64 };
    let rgb = resample(photo, window, size, First::Height)?;
    let (pixels, _) = rgb.as_chunks::<3>();
    let mut rgba = Vec::with_capacity(pixels.len() * 4);
    for &[red, green, blue] in pixels {
        rgba.extend([red, green, blue, 255]);
    }
    Ok((size, rgba))
}

/// Bytes, pixel by pixel, to normalised values, channel by channel.
fn normalised(rgb: &[u8], mean: [f32; 3], std: [f32; 3]) -> Vec<f32> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let mut values = Vec::with_capacity(rgb.len());
    for channel in 0..3 {
        // A byte becomes one of 256 numbers.
        let numbers: [f32; 256] = from_fn(|byte| (byte as f32 / 255.0 - mean[channel]) / std[channel]);
        values.extend(pixels.iter().map(|pixel| numbers[usize::from(pixel[channel])]));
    }
    values
}

/// A part of the held pixels, in fractions of them.
#[derive(Clone, Copy, Debug)]
struct Window {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// Which of the two passes goes first: each clips what overshoots black and white, so at hard edges the
/// order tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Width,
    Height,
}

impl First {
    /// Pillow brings the width to size first; since its version 13 the height, where a photo loses more than
    /// twice as much of that. Of centre crops this concerns photos more than twice as tall as wide.
    fn as_in_pillow(photo: Size, resized: Size) -> Self {
        let lost_height = photo.height.saturating_sub(resized.height) as f64;
        let lost_width = photo.width as f64 - resized.width as f64;
        if lost_height > 0.0 && lost_height > 2.0 * lost_width { Self::Height } else { Self::Width }
    }
}

/// The window of the photo at another size, RGB. The kernel sees what lies around the window, so that this
/// equals the same part of the whole photo resampled.
fn resample(photo: &Photo, window: Window, to: Size, first: First) -> Result<Vec<u8>, MediaError> {
    checked(photo, to)?;
    let (rows, window) = rows_in_reach(photo, window, to.height);
    let from = Size { width: photo.held.width, height: rows.len() };
    let rgb = &photo.rgb[rows.start * from.width * 3..rows.end * from.width * 3];
    if first == First::Height {
        // The resizer's own order.
        return pass(rgb, from, window, to);
    }
    // Never much larger than the photo: a sliver of millions of rows, which this would widen to gigabytes,
    // loses height and does not come here.
    let between = Size { width: to.width, height: from.height };
    let across = Window { top: 0.0, height: from.height as f64, ..window };
    let columns = pass(rgb, from, across, between)?;
    pass(&columns, between, Window { left: 0.0, width: to.width as f64, ..window }, to)
}

/// # Errors
/// Where the photo's bytes are not of its size, or the target has no pixels, or too many.
fn checked(photo: &Photo, to: Size) -> Result<(), MediaError> {
    let wanted = pixels(photo.held).and_then(|pixels| pixels.checked_mul(3));
    if photo.rgb.is_empty() || wanted != Some(photo.rgb.len()) {
        return Err(MediaError::Resample(format!("{} bytes for {:?}", photo.rgb.len(), photo.held)));
    }
    match pixels(to) {
        Some(pixels) if pixels > 0 && pixels as u64 <= MAX_PIXELS => Ok(()),
        _ => Err(MediaError::Resample(format!("to {} \u{d7} {} pixels", to.width, to.height))),
    }
}

fn pixels(size: Size) -> Option<usize> {
    size.width.checked_mul(size.height)
}

/// The photo's rows that the window's kernel reaches, and the window as seen from the first of them.
fn rows_in_reach(photo: &Photo, window: Window, to_height: usize) -> (std::ops::Range<usize>, Window) {
    let reach = REACH * (window.height / to_height as f64).max(1.0) + 1.0;
    let start = (window.top - reach).floor().max(0.0) as usize;
    let end = ((window.top + window.height + reach).ceil() as usize).min(photo.held.height);
    (start..end, Window { top: window.top - start as f64, ..window })
}

/// One call of the resizer: height, then width, without the pass of a side that stays as it is.
fn pass(rgb: &[u8], from: Size, window: Window, to: Size) -> Result<Vec<u8>, MediaError> {
    let failed = |err: &dyn std::error::Error| MediaError::Resample(err.to_string());
    let side = |pixels: usize| u32::try_from(pixels).map_err(|err| failed(&err));
    let source = TypedImageRef::<U8x3>::from_buffer(side(from.width)?, side(from.height)?, rgb)
        .map_err(|err| failed(&err))?;
    let mut bytes = vec![0; to.width * to.height * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(side(to.width)?, side(to.height)?, &mut bytes)
        .map_err(|err| failed(&err))?;
    // Rounding can push the window over the edge by an ulp, which the resizer refuses.
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
