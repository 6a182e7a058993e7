//! Reads the header of a picture file before the picture is decoded. The native side and the browser use the same
//! code, so both refuse a decompression bomb.

use image::metadata::Orientation;
use imagesize::{Compression, ImageType};

use super::error::MediaError;
use super::photo::MAX_PIXELS;
use crate::geometry::Size;

/// A picture file's format and size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PictureHeader {
    pub kind: ImageType,
    /// The size in the file, 1 to [`MAX_PIXELS`] pixels.
    pub stored: Size,
    /// The size after EXIF orientation is applied, for a JPEG; for other formats, the size in the file.
    pub upright: Size,
}

/// Reads a picture's format and size, and checks whether the file is whole.
///
/// # Errors
/// [`MediaError`] if the file is empty, is not a picture, is cut off, or has no pixels or more than [`MAX_PIXELS`].
pub(super) fn read_header(name: &str, bytes: &[u8]) -> Result<PictureHeader, MediaError> {
    let name = || name.to_owned();
    if bytes.is_empty() {
        return Err(MediaError::Empty { name: name() });
    }
    let kind = imagesize::image_type(bytes).map_err(|_unknown| MediaError::NotAPicture { name: name() })?;
    let (width, height) = stored_size(kind, bytes).ok_or_else(|| MediaError::Damaged { name: name() })?;
    match width.saturating_mul(height) {
        0 => return Err(MediaError::NoPixels { name: name(), width, height }),
        pixels if pixels > MAX_PIXELS => return Err(MediaError::TooLarge { name: name(), width, height }),
        _ if is_cut_off(kind, bytes) => return Err(MediaError::Damaged { name: name() }),
        _ => {}
    }
    // Both sides are at most MAX_PIXELS, which fits into any usize.
    let stored = Size { width: width as usize, height: height as usize };
    let upright = match kind {
        ImageType::Jpeg if jpeg_lies_on_its_side(bytes) => Size { width: stored.height, height: stored.width },
        _ => stored,
    };
    Ok(PictureHeader { kind, stored, upright })
}

/// Returns the name of a picture format, for messages.
pub(super) fn name_of(kind: ImageType) -> &'static str {
    match kind {
        ImageType::Bmp => "BMP",
        ImageType::Gif => "GIF",
        ImageType::Heif(Compression::Av1) => "AVIF",
        ImageType::Heif(_) => "HEIC",
        ImageType::Jpeg => "JPEG",
        ImageType::Png => "PNG",
        ImageType::Pnm => "PNM",
        ImageType::Qoi => "QOI",
        ImageType::Tga => "TGA",
        ImageType::Tiff => "TIFF",
        ImageType::Webp => "WebP",
        _ => "rare",
    }
}

/// Returns the width and height in the file; `None` if the header is damaged.
fn stored_size(kind: ImageType, bytes: &[u8]) -> Option<(u64, u64)> {
    if kind == ImageType::Bmp {
        return bmp_size(bytes);
    }
    let size = imagesize::blob_size(bytes).ok()?;
    Some((size.width as u64, size.height as u64))
}

/// Returns a BMP's size. `imagesize` reads the height as unsigned, but a BMP whose rows start at the top has a
/// negative height. OS/2's short header has 16-bit sides.
fn bmp_size(bytes: &[u8]) -> Option<(u64, u64)> {
    let field = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_le_bytes);
    if field(14)? == 12 {
        let sides = field(18)? as u32;
        return Some((u64::from(sides & 0xFFFF), u64::from(sides >> 16)));
    }
    Some((u64::from(field(18)?.unsigned_abs()), u64::from(field(22)?.unsigned_abs())))
}

/// Returns whether the file ends before its own end marker. Decoders do not agree here: many fill the missing part of
/// a JPEG with grey and report no error.
fn is_cut_off(kind: ImageType, bytes: &[u8]) -> bool {
    match kind {
        ImageType::Jpeg => !jpeg_segments(bytes).any(|(marker, _)| marker == jpeg::END),
        ImageType::Png => !png_has_end(bytes),
        ImageType::Webp => {
            let riff = bytes.get(4..8).and_then(|field| field.try_into().ok()).map(u32::from_le_bytes);
            riff.is_none_or(|length| (bytes.len() as u64) < 8 + u64::from(length))
        }
        _ => false,
    }
}

/// Returns whether a PNG has its end chunk.
fn png_has_end(bytes: &[u8]) -> bool {
    /// The bytes around a chunk's data: length and kind before, a checksum after.
    const FRAME: u64 = 12;
    let mut at = 8;
    while let Some(&[a, b, c, d, ref kind @ ..]) = bytes.get(at..at + 8) {
        let next = at as u64 + FRAME + u64::from(u32::from_be_bytes([a, b, c, d]));
        if next > bytes.len() as u64 {
            return false;
        }
        if kind == b"IEND" {
            return true;
        }
        at = next as usize;
    }
    false
}

/// The JPEG markers that matter here. A marker is the byte after 0xFF.
mod jpeg {
    pub const END: u8 = 0xD9;
    pub const SCAN: u8 = 0xDA;
    pub const APP1: u8 = 0xE1;
    pub const FILL: u8 = 0xFF;

    /// Returns whether a marker has no length: restarts, and the start of the image.
    pub fn has_no_length(marker: u8) -> bool {
        matches!(marker, 0x01 | 0xD0..=0xD8)
    }
}

/// Iterates over a JPEG's segments, including its end: marker and payload. It stops before a segment that is cut off.
fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut at = 2;
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        // Only fill bytes and a scan's data lie between segments. In a scan's data, 0 or a restart marker follows
        // each 0xFF.
        let mut marker = 0;
        while marker == 0 || marker == jpeg::FILL || jpeg::has_no_length(marker) {
            at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)? + 1;
            marker = *bytes.get(at)?;
        }
        at += 1;
        if marker == jpeg::END {
            is_over = true;
            return Some((marker, &[][..]));
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let payload = bytes.get(at + 2..at + length)?;
        at += length;
        Some((marker, payload))
    })
}

/// Returns whether EXIF orientation swaps the JPEG's width and height.
fn jpeg_lies_on_its_side(bytes: &[u8]) -> bool {
    let exif = jpeg_segments(bytes)
        .take_while(|&(marker, _)| marker != jpeg::SCAN)
        .filter(|&(marker, _)| marker == jpeg::APP1)
        .find_map(|(_, payload)| payload.strip_prefix(b"Exif\0\0"));
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        exif.and_then(Orientation::from_exif_chunk),
        Some(Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a JPEG that has only markers: EXIF, size, a scan and its end.
    fn jpeg(orientation: u8, width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE1, 0, 34];
        bytes.extend(b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0");
        bytes.extend([orientation, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0xFF, 0xC0, 0, 11, 8]);
        bytes.extend([height.to_be_bytes(), width.to_be_bytes()].concat());
        bytes.extend([1, 1, 0x11, 0]);
        bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]);
        bytes.extend([1, 2, 0xFF, 0, 0xFF, 0xD0, 3, 0xFF, 0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn exif_orientation_swaps_a_jpegs_sides() {
        for orientation in 1..=8 {
            let header = read_header("side.jpg", &jpeg(orientation, 40, 30)).unwrap();
            assert_eq!(header.stored, Size { width: 40, height: 30 });
            let is_turned = orientation >= 5;
            assert_eq!(header.upright.width, if is_turned { 30 } else { 40 }, "orientation {orientation}");
        }
    }

    #[test]
    fn jpegs_cut_off_anywhere_are_damaged() {
        let whole = jpeg(1, 40, 30);
        for length in 12..whole.len() {
            let cut = read_header("cut.jpg", &whole[..length]);
            assert!(matches!(cut, Err(MediaError::Damaged { .. })), "{length} bytes: {cut:?}");
        }
    }

    #[test]
    fn decompression_bombs_are_refused() {
        assert!(matches!(read_header("bomb.jpg", &jpeg(1, 60_000, 60_000)), Err(MediaError::TooLarge { .. })));
        assert!(matches!(read_header("none.jpg", &jpeg(1, 0, 60_000)), Err(MediaError::NoPixels { .. })));
    }

    #[test]
    fn top_down_bmps_have_a_positive_height() {
        let mut bytes = b"BM".to_vec();
        bytes.extend([0; 12]);
        bytes.extend([40i32, 7, -5].map(i32::to_le_bytes).concat());
        assert_eq!(read_header("top.bmp", &bytes).unwrap().stored, Size { width: 7, height: 5 });
    }
}
