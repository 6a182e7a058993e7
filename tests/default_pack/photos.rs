//! Pictures as input of the model.

use headlamp::geometry::{CropFromPhoto, Framing, Size};
use headlamp::media::{self, Photo};
use headlamp::model::{Crop, VisionConfig};
use xtask::places;

/// The sample photos in `check.json`.
pub const SAMPLES: [&str; 6] =
    ["astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "rocket.jpg"];

/// Decodes a sample photo.
pub fn sample(name: &str) -> Photo {
    let path = places::checkout().join("www/samples").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
    decode(name, &bytes)
}

pub fn decode(name: &str, bytes: &[u8]) -> Photo {
    pollster::block_on(media::decode(name, bytes)).unwrap()
}

/// Crops a photo as the program itself does.
pub fn crop(photo: &Photo, config: &VisionConfig) -> Crop {
    let (side, patch) = (config.image_size, config.patch);
    let frame = CropFromPhoto::new(photo.size, Framing::CentreCrop, side, patch, config.long_side);
    media::crop(photo, &frame, config.mean, config.std).unwrap()
}

/// Returns the pixels of a picture that has the model's own size, without resampling.
pub fn pixels(photo: &Photo, config: &VisionConfig) -> Crop {
    let side = config.image_size;
    assert_eq!(photo.size, Size { width: side, height: side });
    let channel = |channel: usize| {
        let (mean, std) = (config.mean[channel], config.std[channel]);
        photo.rgb.chunks(3).map(move |pixel| (f32::from(pixel[channel]) / 255.0 - mean) / std)
    };
    Crop { size: photo.size, values: (0..3).flat_map(channel).collect() }
}
