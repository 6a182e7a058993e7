//! Generated scenes with known masks: textured objects over photographs. The scores of the patches are simulated, so
//! that only the edges of the mask are measured and not the model.

use headlamp::edges::{self, EdgeGuide};
use headlamp::geometry::{CropFromPhoto, Framing, LongSide, POINTS_PER_PATCH, Size};
use headlamp::media::{self, Photo};
use headlamp::metrics::davis::{boundary, region};
use headlamp::segment::{SoftMap, mask_in_photo, soft_map};
use test_support::tool::photo;

use crate::textures::{normal, texture};

const SIZE: Size = Size { width: 448, height: 336 };
const PATCH: usize = 14;

/// The kinds of objects. The last kind has the mean colour of the background.
const KINDS: [&str; 7] = ["disc", "star", "box", "ring", "thin parts", "soft edge", "background's colour"];
const BACKGROUNDS: [&str; 3] = ["china.jpg", "flower.jpg", "coffee.png"];

type Colour = [f64; 3];

/// Two colours of each object's texture.
const COLOURS: [[Colour; 2]; 3] = [
    [[200.0, 50.0, 40.0], [240.0, 150.0, 60.0]],
    [[25.0, 40.0, 165.0], [125.0, 180.0, 240.0]],
    [[230.0, 230.0, 215.0], [150.0, 155.0, 150.0]],
];

struct Scene {
    kind: usize,
    photo: Photo,
    labelled: Vec<bool>,
    seed: u64,
}

/// J and F, and their means.
#[derive(Clone, Copy, Debug, Default)]
struct Agreement {
    j: f64,
    f: f64,
}

/// Returns how far a position is inside an object: at least 0 inside. Lengths are fractions of the photo's height.
fn inside(kind: &str, x: f64, y: f64) -> f64 {
    let distance = x.hypot(y);
    match kind {
        "star" => 0.33 * (0.7 + 0.3 * (5.0 * y.atan2(x)).cos()) - distance,
        "box" => 0.2 - x.abs().max(y.abs()),
        "ring" => 0.07 - (distance - 0.22).abs(),
        "thin parts" => {
            let bar = |along: f64, across: f64| (0.33 - along.abs()).min(0.03 - across.abs());
            (0.13 - distance).max(bar(x, y)).max(bar(y, x))
        }
        _ => 0.24 - distance,
    }
}

fn background(name: &str) -> Photo {
    let bytes = std::fs::read(photo(name)).unwrap();
    let whole = pollster::block_on(media::decode(name, &bytes)).unwrap();
    let (across, down) =
        (whole.size.width as f64 / SIZE.width as f64, whole.size.height as f64 / SIZE.height as f64);
    let pixel = |place: usize| {
        let x = ((place % SIZE.width) as f64 + 0.5) * across;
        let y = ((place / SIZE.width) as f64 + 0.5) * down;
        let at = (y as usize * whole.size.width + x as usize) * 3;
        [whole.rgb[at], whole.rgb[at + 1], whole.rgb[at + 2]]
    };
    let rgb = (0..SIZE.width * SIZE.height).flat_map(pixel).collect();
    Photo { size: SIZE, held: SIZE, rgb }
}

fn scene(kind: usize, place: usize) -> Scene {
    let mut photo = background(BACKGROUNDS[place]);
    let seed = (10 * kind + place) as u64;
    let (left, top) = (0.62 + 0.05 * place as f64, 0.47 + 0.03 * place as f64);
    let name = KINDS[kind];
    let pixels = photo.rgb.len() as f64 / 3.0;
    let mean: Colour = std::array::from_fn(|channel| {
        photo.rgb.iter().skip(channel).step_by(3).map(|value| f64::from(*value)).sum::<f64>() / pixels
    });
    let colours = if name == "background's colour" {
        [mean.map(|value| value - 25.0), mean.map(|value| value + 25.0)]
    } else {
        COLOURS[(kind + place) % COLOURS.len()]
    };
    // The width of the edge, in pixels.
    let blur = if name == "soft edge" { 12.0 } else { 1.5 };
    let mut labelled = Vec::with_capacity(SIZE.width * SIZE.height);
    for (at, pixel) in photo.rgb.chunks_exact_mut(3).enumerate() {
        let (x, y) = (at % SIZE.width, at / SIZE.width);
        let length = SIZE.height as f64;
        let depth = inside(name, (x as f64 + 0.5) / length - left, (y as f64 + 0.5) / length - top);
        labelled.push(depth >= 0.0);
        let opacity = (0.5 + depth * length / blur).clamp(0.0, 1.0);
        let share = texture(x, y, 18.0, seed);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let own = colours[0][channel] * (1.0 - share) + colours[1][channel] * share;
            *value = (f64::from(*value) * (1.0 - opacity) + own * opacity).round().clamp(0.0, 255.0) as u8;
        }
    }
    Scene { kind, photo, labelled, seed }
}

fn scenes() -> Vec<Scene> {
    (0..KINDS.len()).flat_map(|kind| (0..BACKGROUNDS.len()).map(move |place| scene(kind, place))).collect()
}

impl Scene {
    fn frame(&self) -> CropFromPhoto {
        CropFromPhoto::new(SIZE, Framing::WholePhoto, 224, PATCH, LongSide::Truncated)
    }

    /// Returns the map of simulated patch scores: the share of the patch that the object covers, mixed with its
    /// neighbours' shares, with errors that are proportional to the share, and errors that are not.
    fn map(&self) -> SoftMap {
        let grid = self.frame().grid();
        let (width, height) = (SIZE.width / grid.columns, SIZE.height / grid.rows);
        let share = |row: usize, column: usize| {
            let rows = row * height..(row + 1) * height;
            let pixels =
                rows.flat_map(|y| (column * width..(column + 1) * width).map(move |x| y * SIZE.width + x));
            pixels.map(|at| f64::from(u8::from(self.labelled[at]))).sum::<f64>() / (width * height) as f64
        };
        let shares: Vec<f64> = (0..grid.len()).map(|at| share(at / grid.columns, at % grid.columns)).collect();
        let score = |at: usize| {
            let (row, column) = (at / grid.columns, at % grid.columns);
            let (mut sum, mut weights) = (0.0, 0.0);
            for other_row in row.saturating_sub(1)..(row + 2).min(grid.rows) {
                for other_column in column.saturating_sub(1)..(column + 2).min(grid.columns) {
                    let weight = 0.2_f64.powi((other_row.abs_diff(row) + other_column.abs_diff(column)) as i32);
                    sum += weight * shares[other_row * grid.columns + other_column];
                    weights += weight;
                }
            }
            let error = |seed: u64| normal(column as u64, row as u64, self.seed * 2 + seed);
            sum / weights * (1.0 + 0.25 * error(0)) + 0.04 * error(1)
        };
        soft_map(&(0..grid.len()).map(score).collect::<Vec<_>>(), grid, PATCH)
    }

    fn agreement(&self, mask: &[u8]) -> Agreement {
        let mask: Vec<bool> = mask.iter().map(|value| *value > 0).collect();
        let none = vec![false; mask.len()];
        Agreement { j: region(&mask, &self.labelled, &none), f: boundary(&mask, &self.labelled, &none, SIZE) }
    }

    fn as_the_model_sees(&self) -> Agreement {
        let map = self.map();
        self.agreement(&mask_in_photo(&map, &self.frame(), map.threshold))
    }

    fn refined(&self, guide: &EdgeGuide) -> Agreement {
        let map = self.map();
        self.agreement(&guide.refine(&map).mask_in_photo(self.photo.pixels(), map.threshold))
    }
}

fn mean(all: impl Iterator<Item = Agreement>) -> Agreement {
    let all: Vec<Agreement> = all.collect();
    let of = |value: fn(&Agreement) -> f64| all.iter().map(value).sum::<f64>() / all.len() as f64;
    Agreement { j: of(|agreement| agreement.j), f: of(|agreement| agreement.f) }
}

/// Prints a row of a table in Markdown.
fn print(what: &str, before: Agreement, after: Agreement) {
    println!("| {what} | {:.3} | {:.3} | {:.3} | {:.3} |", before.j, after.j, before.f, after.f);
}

#[test]
fn refinement_improves_the_masks_of_generated_scenes() {
    let scenes = scenes();
    let before: Vec<Agreement> = scenes.iter().map(Scene::as_the_model_sees).collect();
    let guide = |scene: &Scene| media::edge_guide(&scene.photo, &scene.frame()).unwrap();
    let after: Vec<Agreement> = scenes.iter().map(|scene| scene.refined(&guide(scene))).collect();
    println!("| object | IoU | IoU, refined | F | F, refined |\n|---|---:|---:|---:|---:|");
    for (kind, name) in KINDS.iter().enumerate() {
        let of_kind = |all: &[Agreement]| {
            mean(scenes.iter().zip(all).filter(|(scene, _)| scene.kind == kind).map(|(_, found)| *found))
        };
        let (before, after) = (of_kind(&before), of_kind(&after));
        print(name, before, after);
        assert!(after.j > before.j, "{name}: IoU {} becomes {}", before.j, after.j);
    }
    let (before, after) = (mean(before.into_iter()), mean(after.into_iter()));
    print("all", before, after);
    assert!(after.j > before.j + 0.1, "IoU {} becomes {}", before.j, after.j);
    assert!(after.f > before.f + 0.2, "F {} becomes {}", before.f, after.f);
}

#[test]
fn a_guide_without_edges_helps_less_than_the_photo() {
    let scenes = scenes();
    let visible = || scenes.iter().filter(|scene| KINDS[scene.kind] != "background's colour");
    let by_photo = mean(visible().map(|scene| {
        let guide = media::edge_guide(&scene.photo, &scene.frame()).unwrap();
        scene.refined(&guide)
    }));
    let by_grey = mean(visible().map(|scene| {
        let Size { width, height } = edges::guide_size(&scene.frame());
        scene.refined(&EdgeGuide::new(scene.frame(), vec![128; width * height * 3]))
    }));
    println!("refined by the photo: {by_photo:.3?}, by an even grey: {by_grey:.3?}");
    assert!(by_photo.j > by_grey.j + 0.03 && by_photo.f > by_grey.f + 0.05, "{by_photo:?}, {by_grey:?}");
}

/// The table from which radius and epsilon were chosen.
#[test]
fn no_other_window_is_much_better() {
    let scenes = scenes();
    let chosen =
        mean(scenes.iter().map(|scene| scene.refined(&media::edge_guide(&scene.photo, &scene.frame()).unwrap())));
    println!("| radius, patches | epsilon | IoU | F | IoU, background's colour |\n|---:|---:|---:|---:|---:|");
    for (points, epsilon) in
        [4, 8, 12, 16, 24].into_iter().flat_map(|points| [1e-4, 1e-3, 1e-2].map(|e| (points, e)))
    {
        let refined = |scene: &Scene| {
            let rgb = media::edge_guide(&scene.photo, &scene.frame()).unwrap().into_rgb();
            scene.refined(&EdgeGuide::with_windows(scene.frame(), rgb, points, epsilon))
        };
        let found: Vec<Agreement> = scenes.iter().map(refined).collect();
        let hidden = scenes.iter().zip(&found).filter(|(scene, _)| scene.kind + 1 == KINDS.len());
        let (all, hidden) = (mean(found.iter().copied()), mean(hidden.map(|(_, found)| *found)));
        let radius = points as f64 / POINTS_PER_PATCH as f64;
        println!("| {radius} | {epsilon:.0e} | {:.3} | {:.3} | {:.3} |", all.j, all.f, hidden.j);
        assert!(all.j < chosen.j + 0.05, "radius {radius}, epsilon {epsilon}: {all:?}, chosen {chosen:?}");
    }
}
