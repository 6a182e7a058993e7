//! Photo files compared with Pillow, their crops compared with Pillow's, and files that are no photos.
//!
//! `tests/reference/media.py` made the files and Pillow's results.
#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};

use headlamp::geometry::{CropFromPhoto, Framing, LongSide, Size};
use headlamp::media::{self, MAX_PIXELS, MediaError, Photo};
use safetensors::SafeTensors;

const SIZE: usize = 24;
const PATCH: usize = 8;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures")
}

fn bytes_of(name: &str) -> Vec<u8> {
    let file = fixtures().join("media").join(name);
    std::fs::read(&file).unwrap_or_else(|err| panic!("{}: {err}", file.display()))
}

fn decode(name: &str, bytes: &[u8]) -> Result<Photo, MediaError> {
    pollster::block_on(media::decode(name, bytes))
}

/// The pixels that Pillow decodes.
struct Expected {
    size: Size,
    rgb: Vec<u8>,
}

fn expected(name: &str) -> Option<Expected> {
    let file = bytes_of("media.expected.safetensors");
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let tensor = tensors.tensor(name).ok()?;
    let [height, width, 3] = tensor.shape() else { panic!("{name}: {:?}", tensor.shape()) };
    Some(Expected { size: Size { width: *width, height: *height }, rgb: tensor.data().to_vec() })
}

/// The difference between two pictures, in grey levels of 255.
#[derive(Debug)]
struct Difference {
    largest: u8,
    mean: f64,
    /// Share of the values that differ.
    share: f64,
}

fn difference(found: &[u8], expected: &[u8]) -> Difference {
    assert_eq!(found.len(), expected.len());
    let differences: Vec<u8> = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).collect();
    let count = differences.len() as f64;
    Difference {
        largest: differences.iter().copied().max().unwrap_or(0),
        mean: differences.iter().map(|&value| f64::from(value)).sum::<f64>() / count,
        share: differences.iter().filter(|&&value| value > 0).count() as f64 / count,
    }
}

/// Crops `photo` to 8 bits for a model without normalisation. Returns the size and the pixels.
fn crop_bytes(photo: &Photo, framing: Framing, size: usize, patch: usize) -> (Size, Vec<u8>) {
    let frame = CropFromPhoto::new(photo.size, framing, size, patch, LongSide::Truncated);
    let crop = media::crop(photo, &frame, [0.0; 3], [1.0; 3]).unwrap();
    assert_eq!(crop.size, frame.crop);
    let pixels = crop.size.width * crop.size.height;
    assert_eq!(crop.values.len(), 3 * pixels);
    let value = |index: usize| (crop.values[index % 3 * pixels + index / 3] * 255.0).round() as u8;
    (crop.size, (0..3 * pixels).map(value).collect())
}

#[test]
fn every_image_format_decodes_like_pillow() {
    // Lossless formats are read exactly, except for the rounding of 16 bits and of transparency. Decoders of JPEG
    // and of lossy WebP may differ, most of all in how they enlarge halved colour.
    let (exact, lossy) = ((1, 0.6), (12, 1.5));
    for (name, (largest, mean)) in [
        ("lossless.webp", exact),
        ("photo.bmp", exact),
        ("photo.tga", exact),
        ("photo.ppm", exact),
        ("photo.tiff", exact),
        ("grey.png", exact),
        ("palette.png", exact),
        ("alpha.png", exact),
        ("alpha.webp", exact),
        ("deep.png", exact),
        ("frames.gif", exact),
        ("baseline.jpg", lossy),
        ("progressive.jpg", lossy),
        ("grey.jpg", lossy),
        ("chroma.jpg", lossy),
        ("cmyk.jpg", lossy),
        ("lossy.webp", lossy),
    ] {
        let photo = decode(name, &bytes_of(name)).unwrap();
        let expected = expected(&format!("{name}.pixels")).unwrap();
        assert_eq!((photo.size, photo.held), (expected.size, expected.size), "{name}");
        let apart = difference(&photo.rgb, &expected.rgb);
        println!("{name}: {apart:?}");
        assert!(apart.largest <= largest && apart.mean <= mean, "{name}: {apart:?}");
    }
}

#[test]
fn all_eight_exif_orientations_are_turned_upright() {
    let upright = expected("upright").unwrap();
    for orientation in 1..=8 {
        let name = format!("exif{orientation}.jpg");
        let photo = decode(&name, &bytes_of(&name)).unwrap();
        assert_eq!(photo.size, upright.size, "{name}");
        let apart = difference(&photo.rgb, &upright.rgb);
        assert!(apart.mean < 3.0, "{name}: {apart:?}");
    }
}

#[test]
fn crops_of_every_shape_match_pillow() {
    let mut compared = 0;
    for name in [
        "landscape.png",
        "portrait.png",
        "square.png",
        "near.png",
        "shrunk.png",
        "enlarged.png",
        "column.png",
        "row.png",
        "dot.png",
        "grey.png",
        "alpha.png",
    ] {
        let photo = decode(name, &bytes_of(name)).unwrap();
        for (framing, key) in [(Framing::CentreCrop, "centre"), (Framing::WholePhoto, "whole")] {
            let Some(expected) = expected(&format!("{name}.{key}")) else { continue };
            let (size, found) = crop_bytes(&photo, framing, SIZE, PATCH);
            assert_eq!(size, expected.size, "{name} {key}");
            let apart = difference(&found, &expected.rgb);
            println!("{name} {key}: {apart:?}");
            assert!(apart.largest <= 1 && apart.share < 0.01, "{name} {key}: {apart:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 15);
}

#[test]
fn the_flower_crop_matches_pillow() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/samples/flower.jpg");
    let photo = decode("flower.jpg", &std::fs::read(samples).unwrap()).unwrap();
    let expected = decode("crop.png", &std::fs::read(fixtures().join("default_pack/crop.png")).unwrap()).unwrap();
    let (_, found) = crop_bytes(&photo, Framing::CentreCrop, 224, 14);
    let apart = difference(&found, &expected.rgb);
    println!("flower: {apart:?}");
    assert!(apart.largest <= 3 && apart.mean < 0.25, "{apart:?}");
}

#[test]
fn a_crop_is_normalised_and_channels_first() {
    let photo = Photo {
        size: Size { width: 2, height: 2 },
        held: Size { width: 2, height: 2 },
        rgb: [255, 0, 51].repeat(4),
    };
    let frame = CropFromPhoto::new(photo.size, Framing::CentreCrop, SIZE, PATCH, LongSide::Truncated);
    let crop = media::crop(&photo, &frame, [0.5, 0.25, 0.1], [0.5, 0.25, 0.2]).unwrap();
    for (channel, expected) in crop.values.chunks(SIZE * SIZE).zip([1.0, -1.0, 0.5]) {
        assert!(channel.iter().all(|value| (value - expected).abs() < 1e-6), "{expected}: {}", channel[0]);
    }
}

/// Draws a photo whose values grow from left to right and from top to bottom.
fn ramp(width: usize, height: usize) -> Photo {
    let value = |at: usize, side: usize| (at * 255 / side.max(2).saturating_sub(1)).min(255) as u8;
    let pixel = |y: usize, x: usize| [value(x, width), value(y, height), 128];
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(y, x))).collect();
    let size = Size { width, height };
    Photo { size, held: size, rgb }
}

#[test]
fn the_crop_size_does_not_depend_on_the_photo_size() {
    let slivers = [(30_000, 1), (1, 30_000), (1, 1_000_000), (1_000_000, 1), (3, 9_000), (5_000, 2)];
    let small = (1..40).flat_map(|width| [1, 2, 7, 23, 24, 25, 61].map(|height| (width, height)));
    for (width, height) in slivers.into_iter().chain(small) {
        let photo = ramp(width, height);
        for framing in [Framing::CentreCrop, Framing::WholePhoto] {
            // `crop_bytes` asserts that the size is the frame's.
            let (_, rgb) = crop_bytes(&photo, framing, SIZE, PATCH);
            assert!(rgb.chunks(3).all(|pixel| pixel[2] == 128), "{width} x {height}, {framing:?}");
        }
    }
}

#[test]
fn a_very_narrow_photo_is_cropped_at_its_frame() {
    // The frame covers the middle 224 of 6,720,000 resampled columns.
    let photo = ramp(30_000, 1);
    let (_, rgb) = crop_bytes(&photo, Framing::CentreCrop, 224, 14);
    assert!(rgb.chunks(3).all(|pixel| pixel[0].abs_diff(127) <= 1), "{:?}", &rgb[..3]);
}

#[test]
fn a_photo_kept_at_reduced_size_gives_the_same_crop() {
    let whole = ramp(400, 300);
    let reduced = media::preview(&whole, 200).unwrap();
    assert_eq!((reduced.size, reduced.held), (whole.size, Size { width: 200, height: 150 }));
    for framing in [Framing::CentreCrop, Framing::WholePhoto] {
        let (size, expected) = crop_bytes(&whole, framing, SIZE, PATCH);
        let (reduced_size, found) = crop_bytes(&reduced, framing, SIZE, PATCH);
        assert_eq!(size, reduced_size);
        let apart = difference(&found, &expected);
        assert!(apart.largest <= 2, "{framing:?}: {apart:?}");
    }
}

#[test]
fn previews_are_never_larger_than_the_photo() {
    for (photo, longest, expected) in [
        (ramp(400, 300), 100, (100, 75)),
        (ramp(300, 400), 100, (75, 100)),
        (ramp(40, 30), 100, (40, 30)),
        (ramp(30_000, 1), 1400, (1400, 1)),
        (ramp(1, 1), 1400, (1, 1)),
        (ramp(50, 20), 0, (1, 1)),
    ] {
        let preview = media::preview(&photo, longest).unwrap();
        let (size, rgba) = (preview.held, preview.rgba());
        assert_eq!((size.width, size.height), expected);
        assert_eq!(rgba.len(), size.width * size.height * 4);
        assert!(rgba.chunks(4).all(|pixel| pixel[3] == 255));
    }
    let small = media::preview(&ramp(40, 30), 100).unwrap();
    assert_eq!(small.rgb, ramp(40, 30).rgb, "a small photo keeps its size");
}

#[test]
fn a_wrong_number_of_pixels_is_refused() {
    let mut photo = ramp(40, 30);
    photo.rgb.pop();
    let frame = CropFromPhoto::new(photo.size, Framing::CentreCrop, SIZE, PATCH, LongSide::Truncated);
    assert!(matches!(media::crop(&photo, &frame, [0.0; 3], [1.0; 3]), Err(MediaError::Resample(_))));
    assert!(matches!(media::preview(&photo, 10), Err(MediaError::Resample(_))));
    let outside = CropFromPhoto { left: frame.resized.width, ..frame };
    assert!(matches!(media::crop(&ramp(40, 30), &outside, [0.0; 3], [1.0; 3]), Err(MediaError::Resample(_))));
}

#[test]
fn a_grey_png_reads_back() {
    let values: Vec<u8> = (0..35).map(|value| value * 7).collect();
    let png = media::grey_png(Size { width: 7, height: 5 }, &values).unwrap();
    let photo = decode("mask.png", &png).unwrap();
    assert_eq!(photo.size, Size { width: 7, height: 5 });
    assert_eq!(photo.rgb, values.iter().flat_map(|value| [*value; 3]).collect::<Vec<u8>>());
    for size in [Size { width: 7, height: 4 }, Size { width: 0, height: 0 }, Size { width: usize::MAX, height: 3 }]
    {
        assert!(matches!(media::grey_png(size, &values), Err(MediaError::Png(_))), "{size:?}");
    }
}

// --- files that are no photos -------------------------------------------------------------------------------

/// Returns the message of the error. Asserts that the message names the file and has no words of a program.
fn sentence(name: &str, bytes: &[u8]) -> String {
    let message = decode(name, bytes).unwrap_err().to_string();
    assert!(message.contains(name), "{message}");
    for debris in ["Err(", "Error", "Some(", "{", "panicked"] {
        assert!(!message.contains(debris), "{message}");
    }
    message
}

/// A PNG that declares a size and holds almost no data.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = bytes_of("dot.png");
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    bytes
}

#[test]
fn files_that_are_no_pictures_are_refused() {
    assert!(sentence("nothing.png", b"").contains("is empty"));
    for bytes in [&b"Dear diary, this is no picture.\n"[..], b"x", b"<svg xmlns='http://www.w3.org/2000/svg'/>"] {
        assert!(sentence("holiday.png", bytes).contains("is not a picture"));
    }
}

#[test]
fn truncated_pictures_are_reported_as_truncated() {
    for name in ["landscape.png", "baseline.jpg", "progressive.jpg", "exif6.jpg", "lossless.webp", "lossy.webp"] {
        let whole = bytes_of(name);
        for eighth in 1..8 {
            let message = sentence(name, &whole[..whole.len() * eighth / 8]);
            assert!(message.contains("cut off or damaged"), "{name}, {eighth}/8: {message}");
        }
        let message = sentence(name, &whole[..whole.len() - 2]);
        assert!(message.contains("cut off or damaged"), "{name}: {message}");
    }
    for name in ["photo.bmp", "photo.tga", "photo.ppm", "photo.tiff"] {
        let whole = bytes_of(name);
        let message = sentence(name, &whole[..whole.len() / 2]);
        assert!(message.contains("cut off or damaged"), "{name}: {message}");
    }
}

#[test]
fn decompression_bombs_are_refused_before_decoding() {
    assert!(sentence("bomb.png", &png_claiming(30_000, 30_000)).contains("too large (30000 \u{d7} 30000"));
    assert!(sentence("bomb.png", &png_claiming(u32::MAX, u32::MAX)).contains("too large"));
    assert!(sentence("bomb.png", &png_claiming(1, MAX_PIXELS as u32 + 1)).contains("too large"));
    for (width, height) in [(0, 0), (0, 5), (5, 0)] {
        assert!(sentence("none.png", &png_claiming(width, height)).contains("no pixels"));
    }
}

#[test]
fn formats_without_a_decoder_are_named() {
    let mut heic = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1".to_vec();
    heic.extend(b"\0\0\0\x40meta\0\0\0\0\0\0\0\x34iprp\0\0\0\x2Cipco\0\0\0\x14ispe\0\0\0\0\0\0\0\x40\0\0\0\x30");
    heic.extend(b"\0\0\0\x10mdat\0\0\0\0\0\0\0\0");
    assert!(sentence("phone.heic", &heic).contains("HEIC"));
}

/// Changes bytes at random places. Every result is allowed, except a panic.
#[test]
fn damaged_files_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut answers = [0, 0];
    for entry in std::fs::read_dir(fixtures().join("media")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "safetensors") {
            continue;
        }
        let whole = std::fs::read(&file).unwrap();
        for round in 0..40 {
            let mut bytes = whole.clone();
            // Half of the changes go into the header, because most of a decoder's code reads the header.
            let reach = if round % 2 == 0 { bytes.len().min(64) } else { bytes.len() };
            for _ in 0..=random(4) {
                let at = random(reach);
                bytes[at] = random(256) as u8;
            }
            if round % 5 == 0 {
                bytes.truncate(random(bytes.len()));
            }
            answers[usize::from(decode("damaged", &bytes).is_ok())] += 1;
        }
    }
    assert!(answers.iter().all(|&count| count > 50), "{answers:?}");
}
