//! Decodes pictures outside the browser, with the `image` crate.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use imagesize::ImageType;

use super::error::MediaError;
use super::photo::Photo;
use super::picture_header::{self, PictureHeader};
use crate::geometry::Size;

/// The bytes that a decoder may allocate for each pixel: four 32-bit samples.
const BYTES_PER_PIXEL: u64 = 16;
/// The bytes that a decoder may allocate in addition.
const EXTRA_BYTES: u64 = 64 << 20;

/// Decodes a picture file. The result is upright, with transparent pixels over white. An animation gives its first
/// frame. `name` is the file's name in error messages.
///
/// # Errors
/// [`MediaError`] if the file is empty, is not a picture, has a format that the `image` crate does not read here, is
/// cut off or damaged, has no pixels, or has more than [`super::MAX_PIXELS`].
pub async fn decode(name: &str, bytes: &[u8]) -> Result<Photo, MediaError> {
    let picture = decode_upright(name, bytes)?;
    let size = Size { width: picture.width() as usize, height: picture.height() as usize };
    Ok(Photo { size, held: size, rgb: over_white(picture) })
}

/// Decodes a picture and applies its orientation.
///
/// # Errors
/// As [`decode`].
fn decode_upright(name: &str, bytes: &[u8]) -> Result<DynamicImage, MediaError> {
    let header = picture_header::read_header(name, bytes)?;
    let unsupported = || MediaError::Unsupported {
        name: name.to_owned(),
        format: picture_header::name_of(header.kind),
        reader: "this program",
    };
    let format = format_of(header.kind).ok_or_else(unsupported)?;
    upright(format, &header, bytes).map_err(|err| match err {
        ImageError::Unsupported(_) => unsupported(),
        // The decoder's limits are the header's own numbers: a picture that exceeds them contradicts its header.
        _ => MediaError::Damaged { name: name.to_owned() },
    })
}

/// Decodes a mask file. Returns its size, and for each pixel whether the pixel is foreground, row by row: it is neither
/// black nor transparent. `name` is the file's name in error messages.
///
/// # Errors
/// As [`decode`]; [`MediaError::NotAMask`] if the file has transparent pixels, and all others are black: such a file
/// does not say which pixels are foreground.
pub fn decode_foreground(name: &str, bytes: &[u8]) -> Result<(Size, Vec<bool>), MediaError> {
    // 16 bits: the label 1 of a 16-bit file is black in 8 bits.
    let picture = decode_upright(name, bytes)?.into_rgba16();
    let size = Size { width: picture.width() as usize, height: picture.height() as usize };
    let (pixels, _) = picture.as_raw().as_chunks::<4>();
    let is_foreground = |pixel: &[u16; 4]| pixel[3] > 0 && pixel[..3] != [0; 3];
    let foreground: Vec<bool> = pixels.iter().map(is_foreground).collect();
    if pixels.iter().any(|pixel| pixel[3] == 0) && !foreground.contains(&true) {
        let reason = "its pixels are black or transparent: draw the object in white on black".into();
        return Err(MediaError::NotAMask { name: name.to_owned(), reason });
    }
    Ok((size, foreground))
}

/// Returns the `image` crate's name of a format; `None` if the crate does not read the format.
fn format_of(kind: ImageType) -> Option<ImageFormat> {
    Some(match kind {
        ImageType::Bmp => ImageFormat::Bmp,
        ImageType::Gif => ImageFormat::Gif,
        ImageType::Jpeg => ImageFormat::Jpeg,
        ImageType::Png => ImageFormat::Png,
        ImageType::Pnm => ImageFormat::Pnm,
        ImageType::Qoi => ImageFormat::Qoi,
        ImageType::Tga => ImageFormat::Tga,
        ImageType::Tiff => ImageFormat::Tiff,
        ImageType::Webp => ImageFormat::WebP,
        _ => return None,
    })
}

/// Decodes the picture and applies its orientation.
fn upright(format: ImageFormat, header: &PictureHeader, bytes: &[u8]) -> ImageResult<DynamicImage> {
    let Size { width, height } = header.stored;
    let mut limits = Limits::default();
    limits.max_image_width = u32::try_from(width).ok();
    limits.max_image_height = u32::try_from(height).ok();
    limits.max_alloc = Some((width * height) as u64 * BYTES_PER_PIXEL + EXTRA_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // A photo with broken EXIF keeps its stored orientation, as in browsers.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Returns the RGB bytes over white, row by row.
fn over_white(picture: DynamicImage) -> Vec<u8> {
    if !picture.color().has_alpha() {
        return picture.into_rgb8().into_raw();
    }
    let rgba = picture.into_rgba8().into_raw();
    let (pixels, _) = rgba.as_chunks::<4>();
    let mut rgb = Vec::with_capacity(pixels.len() * 3);
    for &[red, green, blue, alpha] in pixels {
        let alpha = u32::from(alpha);
        let over = |value: u8| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        rgb.extend([red, green, blue].map(over));
    }
    rgb
}
