//! Decoding outside the browser, by the `image` crate.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use imagesize::ImageType;

use super::header::{self, Header};
use super::{MediaError, Photo};
use crate::geometry::Size;

/// What a decoder may allocate: this per pixel (four 32-bit samples), and this besides.
const BYTES_PER_PIXEL: u64 = 16;
const BYTES_BESIDES: u64 = 64 << 20;

/// Decodes a picture file: upright, transparency over white; of an animation the first frame. `name` is the
/// file's, for the error's sentence.
///
/// # Errors
/// Where the file is empty, no picture, of a kind not read here, cut off or damaged, without pixels, or
/// larger than [`super::MAX_PIXELS`].
pub async fn decode(name: &str, bytes: &[u8]) -> Result<Photo, MediaError> {
    let header = header::probe(name, bytes)?;
    let unsupported = || MediaError::Unsupported {
        name: name.to_owned(),
        format: header::name_of(header.kind),
        reader: "this program",
    };
    let format = format_of(header.kind).ok_or_else(unsupported)?;
    let picture = upright(format, &header, bytes).map_err(|err| match err {
        ImageError::Unsupported(_) => unsupported(),
        // Its limits are the header's own numbers: a picture that passes them belies its header.
        _ => MediaError::Damaged { name: name.to_owned() },
    })?;
    let size = Size { width: picture.width() as usize, height: picture.height() as usize };
    Ok(Photo { size, held: size, rgb: over_white(picture) })
}

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

fn upright(format: ImageFormat, header: &Header, bytes: &[u8]) -> ImageResult<DynamicImage> {
    let Size { width, height } = header.stored;
    let mut limits = Limits::default();
    limits.max_image_width = u32::try_from(width).ok();
    limits.max_image_height = u32::try_from(height).ok();
    limits.max_alloc = Some((width * height) as u64 * BYTES_PER_PIXEL + BYTES_BESIDES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // A photo with broken EXIF is shown as it is stored, as browsers do.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// RGB bytes, rows first.
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
