//! Properties of any model and any picture: the parts sum to the whole, at every level.
#![cfg(not(target_arch = "wasm32"))]

use burn::tensor::Device;
use headlamp::ablate::{Ablation, MeanContributions, MeanParts, Study};
use headlamp::checkpoint::random_model::{self, RandomWeights};
use headlamp::decompose::{Decomposition, Readout};
use headlamp::geometry::Size;
use headlamp::model::{
    Crop, ModelConfig, TensorError, TensorSource, TextKind, VisionConfig, VisionTransformer, load_readout,
};
use headlamp::retrieve::{PictureCodes, Property, ranked};
use headlamp::statistics::Statistics;
use headlamp::zero_shot;

/// A vision tower of random weights, with random crops.
struct Tower {
    config: ModelConfig,
    vision: VisionTransformer,
    readout: Readout,
}

impl Tower {
    fn new(config: ModelConfig, seed: u64) -> Self {
        config.check().unwrap();
        let (embedding, device) = (config.embedding, Device::flex());
        let mut stored = Recorded::new(&config, seed);
        let readout = load_readout(&config.vision, embedding, &mut stored).unwrap();
        let vision = VisionTransformer::load(&config.vision, embedding, &mut stored, &device).unwrap();
        Self { config, vision, readout }
    }

    fn crop(&self, width: usize, height: usize, seed: u64) -> Crop {
        let mut random = RandomWeights::new(seed);
        let values = (0..3 * width * height).map(|_index| 1.5 * random.draw()).collect();
        Crop { size: Size { width, height }, values }
    }

    fn text(&self, seed: u64) -> Vec<f32> {
        let mut random = RandomWeights::new(seed);
        zero_shot::normalised(&(0..self.config.embedding).map(|_index| random.draw()).collect::<Vec<_>>())
    }
}

/// Random tensors by name. The values do not depend on how often or in which order they are read.
struct Recorded(std::collections::BTreeMap<String, Vec<f32>>);

impl Recorded {
    fn new(config: &ModelConfig, seed: u64) -> Self {
        let mut random = RandomWeights::new(seed);
        let tensors = config.tensors().into_iter();
        Self(tensors.map(|spec| (spec.name.clone(), random.tensor(&spec.name, &spec.shape).unwrap())).collect())
    }
}

impl TensorSource for Recorded {
    fn tensor(&mut self, name: &str, _shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        self.0.get(name).cloned().ok_or_else(|| TensorError::Missing(name.to_owned()))
    }
}

/// Returns the config of the tiny model, and variants that each lack one optional part.
fn configs() -> Vec<ModelConfig> {
    let tiny = random_model::config(100);
    assert_eq!(tiny.text.as_ref().unwrap().kind, TextKind::Clip);
    let with = |change: fn(&mut VisionConfig)| {
        let mut config = tiny.clone();
        change(&mut config.vision);
        config
    };
    let mut bare = with(|vision| {
        vision.projection = false;
        vision.projection_bias = false;
        vision.ln_pre = false;
        vision.registers = 0;
    });
    bare.embedding = bare.vision.width;
    vec![tiny.clone(), with(|vision| vision.ln_pre = false), with(|vision| vision.registers = 0), bare]
}

fn each_case(mut test: impl FnMut(&Tower, &Decomposition<'_>)) {
    for (index, config) in configs().into_iter().enumerate() {
        for seed in 1..4 {
            let tower = Tower::new(config.clone(), seed);
            for (width, height) in [(64, 64), (16, 16), (48, 80)] {
                let crop = tower.crop(width, height, 100 * seed + index as u64);
                let trace = pollster::block_on(tower.vision.trace(&crop)).unwrap();
                test(&tower, &Decomposition::new(&tower.readout, &trace));
            }
        }
    }
}

#[test]
fn components_sum_to_the_unit_embedding() {
    each_case(|tower, decomposition| {
        assert!(decomposition.residual() < 1e-5, "{}", decomposition.residual());
        let mut sum = decomposition.embedded();
        let heads = (0..tower.readout.layers)
            .flat_map(|layer| (0..tower.readout.heads).map(move |head| (layer, head)))
            .map(|(layer, head)| decomposition.head(layer, head));
        for part in decomposition.mlps().into_iter().chain(heads) {
            sum.iter_mut().zip(&part).for_each(|(sum, part)| *sum += part);
        }
        for (sum, unit) in sum.iter().zip(decomposition.embedding()) {
            assert!((sum - f64::from(unit)).abs() < 1e-5, "{sum} {unit}");
        }
    });
}

#[test]
fn parts_sum_to_the_score_and_tokens_to_their_head() {
    each_case(|tower, decomposition| {
        let text = tower.text(9);
        let direction = tower.readout.direction(&text);
        let parts = decomposition.parts(&direction);
        let score = zero_shot::dot(&decomposition.embedding(), &text);
        assert!((parts.total() - score).abs() < 1e-5, "{} {score}", parts.total());
        let mut over_patches = 0.0;
        for (layer, heads) in parts.heads.iter().enumerate() {
            for (head, part) in heads.iter().enumerate() {
                let tokens = decomposition.head_tokens(&direction, layer, head);
                assert!((tokens.iter().sum::<f64>() - part).abs() < 1e-9, "tokens of head {layer}.{head}");
                let vector = decomposition.head(layer, head);
                let dotted: f64 = vector.iter().zip(&text).map(|(a, b)| a * f64::from(*b)).sum();
                assert!((dotted - part).abs() < 1e-9, "head {layer}.{head}: {dotted} {part}");
                over_patches += tokens[tower.config.vision.leading_tokens()..].iter().sum::<f64>();
            }
        }
        let patches: f64 = decomposition.patches(&direction).iter().sum();
        assert!((patches - over_patches).abs() < 1e-9);
    });
}

#[test]
fn attention_is_a_distribution_over_the_tokens() {
    each_case(|tower, decomposition| {
        for layer in 0..tower.readout.layers {
            for head in 0..tower.readout.heads {
                let over_patches: f32 = decomposition.attention(layer, head).iter().sum();
                assert!((0.0..=1.0 + 1e-5).contains(&over_patches), "{over_patches}");
            }
        }
    });
}

#[test]
fn a_difference_of_texts_scores_as_the_difference() {
    each_case(|tower, decomposition| {
        let (a, b) = (tower.text(1), tower.text(2));
        let difference: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let patches = |text: &[f32]| decomposition.patches(&tower.readout.direction(text));
        let apart = patches(&a).into_iter().zip(patches(&b)).map(|(a, b)| a - b);
        for (together, apart) in patches(&difference).into_iter().zip(apart) {
            assert!((together - apart).abs() < 1e-7, "{together} {apart}");
        }
    });
}

/// Ablating a component gives the same score as replacing the component's vector in the sum by the mean.
#[test]
fn an_ablated_score_is_the_score_with_the_component_replaced() {
    for config in configs() {
        let tower = Tower::new(config, 5);
        let traces: Vec<_> = (0..6)
            .map(|seed| pollster::block_on(tower.vision.trace(&tower.crop(64, 64, 50 + seed))).unwrap())
            .collect();
        let images: Vec<_> = traces.iter().map(|trace| Decomposition::new(&tower.readout, trace)).collect();
        let mut statistics = Statistics::new(&tower.readout, "");
        images.iter().for_each(|image| statistics.push(image));
        let text = tower.text(3);
        let direction = tower.readout.direction(&text);
        let means = MeanParts::new(&tower.readout, &statistics, &direction);
        let dotted = |vector: &[f64]| vector.iter().zip(&text).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
        let mean = |part: &dyn Fn(&Decomposition<'_>) -> f64| images.iter().map(part).sum::<f64>() / 6.0;
        let score =
            |image: &Decomposition<'_>, ablation: &Ablation| ablation.parts(image, &direction, &means).total();
        let image = &images[2];
        let before = image.parts(&direction).total();

        let head = Ablation { heads: [(1, 2)].into(), ..Ablation::default() };
        let of_head = |image: &Decomposition<'_>| dotted(&image.head(1, 2));
        let expected = before - of_head(image) + mean(&of_head);
        assert!((score(image, &head) - expected).abs() < 1e-10);

        let mlps = Ablation::of_study(Study::Mlps, tower.readout.layers, tower.readout.heads);
        let of_mlps = |image: &Decomposition<'_>| image.mlps().iter().map(|mlp| dotted(mlp)).sum::<f64>();
        let expected = before - of_mlps(image) + mean(&of_mlps);
        assert!((score(image, &mlps) - expected).abs() < 1e-10);

        let embedding = Ablation { embedding: true, ..Ablation::default() };
        let of_embedding = |image: &Decomposition<'_>| dotted(&image.embedded());
        let expected = before - of_embedding(image) + mean(&of_embedding);
        assert!((score(image, &embedding) - expected).abs() < 1e-10);

        let cls = Ablation { cls_to_cls: true, ..Ablation::default() };
        let of_cls = |image: &Decomposition<'_>| {
            let heads = (0..tower.readout.layers).flat_map(|l| (0..tower.readout.heads).map(move |h| (l, h)));
            heads.map(|(layer, head)| image.head_tokens(&direction, layer, head)[0]).sum::<f64>()
        };
        let expected = before - of_cls(image) + mean(&of_cls);
        assert!((score(image, &cls) - expected).abs() < 1e-10, "{} {expected}", score(image, &cls));

        assert_eq!(score(image, &Ablation::default()), before);
        let patches = |ablation: &Ablation| ablation.patches(image, &direction, &means);
        let kept: f64 = image.patches_of(&direction, |layer, head| (layer, head) != (1, 2)).iter().sum();
        let even = mean(&of_head) * image.patches(&direction).len() as f64 / image.tokens() as f64;
        assert!((patches(&head).iter().sum::<f64>() - kept - even).abs() < 1e-10);
        assert_eq!(patches(&cls), image.patches(&direction), "ablating CLS changed the patches");
    }
}

/// The change of the embedding by an ablation, times any text, equals the change of the text's score.
#[test]
fn a_shift_scores_like_the_ablated_parts() {
    for config in configs() {
        let tower = Tower::new(config, 6);
        let trace = |seed: u64| pollster::block_on(tower.vision.trace(&tower.crop(64, 48, 70 + seed))).unwrap();
        let traces: Vec<_> = (0..5).map(trace).collect();
        let images: Vec<_> = traces.iter().map(|trace| Decomposition::new(&tower.readout, trace)).collect();
        let mut statistics = Statistics::new(&tower.readout, "");
        images.iter().for_each(|image| statistics.push(image));
        let vectors = MeanContributions::new(&tower.readout, &statistics);
        let (layers, heads) = (tower.readout.layers, tower.readout.heads);
        let mut ablations = vec![
            Ablation::default(),
            Ablation { heads: [(0, 1), (2, 0)].into(), embedding: true, ..Ablation::default() },
            // One head is off as a whole. In the others, CLS-to-CLS attention is off.
            Ablation { heads: [(1, 2)].into(), cls_to_cls: true, mlps: [2].into(), embedding: false },
            Ablation::all_but_last(1, layers, heads),
        ];
        ablations.extend(
            [Study::Mlps, Study::ClsToCls, Study::MlpsAndClsToCls, Study::FirstAttentions(2)]
                .map(|study| Ablation::of_study(study, layers, heads)),
        );
        for (image, seed) in images.iter().zip(1..) {
            let text = tower.text(seed);
            let direction = tower.readout.direction(&text);
            let means = MeanParts::new(&tower.readout, &statistics, &direction);
            let before = image.parts(&direction).total();
            for ablation in &ablations {
                let shift = ablation.shift(image, &vectors);
                let dotted: f64 = shift.iter().zip(&text).map(|(a, b)| a * f64::from(*b)).sum();
                let expected = ablation.parts(image, &direction, &means).total() - before;
                assert!((dotted - expected).abs() < 1e-10, "{ablation:?}: {dotted} {expected}");
            }
            assert!(ablations[0].shift(image, &vectors).iter().all(|value| *value == 0.0));
        }
    }
}

#[test]
fn a_contribution_from_a_code_equals_the_basis() {
    each_case(|tower, decomposition| {
        for (layer, head) in [(0, 0), (2, 1)] {
            let code = decomposition.head_code(layer, head);
            let found = tower.readout.code_contribution(layer, head, &code);
            for (found, expected) in found.iter().zip(decomposition.head(layer, head)) {
                assert!((found - expected).abs() < 1e-10, "{found} {expected}");
            }
        }
    });
}

/// Rollout over the last layer alone is half of the mean attention. Rollout over all layers stays below 1.
#[test]
fn rollout_multiplies_the_attention_of_layers() {
    for config in configs() {
        let tower = Tower::new(config, 8);
        let crop = tower.crop(64, 64, 3);
        let rollout = |first| pollster::block_on(tower.vision.trace_with_rollout(&crop, first)).unwrap();
        let (trace, last) = rollout(tower.readout.layers - 1);
        let image = Decomposition::new(&tower.readout, &trace);
        for (patch, found) in last.iter().enumerate() {
            let of_head = |head| image.attention(tower.readout.layers - 1, head)[patch];
            let mean = (0..tower.readout.heads).map(of_head).sum::<f32>() / tower.readout.heads as f32;
            assert!((found - mean / 2.0).abs() < 1e-6, "patch {patch}: {found} {mean}");
        }
        let (_trace, all) = rollout(0);
        let sum: f32 = all.iter().sum();
        assert!(sum > last.iter().sum::<f32>() && sum < 1.0, "{sum}");
        assert_eq!(rollout(tower.readout.layers).1, vec![0.0; all.len()]);
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Compares the codes of a picture with its trace, in memory and after writing and reading its bytes.
#[test]
fn picture_codes_score_texts_like_their_picture() {
    each_case(|tower, decomposition| {
        let readout = &tower.readout;
        let codes = PictureCodes::of(decomposition, readout);
        let bytes = codes.to_bytes();
        let stored = PictureCodes::from_bytes(&bytes, readout).unwrap();
        assert!(PictureCodes::from_bytes(&bytes[1..], readout).is_err(), "truncated bytes were accepted");
        let text = tower.text(7);
        let direction = readout.direction(&text);
        let parts = decomposition.parts(&direction);
        for (codes, tolerance) in [(&codes, 1e-6), (&stored, 1e-3)] {
            let found = codes.parts(readout, &direction);
            assert!((codes.score(&text) - parts.total()).abs() < 1e-5_f64.max(tolerance));
            let all = |parts: &headlamp::decompose::Parts| {
                [parts.heads.concat(), parts.mlps.clone(), vec![parts.embedding]].concat()
            };
            for (found, expected) in all(&found).iter().zip(all(&parts)) {
                assert!((found - expected).abs() < tolerance, "{found} {expected}");
            }
        }
    });
}

/// Compares with the contributions as vectors, which retrieval does not store.
#[test]
fn similarity_compares_head_contributions() {
    let tower = Tower::new(random_model::config(100), 5);
    let readout = &tower.readout;
    let traces: Vec<_> =
        (0..6).map(|seed| pollster::block_on(tower.vision.trace(&tower.crop(64, 64, seed))).unwrap()).collect();
    let images: Vec<_> = traces.iter().map(|trace| Decomposition::new(readout, trace)).collect();
    let codes: Vec<_> = images.iter().map(|image| PictureCodes::of(image, readout)).collect();
    let text = tower.text(3);
    let direction = readout.direction(&text);
    let last = readout.layers - 1;
    for heads in [vec![(last, 0)], vec![(0, 1), (last, 0), (last, 1)]] {
        let property = Property::new(readout, heads.iter().copied());
        let vectors: Vec<Vec<f64>> =
            images.iter().map(|image| image.sum_of_heads(|layer, head| heads.contains(&(layer, head)))).collect();
        let alike = property.similarities(readout, &codes[0], &codes);
        for (index, (found, vector)) in alike.iter().zip(&vectors).enumerate() {
            let expected = cosine(&vectors[0], vector);
            assert!((found - expected).abs() < 1e-5, "{heads:?} {index}: {found} {expected}");
        }
        assert_eq!(
            ranked(&alike, 1),
            [0],
            "another picture is more similar to the picture than the picture itself"
        );
        for (found, image) in property.scores(readout, &text, &codes).iter().zip(&images) {
            let parts = image.parts(&direction);
            let expected: f64 = heads.iter().map(|(layer, head)| parts.heads[*layer][*head]).sum();
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
    let whole = Property::new(readout, []);
    let as_f64 = |image: &PictureCodes| image.embedding.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
    let alike = whole.similarities(readout, &codes[0], &codes);
    for (found, image) in alike.iter().zip(&codes) {
        assert!((found - cosine(&as_f64(&codes[0]), &as_f64(image))).abs() < 1e-6);
    }
    for (found, image) in whole.scores(readout, &text, &codes).iter().zip(&images) {
        assert!((found - image.parts(&direction).total()).abs() < 1e-5);
    }
}

#[test]
fn the_ranking_is_stable_and_never_too_long() {
    assert_eq!(ranked(&[0.5, 2.0, f64::NEG_INFINITY, 2.0], 3), [1, 3, 0]);
    assert_eq!(ranked(&[1.0], 5), [0]);
    assert!(ranked(&[], 5).is_empty());
}

/// Compares with the contributions as vectors: their mean over the pictures, and the lengths of the differences.
#[test]
fn distances_are_measured_from_the_mean_contribution() {
    let tower = Tower::new(random_model::config(100), 6);
    let readout = &tower.readout;
    let traces: Vec<_> =
        (0..6).map(|seed| pollster::block_on(tower.vision.trace(&tower.crop(64, 64, seed))).unwrap()).collect();
    let images: Vec<_> = traces.iter().map(|trace| Decomposition::new(readout, trace)).collect();
    let codes: Vec<_> = images.iter().map(|image| PictureCodes::of(image, readout)).collect();
    let mut statistics = Statistics::new(readout, "");
    images.iter().for_each(|image| statistics.push(image));
    let last = readout.layers - 1;
    for heads in [vec![], vec![(last, 0)], vec![(0, 1), (last, 0), (last, 1)]] {
        let property = Property::new(readout, heads.iter().copied());
        let vector = |image: &Decomposition<'_>| match heads[..] {
            [] => image.embedding().into_iter().map(f64::from).collect(),
            _ => image.sum_of_heads(|layer, head| heads.contains(&(layer, head))),
        };
        let vectors: Vec<Vec<f64>> = images.iter().map(vector).collect();
        let expected: Vec<f64> = (0..readout.embedding)
            .map(|at| vectors.iter().map(|vector| vector[at]).sum::<f64>() / vectors.len() as f64)
            .collect();
        let mean = property.mean(readout, &statistics);
        for (mean, expected) in mean.iter().zip(&expected) {
            // The whole embedding is the device's own, in f32.
            assert!((mean - expected).abs() < 1e-5, "{heads:?}: {mean} {expected}");
        }
        for (found, vector) in property.distances(readout, &mean, &codes).iter().zip(&vectors) {
            let length = vector.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            assert!((found - length).abs() < 1e-5 && length > 1e-3, "{heads:?}: {found} {length}");
        }
    }
}
