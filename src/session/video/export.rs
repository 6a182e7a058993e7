//! Tracks and masks as files: JSON with COCO's run lengths, or PNG pictures in a zip.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write as _};

use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::foreground;
use crate::geometry::{CropFromPhoto, Size};
use crate::media::{self, MediaError};
use crate::rle::Rle;
use crate::track::SoftMasks;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("there are no masks to save yet: process some frames first")]
    Empty,
    #[error("a picture has 255 values for objects, and there are {0}: save the masks as JSON")]
    TooMany(usize),
    #[error("the file could not be written ({0}): save fewer frames at a time")]
    Write(String),
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// One object's patches on one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectMask {
    pub object: u32,
    /// `[patch]`
    pub mask: Vec<bool>,
}

/// The masks of a frame, by their kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Masks {
    /// Masks of tracks, which may overlap (docs/PAPERS.md, 2.1, step 5).
    Patches(Vec<ObjectMask>),
    /// Propagated masks: each pixel belongs to one of the objects 1, 2, … or to the background (docs/PAPERS.md, 2.4).
    Soft(SoftMasks),
}

/// The objects' masks on one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameMasks {
    /// The index among the sampled frames.
    pub index: usize,
    /// Seconds.
    pub time: f64,
    pub frame: CropFromPhoto,
    pub masks: Masks,
}

impl FrameMasks {
    /// Returns the numbers of the objects.
    fn objects(&self) -> Vec<u32> {
        match &self.masks {
            Masks::Patches(objects) => objects.iter().map(|object| object.object).collect(),
            Masks::Soft(soft) => (1..soft.channels as u32).collect(),
        }
    }

    /// Returns each object's mask in the video's own pixels, rows first.
    fn in_pixels(&self) -> Vec<(u32, Vec<bool>)> {
        match &self.masks {
            Masks::Patches(objects) => objects
                .iter()
                .map(|object| (object.object, foreground::in_photo(&object.mask, &self.frame)))
                .collect(),
            Masks::Soft(soft) => {
                let labels = soft.labels_in_photo(&self.frame);
                let pixels = |object| labels.iter().map(|label| u32::from(*label) == object).collect();
                self.objects().into_iter().map(|object| (object, pixels(object))).collect()
            }
        }
    }
}

#[derive(Serialize)]
struct MasksDocument<'a> {
    video: &'a str,
    width: usize,
    height: usize,
    objects: Vec<NamedObject<'a>>,
    frames: Vec<FrameRecord>,
}

#[derive(Serialize)]
struct NamedObject<'a> {
    id: u32,
    name: &'a str,
}

#[derive(Serialize)]
struct FrameRecord {
    index: usize,
    time: f64,
    masks: Vec<MaskRecord>,
}

#[derive(Serialize)]
struct MaskRecord {
    object: u32,
    /// COCO's compressed run lengths, columns first.
    segmentation: Rle,
    /// Pixels.
    area: usize,
    /// Left, top, width and height, in pixels.
    bbox: [usize; 4],
}

/// Writes the masks as a JSON document: for each frame and object COCO's `segmentation`, `area` and `bbox`, in the
/// video's own pixels.
///
/// # Errors
/// If there are no frames.
pub fn json(video: &str, names: &[(u32, String)], frames: &[FrameMasks]) -> Result<Vec<u8>, ExportError> {
    let size = frames.first().ok_or(ExportError::Empty)?.frame.photo;
    let mask = |(object, pixels): (u32, Vec<bool>), size: Size| {
        let area = pixels.iter().filter(|is_in| **is_in).count();
        MaskRecord { object, segmentation: Rle::of(&pixels, size), area, bbox: bounds(&pixels, size) }
    };
    // The pictures of a folder may have different sizes.
    let frame = |frame: &FrameMasks| FrameRecord {
        index: frame.index,
        time: frame.time,
        masks: frame.in_pixels().into_iter().map(|masked| mask(masked, frame.frame.photo)).collect(),
    };
    let document = MasksDocument {
        video,
        width: size.width,
        height: size.height,
        objects: names.iter().map(|(id, name)| NamedObject { id: *id, name }).collect(),
        frames: frames.iter().map(frame).collect(),
    };
    serde_json::to_vec(&document).map_err(|err| ExportError::Write(err.to_string()))
}

/// Writes the masks as a zip of 8-bit grey PNG files of the video's own size, named by the sampled frame: `00000.png`.
/// A pixel's value is 1 for the object with the lowest number, 2 for the next, and so on; 0 is the background. Where
/// objects overlap, the pixel belongs to the later object.
///
/// # Errors
/// If there are no frames, there are more objects than pixel values, or a picture cannot be written.
pub fn png_zip(frames: &[FrameMasks]) -> Result<Vec<u8>, ExportError> {
    if frames.is_empty() {
        return Err(ExportError::Empty);
    }
    let order: BTreeSet<u32> = frames.iter().flat_map(FrameMasks::objects).collect();
    if order.len() > usize::from(u8::MAX) {
        return Err(ExportError::TooMany(order.len()));
    }
    let values: BTreeMap<u32, u8> = order.into_iter().zip(1..=u8::MAX).collect();
    let failed = |err: &dyn std::fmt::Display| ExportError::Write(err.to_string());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // PNG files are already compressed.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for frame in frames {
        let png = media::grey_png(frame.frame.photo, &labels(&values, frame))?;
        zip.start_file(format!("{:05}.png", frame.index), options).map_err(|err| failed(&err))?;
        zip.write_all(&png).map_err(|err| failed(&err))?;
    }
    Ok(zip.finish().map_err(|err| failed(&err))?.into_inner())
}

/// Returns the pixel values of a frame.
fn labels(values: &BTreeMap<u32, u8>, frame: &FrameMasks) -> Vec<u8> {
    let Size { width, height } = frame.frame.photo;
    let mut labels = vec![0; width * height];
    for (object, pixels) in frame.in_pixels() {
        let value = values.get(&object).copied().unwrap_or(0);
        labels.iter_mut().zip(pixels).filter(|(_, is_in)| *is_in).for_each(|(at, _)| *at = value);
    }
    labels
}

/// Returns left, top, width and height of a mask in pixels; zeros for an empty mask.
fn bounds(pixels: &[bool], size: Size) -> [usize; 4] {
    let places = || pixels.iter().enumerate().filter(|(_, is_in)| **is_in).map(|(at, _)| at);
    let (xs, ys) = (|| places().map(|at| at % size.width), || places().map(|at| at / size.width));
    let (Some(left), Some(right), Some(top), Some(bottom)) = (xs().min(), xs().max(), ys().min(), ys().max())
    else {
        return [0; 4];
    };
    [left, top, right - left + 1, bottom - top + 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Framing, Grid, LongSide};

    /// A frame of 40 x 20 pixels whose central square is 2 x 2 patches.
    fn frame(masks: Masks) -> FrameMasks {
        let photo = Size { width: 40, height: 20 };
        let frame = CropFromPhoto::new(photo, Framing::CentreCrop, 4, 2, LongSide::Truncated);
        FrameMasks { index: 3, time: 1.5, frame, masks }
    }

    #[test]
    fn the_json_has_each_mask_in_the_videos_pixels() {
        let mask = vec![false, true, false, false];
        let frames = [frame(Masks::Patches(vec![ObjectMask { object: 7, mask }]))];
        let file = json("a.webm", &[(7, "the cup".to_owned())], &frames).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&file).unwrap();
        assert_eq!((&found["width"], &found["height"]), (&40.into(), &20.into()));
        assert_eq!(found["objects"][0]["name"], "the cup");
        let mask = &found["frames"][0]["masks"][0];
        // The upper right patch: columns 20 to 29 of rows 0 to 9.
        assert_eq!((&mask["area"], &mask["bbox"]), (&100.into(), &serde_json::json!([20, 0, 10, 10])));
        assert_eq!(mask["segmentation"]["size"], serde_json::json!([20, 40]));
        assert!(matches!(json("a.webm", &[], &[]), Err(ExportError::Empty)));
    }

    #[test]
    fn the_zip_has_a_picture_per_frame_with_object_numbers() {
        let masks = vec![
            ObjectMask { object: 7, mask: vec![true, true, false, false] },
            ObjectMask { object: 9, mask: vec![false, true, false, true] },
        ];
        let picture = picture(&png_zip(&[frame(Masks::Patches(masks))]).unwrap());
        let at = |x: u32, y: u32| picture.get_pixel(x, y).0[0];
        assert_eq!(picture.dimensions(), (40, 20));
        assert_eq!([at(5, 5), at(12, 5), at(22, 5), at(12, 15), at(22, 15)], [0, 1, 2, 0, 2]);
    }

    #[test]
    fn propagated_masks_are_drawn_between_patches() {
        let grid = Grid { rows: 2, columns: 2 };
        let soft = SoftMasks { grid, channels: 2, values: vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0] };
        let frame = frame(Masks::Soft(soft.clone()));
        let expected = soft.labels_in_photo(&frame.frame);
        assert!(expected.contains(&1) && expected.contains(&0));
        assert_eq!(picture(&png_zip(std::slice::from_ref(&frame)).unwrap()).into_raw(), expected);
        let file: serde_json::Value = serde_json::from_slice(&json("a.webm", &[], &[frame]).unwrap()).unwrap();
        let area = expected.iter().filter(|label| **label == 1).count();
        assert_eq!(file["frames"][0]["masks"][0]["area"], area);
    }

    #[test]
    fn more_objects_than_pixel_values_are_refused() {
        let masks = |count| (0..count).map(|object| ObjectMask { object, mask: vec![true; 4] }).collect();
        assert!(png_zip(&[frame(Masks::Patches(masks(255)))]).is_ok());
        assert!(matches!(png_zip(&[frame(Masks::Patches(masks(256)))]), Err(ExportError::TooMany(256))));
    }

    /// Reads the picture of frame 3.
    fn picture(file: &[u8]) -> image::GrayImage {
        let mut zip = zip::ZipArchive::new(Cursor::new(file)).unwrap();
        let mut png = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_name("00003.png").unwrap(), &mut png).unwrap();
        image::load_from_memory(&png).unwrap().into_luma8()
    }
}
