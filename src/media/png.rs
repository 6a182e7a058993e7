//! Writes masks and pictures as PNG files, and reads masks from PNG files.

use std::io::Cursor;

use ::png::{BitDepth, ColorType, Decoder, Encoder, Limits, Transformations};

use super::error::MediaError;
use super::photo::MAX_PIXELS;
use crate::geometry::Size;

/// Returns an 8-bit grey PNG file of `values`, one per pixel, row by row.
///
/// # Errors
/// [`MediaError::Png`] if there are no pixels, or the number of values differs from the number of pixels.
pub fn grey_png(size: Size, values: &[u8]) -> Result<Vec<u8>, MediaError> {
    encoded(size, values, ColorType::Grayscale)
}

/// Returns an 8-bit RGB PNG file of `rgb`, three values per pixel, row by row.
///
/// # Errors
/// As [`grey_png`].
pub fn rgb_png(size: Size, rgb: &[u8]) -> Result<Vec<u8>, MediaError> {
    encoded(size, rgb, ColorType::Rgb)
}

/// Returns an 8-bit PNG file of labels with DAVIS's palette, one label per pixel, row by row.
///
/// # Errors
/// As [`grey_png`].
pub fn indexed_png(size: Size, labels: &[u8]) -> Result<Vec<u8>, MediaError> {
    encoded(size, labels, ColorType::Indexed)
}

/// Returns an 8-bit PNG file of this colour type.
fn encoded(size: Size, values: &[u8], colour: ColorType) -> Result<Vec<u8>, MediaError> {
    let Size { width, height } = size;
    let wanted = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(colour.samples()));
    if values.is_empty() || wanted != Some(values.len()) {
        return Err(MediaError::Png(format!("{} values do not fit {width} \u{d7} {height} pixels", values.len())));
    }
    let side = |pixels: usize| u32::try_from(pixels).map_err(|err| MediaError::Png(err.to_string()));
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side(width)?, side(height)?);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    if colour == ColorType::Indexed {
        encoder.set_palette(davis_palette().concat());
    }
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(values)?;
        writer.finish()
    });
    written.map_err(|err| MediaError::Png(err.to_string()))?;
    Ok(file)
}

/// Returns the colours of DAVIS's masks: 0 is black, 1 to 21 have the objects' colours, and the rest is grey.
pub fn davis_palette() -> [[u8; 3]; 256] {
    // Bits 0 to 2 of an object's number set the high bit of red, green and blue; bits 3 to 5 set the next lower bit.
    let colour = |label: usize| -> [u8; 3] {
        std::array::from_fn(|channel| {
            let (high, low) = ((label >> channel) & 1, (label >> (channel + 3)) & 1);
            match (high, low) {
                (0, 0) => 0,
                (1, 0) => 128,
                (0, _) => 64,
                _ => 191,
            }
        })
    };
    std::array::from_fn(|label| if label < 22 { colour(label) } else { [label as u8; 3] })
}

/// Returns the size and the labels of a mask file, one label per pixel, row by row. The labels are the palette's
/// indices or the grey values. If a grey PNG has only the values 0 and white, its labels are 0 and 1. `name` is the
/// file's name in error messages.
///
/// # Errors
/// [`MediaError::NotAMask`] if the file is not a PNG, has colours without a palette, transparency, or more than 256
/// labels, is damaged, or is too large.
pub fn labels_of_png(name: &str, bytes: &[u8]) -> Result<(Size, Vec<u8>), MediaError> {
    let wrong = |reason: &dyn std::fmt::Display| MediaError::NotAMask {
        name: name.to_owned(),
        reason: reason.to_string(),
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 64 << 20 });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|err| wrong(&err))?;
    let (colour, depth) = reader.output_color_type();
    let size = Size { width: reader.info().width as usize, height: reader.info().height as usize };
    match colour {
        ColorType::Indexed | ColorType::Grayscale => {}
        ColorType::GrayscaleAlpha => {
            return Err(wrong(&"it has transparency: save it as grey without transparency"));
        }
        ColorType::Rgb | ColorType::Rgba => return Err(wrong(&"it has colours without a palette")),
    }
    let fits = (size.width as u64).saturating_mul(size.height as u64) <= MAX_PIXELS;
    let Some(length) = reader.output_buffer_size().filter(|_length| fits) else {
        return Err(wrong(&"it is too large"));
    };
    let mut packed = vec![0; length];
    let frame = reader.next_frame(&mut packed).map_err(|err| wrong(&err))?;
    let rows = packed.chunks(frame.line_size.max(1)).take(size.height);
    let mut samples: Vec<u16> = rows.flat_map(|row| unpacked(row, depth as usize, size.width)).collect();
    let white = u16::MAX >> (16 - depth as usize);
    if colour == ColorType::Grayscale && samples.iter().all(|sample| [0, white].contains(sample)) {
        samples.iter_mut().for_each(|sample| *sample = (*sample).min(1));
    }
    let labels = samples.into_iter().map(u8::try_from).collect::<Result<_, _>>();
    Ok((size, labels.map_err(|_above| wrong(&"its 16-bit values are above 255: labels are 0 to 255"))?))
}

/// Returns a row's samples of `depth` bits each. The first sample is in the highest bits of the first byte.
fn unpacked(row: &[u8], depth: usize, width: usize) -> impl Iterator<Item = u16> {
    let sample = move |x: usize| {
        if depth == 16 {
            return u16::from_be_bytes([row[2 * x], row[2 * x + 1]]);
        }
        let each = 8 / depth;
        u16::from(row[x / each] >> (8 - depth - x % each * depth)) & (255 >> (8 - depth))
    };
    (0..width).map(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 5, height: 2 };

    #[test]
    fn palette_equals_daviss() {
        let palette = davis_palette();
        assert_eq!(palette[..4], [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]);
        assert_eq!(palette[8..10], [[64, 0, 0], [191, 0, 0]]);
        assert_eq!(
            palette[16..22],
            [[0, 64, 0], [128, 64, 0], [0, 191, 0], [128, 191, 0], [0, 64, 128], [128, 64, 128]]
        );
        assert_eq!((palette[22], palette[255]), ([22; 3], [255; 3]));
    }

    #[test]
    fn labels_survive_a_png_file() {
        let labels = [0, 1, 2, 0, 7, 255, 3, 0, 0, 1];
        let file = indexed_png(SIZE, &labels).unwrap();
        assert_eq!(labels_of_png("mask", &file).unwrap(), (SIZE, labels.to_vec()));
        let grey = grey_png(SIZE, &[0, 255, 255, 0, 0, 0, 0, 0, 0, 255]).unwrap();
        assert_eq!(labels_of_png("mask", &grey).unwrap().1, [0, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(labels_of_png("mask", &grey_png(SIZE, &labels).unwrap()).unwrap().1, labels);
    }

    #[test]
    fn small_palettes_are_unpacked() {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 5, 2);
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Two);
        encoder.set_palette(vec![0; 12]);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[0b00_01_10_11, 0b01_000000, 0b11_00_00_01, 0b10_000000]).unwrap();
        writer.finish().unwrap();
        assert_eq!(labels_of_png("mask", &file).unwrap().1, [0, 1, 2, 3, 1, 3, 0, 0, 1, 2]);
    }

    /// Returns a 16-bit PNG file of this colour type with these samples.
    fn png_of_16_bits(colour: ColorType, samples: &[u16]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 5, 2);
        encoder.set_color(colour);
        encoder.set_depth(BitDepth::Sixteen);
        let mut writer = encoder.write_header().unwrap();
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
        writer.write_image_data(&bytes).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn labels_of_16_bits_are_read_if_they_fit() {
        let grey = |samples: &[u16]| labels_of_png("mask", &png_of_16_bits(ColorType::Grayscale, samples));
        assert_eq!(grey(&[0, 1, 2, 0, 7, 255, 3, 0, 0, 1]).unwrap().1, [0, 1, 2, 0, 7, 255, 3, 0, 0, 1]);
        assert_eq!(grey(&[0, 65535, 0, 0, 0, 0, 0, 0, 0, 65535]).unwrap().1, [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert!(grey(&[0, 256, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap_err().to_string().contains("above 255"));
        let transparent = png_of_16_bits(ColorType::GrayscaleAlpha, &[1; 20]);
        assert!(labels_of_png("mask", &transparent).unwrap_err().to_string().contains("transparency"));
    }

    #[test]
    fn other_files_are_not_masks() {
        let rgb = rgb_png(SIZE, &[9; 30]).unwrap();
        let file = indexed_png(SIZE, &[0; 10]).unwrap();
        for wrong in [&b"GIF89a"[..], &[], &rgb, &file[..file.len() / 2]] {
            assert!(matches!(labels_of_png("mask", wrong), Err(MediaError::NotAMask { .. })));
        }
        assert!(rgb_png(SIZE, &[0; 10]).is_err() && indexed_png(SIZE, &[]).is_err());
    }
}
