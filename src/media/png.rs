//! Masks as PNG files.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::MediaError;
use crate::geometry::Size;

/// An 8-bit grey PNG file of `values`, one per pixel, rows first.
///
/// # Errors
/// Where there are no pixels, or not as many values as pixels.
pub fn grey_png(size: Size, values: &[u8]) -> Result<Vec<u8>, MediaError> {
    let Size { width, height } = size;
    if values.is_empty() || width.checked_mul(height) != Some(values.len()) {
        return Err(MediaError::Png(format!("{} values for {width} \u{d7} {height} pixels", values.len())));
    }
    let side = |pixels: usize| u32::try_from(pixels).map_err(|err| MediaError::Png(err.to_string()));
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(values, side(width)?, side(height)?, ExtendedColorType::L8)
        .map_err(|err| MediaError::Png(err.to_string()))?;
    Ok(file)
}
