//! Generated clips of known moving shapes: two shapes move over a background. They are painted with random textures or
//! with photos.

use headlamp::geometry::Size;
use headlamp::media::Photo;

/// A clip with the position of its shapes.
pub struct Clip {
    pub name: &'static str,
    pub frames: Vec<Photo>,
    /// For each frame, the shape of each pixel in row-major order; 0 is the background.
    pub labels: Vec<Vec<u8>>,
}

type Colour = [f64; 3];

#[derive(Clone, Copy)]
enum Outline {
    Disc,
    Diamond,
    Box,
    Star,
}

/// A moving shape. Lengths are fractions of the frame's height.
struct Shape {
    outline: Outline,
    radius: f64,
    from: (f64, f64),
    to: (f64, f64),
    colours: [Colour; 2],
}

/// What background and shapes are painted with.
#[derive(Clone, Copy)]
pub enum Paint<'a> {
    Textures,
    /// A scene takes one photo for the background and one for each shape.
    Photos(&'a [Photo]),
}

/// Draws three clips of `frames` frames.
pub fn clips(size: Size, frames: usize, paint: Paint<'_>) -> [Clip; 3] {
    let draw = |name, seed, ground: [Colour; 2], shapes: [Shape; 2]| {
        let scene = Scene { seed, ground, shapes, paint };
        let (frames, labels) =
            (0..frames).map(|frame| scene.draw(size, frame as f64 / (frames - 1) as f64)).unzip();
        Clip { name, frames, labels }
    };
    [
        draw(
            "disc and box",
            1,
            [[70.0, 95.0, 60.0], [120.0, 140.0, 95.0]],
            [
                shape(
                    Outline::Disc,
                    0.17,
                    (0.35, 0.35),
                    (0.58, 0.31),
                    [[200.0, 60.0, 40.0], [240.0, 150.0, 60.0]],
                ),
                shape(
                    Outline::Box,
                    0.13,
                    (0.95, 0.72),
                    (0.75, 0.75),
                    [[40.0, 60.0, 170.0], [120.0, 170.0, 230.0]],
                ),
            ],
        ),
        draw(
            "star and disc",
            2,
            [[150.0, 130.0, 105.0], [205.0, 190.0, 160.0]],
            [
                shape(Outline::Star, 0.22, (0.35, 0.65), (0.6, 0.6), [[30.0, 110.0, 60.0], [90.0, 190.0, 90.0]]),
                shape(Outline::Disc, 0.13, (1.0, 0.25), (0.8, 0.2), [[150.0, 40.0, 130.0], [230.0, 140.0, 210.0]]),
            ],
        ),
        draw(
            "diamond over box",
            3,
            [[60.0, 75.0, 100.0], [110.0, 125.0, 145.0]],
            [
                shape(Outline::Box, 0.15, (0.4, 0.5), (0.55, 0.6), [[220.0, 190.0, 60.0], [250.0, 240.0, 170.0]]),
                shape(Outline::Diamond, 0.19, (0.95, 0.4), (0.7, 0.36), [[20.0, 20.0, 25.0], [120.0, 30.0, 30.0]]),
            ],
        ),
    ]
}

fn shape(outline: Outline, radius: f64, from: (f64, f64), to: (f64, f64), colours: [Colour; 2]) -> Shape {
    Shape { outline, radius, from, to, colours }
}

struct Scene<'a> {
    seed: u64,
    ground: [Colour; 2],
    shapes: [Shape; 2],
    paint: Paint<'a>,
}

impl Scene<'_> {
    /// Draws a frame at `time` (0 to 1), and its labels.
    fn draw(&self, size: Size, time: f64) -> (Photo, Vec<u8>) {
        let mut rgb = Vec::with_capacity(3 * size.width * size.height);
        let mut labels = Vec::with_capacity(size.width * size.height);
        for y in 0..size.height {
            for x in 0..size.width {
                let point = ((x as f64 + 0.5) / size.height as f64, (y as f64 + 0.5) / size.height as f64);
                let (label, colour) = self.at(point, time);
                labels.push(label);
                rgb.extend(colour.map(|value| value.round().clamp(0.0, 255.0) as u8));
            }
        }
        (Photo { size, held: size, rgb }, labels)
    }

    /// Returns the shape at a point, where a later shape covers an earlier one, and the colour.
    fn at(&self, (x, y): (f64, f64), time: f64) -> (u8, Colour) {
        for (label, shape) in [(2, &self.shapes[1]), (1, &self.shapes[0])] {
            let middle = |from: f64, to: f64| from + (to - from) * time;
            let (x, y) = (x - middle(shape.from.0, shape.to.0), y - middle(shape.from.1, shape.to.1));
            if shape.outline.contains(x / shape.radius, y / shape.radius) {
                // The paint moves with the shape.
                let colour = match self.photo(label) {
                    Some(photo) => pixel(photo, (x / shape.radius + 1.0) / 2.0, (y / shape.radius + 1.0) / 2.0),
                    None => mixed(shape.colours, texture(x, y, 18.0, self.seed + u64::from(label))),
                };
                return (label, colour);
            }
        }
        let colour = match self.photo(0) {
            Some(photo) => pixel(photo, x / 1.5, y),
            None => mixed(self.ground, texture(x, y, 7.0, self.seed + 10)),
        };
        (0, colour)
    }

    /// Returns the photo that a shape, or the background, is painted with.
    fn photo(&self, label: u8) -> Option<&Photo> {
        let Paint::Photos(photos) = self.paint else { return None };
        Some(&photos[(self.seed as usize + usize::from(label)) % photos.len()])
    }
}

impl Outline {
    fn contains(self, x: f64, y: f64) -> bool {
        match self {
            Self::Disc => x.hypot(y) < 1.0,
            Self::Diamond => x.abs() + y.abs() < 1.0,
            Self::Box => x.abs().max(y.abs()) < 1.0,
            Self::Star => x.hypot(y) < 0.7 + 0.3 * (5.0 * y.atan2(x)).cos(),
        }
    }
}

/// Returns the colour of a photo at a place in fractions of its width and height.
fn pixel(photo: &Photo, x: f64, y: f64) -> Colour {
    let place = |at: f64, length: usize| ((at * length as f64).max(0.0) as usize).min(length - 1);
    let start = 3 * (place(y, photo.held.height) * photo.held.width + place(x, photo.held.width));
    std::array::from_fn(|channel| f64::from(photo.rgb[start + channel]))
}

fn mixed([a, b]: [Colour; 2], share: f64) -> Colour {
    std::array::from_fn(|channel| a[channel] * (1.0 - share) + b[channel] * share)
}

/// Noise in three octaves, from 0 to 1.
fn texture(x: f64, y: f64, scale: f64, seed: u64) -> f64 {
    let octave = |octave: u32| {
        let scale = scale * f64::from(1 << octave);
        noise(x * scale, y * scale, seed * 7 + u64::from(octave)) / f64::from(1 << octave)
    };
    (0..3).map(octave).sum::<f64>() / 1.75
}

/// Random values at integer positions, interpolated smoothly between them.
fn noise(x: f64, y: f64, seed: u64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let smooth = |share: f64| share * share * (3.0 - 2.0 * share);
    let (across, down) = (smooth(x - left), smooth(y - top));
    let at = |dx: f64, dy: f64| random((left + dx) as i64, (top + dy) as i64, seed);
    let row = |dy: f64| at(0.0, dy) * (1.0 - across) + at(1.0, dy) * across;
    row(0.0) * (1.0 - down) + row(1.0) * down
}

/// SplitMix64 of a position.
fn random(x: i64, y: i64, seed: u64) -> f64 {
    let mut state = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ seed.wrapping_mul(0x1656_67b1_9e37_79f9);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state ^ (state >> 31)) as f64 / u64::MAX as f64
}
