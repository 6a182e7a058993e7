//! The statistics of a gallery: moments compared with `tests/reference/textspan.py`, merging, and the file.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::checkpoint::random_model::{self, RandomWeights};
use headlamp::decompose::{Decomposition, Readout, Trace, TracedLayer};
use headlamp::geometry::Grid;
use headlamp::model::{ModelConfig, load_readout};
use headlamp::statistics::{Moments, Statistics, StatisticsError};
use headlamp::textspan::textspan;
use test_support::reference::{Fixture, largest_difference};

const WEIGHTS: &str = "6f1ed002ab5595859014ebf0951522d9";

fn moments_of(len: usize, vectors: &[Vec<f64>]) -> Moments {
    let mut moments = Moments::new(len);
    vectors.iter().for_each(|vector| moments.push(vector));
    moments
}

fn random_vectors(seed: u64, count: usize, len: usize) -> Vec<Vec<f64>> {
    let mut random = RandomWeights::new(seed);
    (0..count).map(|_| (0..len).map(|_| 2.0 + f64::from(random.draw())).collect()).collect()
}

fn assert_equal_moments(found: &Moments, expected: &Moments, what: &str) {
    assert_eq!(found.count, expected.count, "{what}");
    let mean = largest_difference(&found.mean, &expected.mean);
    let covariance = largest_difference(found.covariance().as_slice(), expected.covariance().as_slice());
    assert!(mean < 1e-13 && covariance < 1e-13, "{what}: mean {mean}, covariance {covariance}");
}

// --- moments -----------------------------------------------------------------------------------------------

#[test]
fn moments_are_the_mean_and_population_covariance() {
    for name in ["many", "few", "spent", "poor"] {
        let fixture = Fixture::open(&format!("textspan/{name}"));
        let (code, expected) = (fixture.counts("rank")[0] + 3, fixture.values("mean"));
        let codes: Vec<Vec<f64>> = fixture.values("codes").chunks(code).map(<[f64]>::to_vec).collect();
        let moments = moments_of(code, &codes);
        assert_eq!(moments.count as usize, codes.len(), "{name}");
        let mean = largest_difference(&moments.mean, &expected);
        let covariance = largest_difference(moments.covariance().as_slice(), &fixture.values("covariance"));
        assert!(mean < 1e-15 && covariance < 1e-15, "{name}: mean {mean}, covariance {covariance}");
    }
}

#[test]
fn merging_parts_equals_pushing_all_in_any_order() {
    let (len, vectors) = (11, random_vectors(1, 100, 11));
    let whole = moments_of(len, &vectors);
    for size in [1, 2, 7, 33, 99, 100] {
        let parts: Vec<Moments> = vectors.chunks(size).map(|part| moments_of(len, part)).collect();
        let mut forwards = Moments::new(len);
        parts.iter().for_each(|part| forwards.merge(part));
        assert_equal_moments(&forwards, &whole, &format!("parts of {size}, one after another"));

        let mut backwards = Moments::new(len);
        parts.iter().rev().for_each(|part| backwards.merge(part));
        assert_equal_moments(&backwards, &whole, &format!("parts of {size}, backwards"));
        assert_equal_moments(&merged_in_pairs(parts), &whole, &format!("parts of {size}, in pairs"));
    }
}

fn merged_in_pairs(mut parts: Vec<Moments>) -> Moments {
    while parts.len() > 1 {
        parts = parts
            .chunks(2)
            .map(|pair| {
                let mut first = pair[0].clone();
                pair[1..].iter().for_each(|second| first.merge(second));
                first
            })
            .collect();
    }
    parts.remove(0)
}

#[test]
fn merging_empty_parts_changes_nothing() {
    let whole = moments_of(5, &random_vectors(2, 20, 5));
    let mut merged = whole.clone();
    merged.merge(&Moments::new(5));
    assert_eq!(merged, whole);

    let mut merged = Moments::new(5);
    merged.merge(&Moments::new(5));
    assert_eq!(merged, Moments::new(5));
    merged.merge(&whole);
    assert_equal_moments(&merged, &whole, "into none");
}

#[test]
fn a_mean_far_from_zero_loses_no_precision() {
    let near = random_vectors(3, 100, 11);
    let far: Vec<Vec<f64>> = near.iter().map(|vector| vector.iter().map(|value| value + 1e6).collect()).collect();
    let (near, far) = (moments_of(11, &near), moments_of(11, &far));
    let off = largest_difference(far.covariance().as_slice(), near.covariance().as_slice());
    assert!(off < 1e-9, "{off}");
}

// --- the statistics of a gallery ---------------------------------------------------------------------------

/// The readout of the tiny model, and random traces.
struct Gallery {
    readout: Readout,
    traces: Vec<Trace>,
}

impl Gallery {
    fn new(images: u64) -> Self {
        Self::of(&random_model::config(100), images)
    }

    fn of(config: &ModelConfig, images: u64) -> Self {
        let readout = load_readout(&config.vision, config.embedding, &mut RandomWeights::new(7)).unwrap();
        Self { readout, traces: (0..images).map(|image| random_trace(config, 100 + image)).collect() }
    }

    fn images(&self) -> impl Iterator<Item = Decomposition<'_>> {
        self.traces.iter().map(|trace| Decomposition::new(&self.readout, trace))
    }

    fn none(&self) -> Statistics {
        Statistics::new(&self.readout, WEIGHTS)
    }

    fn statistics(&self) -> Statistics {
        let mut statistics = self.none();
        self.images().for_each(|image| statistics.push(&image));
        statistics
    }

    fn heads(&self) -> impl Iterator<Item = (usize, usize)> {
        let heads = self.readout.heads;
        (0..self.readout.layers).flat_map(move |layer| (0..heads).map(move |head| (layer, head)))
    }
}

fn random_trace(config: &ModelConfig, seed: u64) -> Trace {
    let (vision, grid) = (&config.vision, Grid { rows: 2, columns: 3 });
    let leading_tokens = 1 + vision.registers;
    let tokens = leading_tokens + grid.len();
    let mut random = RandomWeights::new(seed);
    let mut next = |count: usize| -> Vec<f32> { (0..count).map(|_| random.draw()).collect() };
    let layers = (0..vision.layers)
        .map(|_layer| TracedLayer {
            attention: next(vision.heads * tokens).chunks(tokens).flat_map(shares).collect(),
            values: next(tokens * vision.width).iter().map(|value| 0.5 + value).collect(),
            mlp: next(vision.width),
        })
        .collect();
    Trace {
        grid,
        tokens,
        leading_tokens,
        embedded_cls: next(vision.width),
        layers,
        final_cls: next(vision.width),
        embedding: next(config.embedding),
    }
}

/// Returns positive numbers that sum to 1.
fn shares(values: &[f32]) -> Vec<f32> {
    let powers: Vec<f32> = values.iter().map(|value| (2.0 * value).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn mean_of(vectors: Vec<Vec<f64>>) -> Vec<f64> {
    let count = vectors.len() as f64;
    (0..vectors[0].len()).map(|index| vectors.iter().map(|vector| vector[index]).sum::<f64>() / count).collect()
}

fn assert_same_statistics(found: &Statistics, expected: &Statistics, gallery: &Gallery, what: &str) {
    assert_eq!((found.images(), found.weights()), (expected.images(), expected.weights()), "{what}");
    for (layer, head) in gallery.heads() {
        assert_equal_moments(found.head(layer, head), expected.head(layer, head), what);
        assert!(largest_difference(found.cls_code(layer, head), expected.cls_code(layer, head)) < 1e-13, "{what}");
    }
    for layer in 0..gallery.readout.layers {
        assert!(largest_difference(found.mlp(layer), expected.mlp(layer)) < 1e-13, "{what}");
    }
    assert!(largest_difference(found.embedded(), expected.embedded()) < 1e-13, "{what}");
}

#[test]
fn statistics_describe_the_components() {
    let gallery = Gallery::new(12);
    let statistics = gallery.statistics();
    assert_eq!(statistics.images(), 12);
    for (layer, head) in gallery.heads() {
        let codes: Vec<Vec<f64>> = gallery.images().map(|image| image.head_code(layer, head)).collect();
        assert_equal_moments(statistics.head(layer, head), &moments_of(codes[0].len(), &codes), "codes");
        let cls = mean_of(gallery.images().map(|image| image.cls_code(layer, head)).collect());
        assert!(largest_difference(statistics.cls_code(layer, head), &cls) < 1e-13);
    }
    for layer in 0..gallery.readout.layers {
        let mean = mean_of(gallery.images().map(|image| image.mlps().swap_remove(layer)).collect());
        assert!(largest_difference(statistics.mlp(layer), &mean) < 1e-13);
    }
    assert!(
        largest_difference(
            statistics.embedded(),
            &mean_of(gallery.images().map(|image| image.embedded()).collect())
        ) < 1e-13
    );
}

#[test]
fn statistics_of_parts_merge_into_the_whole() {
    let gallery = Gallery::new(12);
    let images: Vec<_> = gallery.images().collect();
    for sizes in [&[12][..], &[1, 11], &[5, 0, 7], &[3, 3, 3, 3], &[0, 12, 0]] {
        let mut images = images.iter();
        let mut merged = gallery.none();
        for size in sizes {
            let mut part = gallery.none();
            images.by_ref().take(*size).for_each(|image| part.push(image));
            merged.merge(&part).unwrap();
        }
        assert_same_statistics(&merged, &gallery.statistics(), &gallery, &format!("parts of {sizes:?}"));
    }
}

#[test]
fn statistics_of_other_weights_or_shapes_do_not_merge() {
    let gallery = Gallery::new(3);
    let mut statistics = gallery.statistics();
    let before = statistics.clone();
    let other = Statistics::new(&gallery.readout, "another");
    assert!(matches!(statistics.merge(&other), Err(StatisticsError::OtherWeights { .. })));

    let mut config = random_model::config(100);
    config.vision.layers -= 1;
    let fewer_layers = Gallery::of(&config, 2).statistics();
    assert_eq!(statistics.merge(&fewer_layers), Err(StatisticsError::Unlike));
    assert_eq!(fewer_layers.fits(&gallery.readout), Err(StatisticsError::Unlike));
    assert_eq!(statistics.fits(&gallery.readout), Ok(()));
    assert_eq!(statistics, before);
}

// --- the file ----------------------------------------------------------------------------------------------

#[test]
fn a_file_holds_the_statistics() {
    let gallery = Gallery::new(20);
    let statistics = gallery.statistics();
    let bytes = statistics.to_bytes().unwrap();
    let read = Statistics::from_bytes(&bytes).unwrap();
    assert_eq!((read.images(), read.weights()), (20, WEIGHTS));
    for (layer, head) in gallery.heads() {
        let (found, expected) = (read.head(layer, head), statistics.head(layer, head));
        assert_eq!((found.count, &found.mean), (expected.count, &expected.mean));
        let (found, expected) = (found.covariance(), expected.covariance());
        let off = largest_difference(found.as_slice(), expected.as_slice());
        assert!(
            off <= f64::from(f32::EPSILON) * expected.amax(),
            "a covariance is stored in f32 and differs by {off}"
        );
        assert_eq!(read.cls_code(layer, head), statistics.cls_code(layer, head));
    }
    for layer in 0..gallery.readout.layers {
        assert_eq!(read.mlp(layer), statistics.mlp(layer));
    }
    assert_eq!(read.embedded(), statistics.embedded());
    assert_eq!(read.to_bytes().unwrap(), bytes, "writing the statistics again gives another file");
}

#[test]
fn a_file_of_zero_images_is_valid() {
    let gallery = Gallery::new(0);
    let read = Statistics::from_bytes(&gallery.none().to_bytes().unwrap()).unwrap();
    assert_eq!(read, gallery.none());
}

#[test]
fn a_gallery_continues_from_a_file() {
    let gallery = Gallery::new(12);
    let mut going_on = gallery.none();
    gallery.images().take(8).for_each(|image| going_on.push(&image));
    let mut going_on = Statistics::from_bytes(&going_on.to_bytes().unwrap()).unwrap();
    gallery.images().skip(8).for_each(|image| going_on.push(&image));
    let whole = gallery.statistics();
    assert_eq!(going_on.images(), whole.images());
    for (layer, head) in gallery.heads() {
        let (found, expected) = (going_on.head(layer, head), whole.head(layer, head));
        assert!(largest_difference(&found.mean, &expected.mean) < 1e-13);
        let (found, expected) = (found.covariance(), expected.covariance());
        assert!(largest_difference(found.as_slice(), expected.as_slice()) < 1e-6 * expected.amax());
    }
}

#[test]
fn labels_survive_a_file() {
    let gallery = Gallery::new(60);
    let statistics = gallery.statistics();
    let read = Statistics::from_bytes(&statistics.to_bytes().unwrap()).unwrap();
    let mut random = RandomWeights::new(9);
    let texts: Vec<f32> = (0..40 * gallery.readout.embedding).map(|_| random.draw()).collect();
    for (layer, head) in gallery.heads() {
        let basis = gallery.readout.head_basis(layer, head);
        let picks_of = |statistics: &Statistics| textspan(&basis, statistics.head(layer, head), &texts, 16, 10);
        let (found, expected) = (picks_of(&read), picks_of(&statistics));
        assert_eq!(expected.len(), 10);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.text, expected.text, "head {layer}.{head}");
            assert!((found.explained - expected.explained).abs() < 1e-6, "{found:?} {expected:?}");
        }
    }
}

#[test]
fn a_truncated_file_is_refused() {
    let bytes = Gallery::new(2).statistics().to_bytes().unwrap();
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(
            matches!(Statistics::from_bytes(&bytes[..length]), Err(StatisticsError::Malformed(_))),
            "{length}"
        );
    }
}
