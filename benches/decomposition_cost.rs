//! Measures the cost of decomposition, TextSpan and tracking: `cargo xtask bench`. Each is compared, in the same run, with
//! the encoder that runs before it, or with the plain algorithm that it replaces.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use headlamp::checkpoint::default_pack;
use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::decompose::{Decomposition, HeadBasis, Readout};
use headlamp::geometry::{Grid, Size};
use headlamp::model::{Crop, VisionTransformer, load_readout};
use headlamp::statistics::Moments;
use headlamp::textspan::textspan;
use headlamp::track::{Features, PropagateOptions, Propagator, SoftMasks, Tracker};
use headlamp::zero_shot;
use nalgebra::DMatrix;

const RUNS: usize = 7;
const PHRASES: usize = 10;
const POOL: usize = 3_000;
const IMAGES: usize = 1_000;
const PICKS: usize = 10;
const OBJECTS: usize = 3;
/// DAVIS's frames of 480 pixels in patches of 16.
const DAVIS_GRID: Grid = Grid { rows: 30, columns: 52 };
const CONTEXTS: usize = 8;
/// The limit for the decomposition, the TextSpan of one head and the tracks of one frame together, as a share of the
/// encoder's time.
const MAX_SHARE: f64 = 0.15;

fn main() {
    println!(
        "(medians of {RUNS} runs after a warm-up run; random weights, because time does not depend on them)\n"
    );
    let encoder = encoder();
    let DecompositionTimes { phrases, sum_check, segmentation } = decomposition(&encoder);
    let row = |what: &str, time: Duration, against: String| println!("{what:<32}{} {against}", milliseconds(time));
    row("ViT-S/14 at 224 px, CPU", encoder.time, String::new());
    let of_encoder = |time: Duration| ratio(time, encoder.time, "the encoder");
    row(&format!("{PHRASES} phrases to all components"), phrases, of_encoder(phrases));
    row("sum check", sum_check, of_encoder(sum_check));
    row("patches of one phrase", segmentation, of_encoder(segmentation));
    let VideoTimes { features, push, discover, propagate } = video(&encoder);
    row("features of a frame", features, of_encoder(features));
    row(&format!("{OBJECTS} tracks, a further frame"), push, of_encoder(push));
    row(&format!("{OBJECTS} tracks, the first frame"), discover, of_encoder(discover));
    let grid = DAVIS_GRID;
    println!("\nPropagation, {} x {} patches, {CONTEXTS} contexts", grid.rows, grid.columns);
    row("masks of a frame", propagate, String::new());
    let (on_moments, plain) = labels();
    println!("\nTextSpan, one head, {POOL} texts, {IMAGES} images, {PICKS} picks");
    row("on moments", on_moments, ratio(on_moments, plain, "the plain algorithm"));
    row("plain, on the images' matrix", plain, String::new());
    let total = phrases + sum_check + segmentation + on_moments + push;
    let share = total.as_secs_f64() / encoder.time.as_secs_f64();
    let verdict = if share <= MAX_SHARE { "within" } else { "beyond" };
    println!("\nDecomposition, a head's TextSpan and tracks: {share:.3} of the encoder, {verdict} {MAX_SHARE}");
}

struct Encoder {
    vision: VisionTransformer,
    readout: Readout,
    crop: Crop,
    time: Duration,
}

fn encoder() -> Encoder {
    let config = default_pack::config();
    let (vision, embedding) = (&config.vision, config.embedding);
    let tower = VisionTransformer::load(vision, embedding, &mut RandomWeights::new(1), Device::flex());
    let readout = load_readout(vision, embedding, &mut RandomWeights::new(2));
    let (Ok(tower), Ok(readout)) = (tower, readout) else { unreachable!("random weights have every shape") };
    let size = Size { width: vision.image_size, height: vision.image_size };
    let mut random = RandomWeights::new(3);
    let crop = Crop { size, values: (0..3 * size.width * size.height).map(|_index| random.draw()).collect() };
    let time = median(|| assert!(pollster::block_on(tower.trace(&crop)).is_ok()));
    Encoder { vision: tower, readout, crop, time }
}

struct DecompositionTimes {
    phrases: Duration,
    sum_check: Duration,
    segmentation: Duration,
}

fn decomposition(encoder: &Encoder) -> DecompositionTimes {
    let Encoder { vision, readout, crop, .. } = encoder;
    let Ok(trace) = pollster::block_on(vision.trace(crop)) else { unreachable!("it ran before") };
    let texts = unit_texts(PHRASES, readout.embedding, 4);
    let image = Decomposition::new(readout, &trace);
    let direction = readout.direction(&texts[..readout.embedding]);
    DecompositionTimes {
        phrases: median(|| {
            let image = Decomposition::new(readout, &trace);
            for text in texts.chunks(readout.embedding) {
                std::hint::black_box(image.parts(&readout.direction(text)));
            }
        }),
        sum_check: median(|| {
            std::hint::black_box(image.residual());
        }),
        segmentation: median(|| {
            std::hint::black_box(image.patches(&direction));
        }),
    }
}

struct VideoTimes {
    /// The encoder, with the features read back from the device.
    features: Duration,
    push: Duration,
    discover: Duration,
    propagate: Duration,
}

fn video(encoder: &Encoder) -> VideoTimes {
    let heads: Vec<usize> = (0..OBJECTS).collect();
    let Ok(frame) = pollster::block_on(encoder.vision.features(&encoder.crop)) else {
        unreachable!("it ran before")
    };
    let mut tracker = Tracker::new(heads.clone());
    let mut random = RandomWeights::new(7);
    let tokens: Vec<f32> = (0..DAVIS_GRID.len() * frame.width).map(|_index| random.draw()).collect();
    let large = Features { grid: DAVIS_GRID, tokens, ..frame.clone() };
    let mut propagator = Propagator::new(PropagateOptions::default());
    let labels: Vec<u8> = (0..DAVIS_GRID.len()).map(|patch| (patch % 3) as u8).collect();
    assert!(propagator.seed(0, &large, SoftMasks::one_hot(DAVIS_GRID, &labels)).is_ok());
    (1..CONTEXTS).for_each(|_frame| assert!(propagator.push(&large).is_ok()));
    VideoTimes {
        features: median(|| assert!(pollster::block_on(encoder.vision.features(&encoder.crop)).is_ok())),
        push: median(|| assert!(tracker.push(&frame).is_ok())),
        discover: median(|| assert!(Tracker::new(heads.clone()).push(&frame).is_ok())),
        propagate: median(|| assert!(propagator.push(&large).is_ok())),
    }
}

/// Measures TextSpan of one head: on moments, and as docs/PAPERS.md, 1.7 defines it.
fn labels() -> (Duration, Duration) {
    let config = default_pack::config();
    let (size, rank) = (config.embedding, config.vision.head_width());
    let code = rank + 3;
    let mut random = RandomWeights::new(5);
    let mut next = || f64::from(random.draw());
    let basis = HeadBasis { values: (0..size * code).map(|_index| next()).collect(), embedding: size, code };
    let codes: Vec<Vec<f64>> = (0..IMAGES).map(|_image| (0..code).map(|_index| 1.0 + next()).collect()).collect();
    let texts = unit_texts(POOL, size, 6);
    let mut moments = Moments::new(code);
    codes.iter().for_each(|code| moments.push(code));
    let images = DMatrix::from_fn(IMAGES, code, |row, column| codes[row][column])
        * DMatrix::from_row_slice(size, code, &basis.values).transpose();
    let on_moments = textspan(&basis, &moments, &texts, rank, PICKS);
    let picks: Vec<usize> = on_moments.iter().map(|pick| pick.text).collect();
    assert_eq!(plain(&images, &texts, rank), picks, "both are the same algorithm");
    (
        median(|| {
            std::hint::black_box(textspan(&basis, &moments, &texts, rank, PICKS));
        }),
        median(|| {
            std::hint::black_box(plain(&images, &texts, rank));
        }),
    )
}

/// Runs the steps 1 to 3 of docs/PAPERS.md, 1.7, on the matrix of all images.
fn plain(images: &DMatrix<f64>, texts: &[f32], rank: usize) -> Vec<usize> {
    let Some(v_t) = images.clone().svd(false, true).v_t else { unreachable!("it was asked for") };
    let v_t = v_t.rows(0, rank).into_owned();
    let size = images.ncols();
    let mut texts =
        DMatrix::from_fn(texts.len() / size, size, |row, column| f64::from(texts[row * size + column]));
    texts = &texts * v_t.transpose() * &v_t;
    let mut images = images.clone();
    let mean = images.row_mean();
    images.row_iter_mut().for_each(|mut row| row -= &mean);
    let mut picks = Vec::new();
    for _pick in 0..PICKS {
        let scores = &images * texts.transpose();
        let spreads = scores.column_iter().map(|column| column.norm_squared());
        let Some((pick, _)) = spreads.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        picks.push(pick);
        let direction = texts.row(pick).transpose().normalize();
        let shares = &images * &direction;
        images -= shares * direction.transpose();
        let shares = &texts * &direction;
        texts -= shares * direction.transpose();
    }
    picks
}

fn unit_texts(count: usize, size: usize, seed: u64) -> Vec<f32> {
    let mut random = RandomWeights::new(seed);
    let texts = (0..count).flat_map(|_text| {
        let text: Vec<f32> = (0..size).map(|_index| random.draw()).collect();
        zero_shot::normalised(&text)
    });
    texts.collect()
}

fn median(mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_run| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:>9.2} ms", time.as_secs_f64() * 1e3)
}

fn ratio(time: Duration, peer: Duration, name: &str) -> String {
    format!("{:.3} of {name}", time.as_secs_f64() / peer.as_secs_f64())
}
