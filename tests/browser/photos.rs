//! The six sample photos: their subjects, where these are, and how well the default pack must recognise them.
//!
//! The boxes were drawn by looking at the photos. Masks of the model as it was trained overlap them by 0.55 to 0.7, and
//! the rocket's by 0.46. The bounds are lower, because a mask may be refined. They distinguish a working segmentation from
//! a transposed, shifted, inverted or uniform one, and prove nothing more.

/// The ten phrases of `www/packs/default/check.json`.
pub const PHRASES: [&str; 10] = [
    "a photo of a cat",
    "a photo of a dog",
    "a photo of a cup of coffee",
    "a photo of a rocket",
    "a photo of an astronaut",
    "a photo of a flower",
    "a photo of a building",
    "a photo of a car",
    "a photo of a person",
    "a photo of a bird",
];

/// A rectangle in fractions of the photo's width and height.
#[derive(Clone, Copy, Debug)]
pub struct Box {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Box {
    pub fn holds(self, x: f64, y: f64) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}

pub struct Photo {
    /// The name of the sample's button, and of the file without its extension.
    pub name: &'static str,
    pub file: &'static str,
    /// The phrases of [`PHRASES`], one of which must have the highest score. There are several where the scores of an
    /// independent f32 implementation differ by less than the rounding of 8-bit weights.
    pub top: &'static [&'static str],
    /// The phrase to segment, and the box around its object.
    pub subject: &'static str,
    pub subject_in_photo: Box,
    /// The least allowed intersection over union of the foreground and the box, within the crop.
    pub overlap: f64,
    /// The least allowed difference between the share of the foreground in the box and the share of the crop in
    /// the box.
    pub lift: f64,
}

pub const PHOTOS: [Photo; 6] = [
    Photo {
        name: "astronaut",
        file: "astronaut.png",
        // A woman in a space suit, in front of a model of a shuttle. In f32, the person scores 0.103, and the car 0.100.
        // The car is wrong. "An astronaut" would also be right, and scores only 0.029.
        top: &["a photo of a person", "a photo of a car"],
        subject: "a photo of a person",
        subject_in_photo: Box { left: 0.05, top: 0.03, right: 0.72, bottom: 1.0 },
        overlap: 0.35,
        lift: 0.0,
    },
    Photo {
        name: "chelsea",
        file: "chelsea.png",
        top: &["a photo of a cat"],
        subject: "a photo of a cat",
        // The face fills almost the whole crop, so that no lift is possible.
        subject_in_photo: Box { left: 0.10, top: 0.0, right: 0.84, bottom: 0.97 },
        overlap: 0.35,
        lift: -0.05,
    },
    Photo {
        name: "china",
        file: "china.jpg",
        top: &["a photo of a building"],
        subject: "a photo of a building",
        subject_in_photo: Box { left: 0.10, top: 0.07, right: 0.57, bottom: 0.91 },
        overlap: 0.35,
        lift: 0.10,
    },
    Photo {
        name: "coffee",
        file: "coffee.png",
        top: &["a photo of a cup of coffee"],
        subject: "a photo of a cup of coffee",
        subject_in_photo: Box { left: 0.29, top: 0.04, right: 0.70, bottom: 0.78 },
        overlap: 0.35,
        lift: 0.10,
    },
    Photo {
        name: "flower",
        file: "flower.jpg",
        top: &["a photo of a flower"],
        subject: "a photo of a flower",
        subject_in_photo: Box { left: 0.265, top: 0.20, right: 0.70, bottom: 0.84 },
        overlap: 0.35,
        lift: 0.10,
    },
    Photo {
        name: "rocket",
        file: "rocket.jpg",
        // In f32, the rocket scores 0.154, and the building (the launch pad) 0.153.
        top: &["a photo of a rocket", "a photo of a building"],
        subject: "a photo of a rocket",
        // The rocket is thin, so the box has a margin of one patch on every side.
        subject_in_photo: Box { left: 0.46, top: 0.28, right: 0.55, bottom: 0.97 },
        overlap: 0.2,
        lift: 0.0,
    },
];
