//! Vision towers: everything in a trace, and every component of the decomposition.

use std::collections::BTreeMap;
use std::future::Future;
use std::task::{Context, Poll, Waker};

use burn::tensor::Device;
use headlamp::checkpoint::StateDict;
use headlamp::checkpoint::layouts::Layout;
use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::decompose::{Decomposition, Direction, Readout, Trace};
use headlamp::geometry::{Grid, LongSide, Size};
use headlamp::model::{
    Backend, Crop, PositionResize, TensorSource, VisionConfig, VisionTransformer, load_readout,
};
use headlamp::zero_shot;

use super::{HubConfig, IN_PARTS, backends};
use test_support::reference::{relative, tensors_of};

/// The crops of every fixture: the model's own size, a smaller square, and a rectangle.
pub const SIZES: [&str; 3] = ["native", "square", "wide"];

/// A model of the fixtures, with its results for some crops.
pub struct Fixture {
    pub model: &'static str,
    pub config: VisionConfig,
    pub embedding: usize,
    expected: StateDict,
}

/// A vision tower on the CPU.
pub struct Tower {
    pub vision: VisionTransformer,
    pub readout: Readout,
}

/// The largest relative error of each kind of result, by the kind's name.
pub type Errors = BTreeMap<&'static str, f64>;

impl Fixture {
    pub fn all() -> Vec<Self> {
        ["vit_clip", "vit_dinov2", "vit_dinov2_registers"].map(Self::read).into()
    }

    fn read(model: &'static str) -> Self {
        let hub = HubConfig::read(model);
        let expected = tensors_of(&format!("{model}.expected"));
        let embedding = expected.tensors["native.embedding"].shape[0];
        let clip = hub.has("vision_config");
        let hub = if clip { hub.part("vision_config") } else { hub };
        Self { model, config: config_of(&hub, clip), embedding, expected }
    }

    /// Returns the checkpoint's own weights.
    pub fn source(&self) -> Layout {
        let state = tensors_of(self.model);
        if self.config.projection_bias { Layout::dinov2(state) } else { Layout::clip(state) }
    }

    pub fn tower(&self, config: &VisionConfig, source: &mut dyn TensorSource) -> Tower {
        self.tower_on(&Backend::Burn(Device::flex()), config, source)
    }

    fn tower_on(&self, backend: &Backend, config: &VisionConfig, source: &mut dyn TensorSource) -> Tower {
        let readout = load_readout(config, self.embedding, source).unwrap();
        let vision = VisionTransformer::load(config, self.embedding, source, backend).unwrap();
        Tower { vision, readout }
    }

    fn expected(&self, size: &str, part: &str) -> &[f32] {
        &self.expected.tensors[&format!("{size}.{part}")].values
    }

    fn crop(&self, size: &str) -> Crop {
        let pixels = &self.expected.tensors[&format!("{size}.pixels")];
        let [3, height, width] = pixels.shape[..] else { panic!("pixels of shape {:?}", pixels.shape) };
        Crop { size: Size { width, height }, values: pixels.values.clone() }
    }

    pub fn trace(&self, tower: &Tower, size: &str) -> Trace {
        let crop = self.crop(size);
        let Size { width, height } = crop.size;
        let trace = pollster::block_on(tower.vision.trace(&crop)).unwrap();
        let patch = self.config.patch;
        assert_eq!(trace.grid, Grid { rows: height / patch, columns: width / patch });
        assert_eq!(trace.leading_tokens, 1 + self.config.registers);
        assert_eq!(trace.tokens, trace.leading_tokens + trace.grid.len());
        trace
    }

    /// Returns the errors of the trace: the tower's own results.
    fn trace_errors(&self, trace: &Trace, size: &str) -> Errors {
        let expected = |part| self.expected(size, part);
        let all = |part: fn(&headlamp::decompose::TracedLayer) -> &[f32]| -> Vec<f32> {
            trace.layers.iter().flat_map(part).copied().collect()
        };
        let width = self.config.width;
        Errors::from([
            ("embedding", relative(&trace.embedding, expected("embedding"), self.embedding)),
            ("z0", relative(&trace.embedded_cls, expected("embedded_cls"), width)),
            ("final CLS", relative(&trace.final_cls, expected("final_cls"), width)),
            ("CLS attention", relative(&all(|layer| &layer.attention), expected("attention"), trace.tokens)),
            ("MLP outputs", relative(&all(|layer| &layer.mlp), expected("mlp_outputs"), width)),
        ])
    }

    /// Returns the errors of the decomposition, over all numbers of each component.
    fn component_errors(&self, decomposition: &Decomposition<'_>, tower: &Tower, size: &str) -> Errors {
        let expected = |part| self.expected(size, part);
        let (d, tokens) = (self.embedding, expected("component.tokens"));
        let basis = directions(&tower.readout, &identity(d));
        let heads: Vec<f64> = self.each_head().flat_map(|(layer, head)| decomposition.head(layer, head)).collect();
        let stream = decomposition.cls_after_layers();
        Errors::from([
            ("unit embedding", relative(&decomposition.embedding(), expected("unit"), d)),
            ("|M|", relative(&[decomposition.final_norm().norm], expected("norm"), 1)),
            (
                "CLS after the layers",
                relative(&stream[stream.len() - 1], expected("final_cls"), self.config.width),
            ),
            ("z0's part", relative(&decomposition.embedded(), expected("component.embedded"), d)),
            ("MLPs' parts", relative(&decomposition.mlps().concat(), expected("component.mlps"), d)),
            ("heads' parts", relative(&heads, &self.over_tokens(tokens), d)),
            ("tokens' parts", relative(&self.token_scores(decomposition, &basis), tokens, d)),
            ("patches' parts", relative(&patch_scores(decomposition, &basis), &self.over_heads(tokens), d)),
        ])
    }

    /// Returns the errors of scores. The scores of a component are one vector over the texts.
    fn score_errors(&self, decomposition: &Decomposition<'_>, tower: &Tower, size: &str) -> Errors {
        let texts = random_texts(self.embedding);
        let directions = directions(&tower.readout, &texts);
        let expected = |part| scores(self.expected(size, part), &texts);
        let tokens = self.expected(size, "component.tokens");
        let parts: Vec<_> = directions.iter().map(|direction| decomposition.parts(direction)).collect();
        let by_text = |numbers: fn(&headlamp::decompose::Parts) -> Vec<f64>| {
            transposed(&parts.iter().map(numbers).collect::<Vec<_>>())
        };
        let count = texts.len();
        let heads = by_text(|parts| parts.heads.concat());
        Errors::from([
            ("scores", relative(&by_text(|parts| vec![parts.total()]), &expected("unit"), count)),
            (
                "z0's scores",
                relative(&by_text(|parts| vec![parts.embedding]), &expected("component.embedded"), count),
            ),
            ("MLPs' scores", relative(&by_text(|parts| parts.mlps.clone()), &expected("component.mlps"), count)),
            ("heads' scores", relative(&heads, &scores(&self.over_tokens(tokens), &texts), count)),
            (
                "tokens' scores",
                relative(&self.token_scores(decomposition, &directions), &scores(tokens, &texts), count),
            ),
            (
                "patches' scores",
                relative(
                    &patch_scores(decomposition, &directions),
                    &scores(&self.over_heads(tokens), &texts),
                    count,
                ),
            ),
        ])
    }

    /// Returns the errors of everything that is compared with the reference.
    pub fn errors(&self, tower: &Tower, trace: &Trace, size: &str) -> Errors {
        let decomposition = Decomposition::new(&tower.readout, trace);
        let mut errors = self.trace_errors(trace, size);
        errors.extend(self.component_errors(&decomposition, tower, size));
        errors.extend(self.score_errors(&decomposition, tower, size));
        errors
    }

    fn each_head(&self) -> impl Iterator<Item = (usize, usize)> {
        let heads = self.config.heads;
        (0..self.config.layers).flat_map(move |layer| (0..heads).map(move |head| (layer, head)))
    }

    /// `[layer, head, token, direction]`
    fn token_scores(&self, decomposition: &Decomposition<'_>, directions: &[Direction]) -> Vec<f64> {
        let of_head = |(layer, head)| {
            let by_direction =
                directions.iter().map(|direction| decomposition.head_tokens(direction, layer, head));
            transposed(&by_direction.collect::<Vec<_>>())
        };
        self.each_head().flat_map(of_head).collect()
    }

    /// `[layer, head, token, d]` to `[layer, head, d]`.
    fn over_tokens(&self, tokens: &[f32]) -> Vec<f64> {
        let per_head = tokens.len() / (self.config.layers * self.config.heads);
        tokens.chunks(per_head).flat_map(|head| sum(head.chunks(self.embedding))).collect()
    }

    /// `[layer, head, token, d]` to `[patch, d]`.
    fn over_heads(&self, tokens: &[f32]) -> Vec<f64> {
        let per_head = tokens.len() / (self.config.layers * self.config.heads);
        let leading = self.config.leading_tokens() * self.embedding;
        sum(tokens.chunks(per_head).map(|head| &head[leading..]))
    }
}

fn config_of(hub: &HubConfig, clip: bool) -> VisionConfig {
    let (patch, image_size, width) =
        (hub.number("patch_size"), hub.number("image_size"), hub.number("hidden_size"));
    let side = image_size / patch;
    let registers = if hub.has("num_register_tokens") { hub.number("num_register_tokens") } else { 0 };
    VisionConfig {
        width,
        layers: hub.number("num_hidden_layers"),
        heads: hub.number("num_attention_heads"),
        patch,
        image_size,
        long_side: LongSide::Truncated,
        mlp_width: if clip { hub.number("intermediate_size") } else { width * hub.number("mlp_ratio") },
        activation: hub.activation(),
        ln_pre: clip,
        registers,
        eps: hub.eps(),
        position_grid: Grid { rows: side, columns: side },
        // Of these three families, only Dinov2WithRegisters antialiases.
        position_resize: if registers > 0 { PositionResize::Antialias } else { PositionResize::Size },
        projection: true,
        projection_bias: !clip,
        mean: [0.5; 3],
        std: [0.5; 3],
    }
}

/// `[patch, direction]`
fn patch_scores(decomposition: &Decomposition<'_>, directions: &[Direction]) -> Vec<f64> {
    transposed(&directions.iter().map(|direction| decomposition.patches(direction)).collect::<Vec<_>>())
}

fn directions(readout: &Readout, texts: &[Vec<f32>]) -> Vec<Direction> {
    texts.iter().map(|text| readout.direction(text)).collect()
}

/// Returns the identity matrix. Its scores are the components' own numbers.
fn identity(d: usize) -> Vec<Vec<f32>> {
    (0..d).map(|row| (0..d).map(|column| if row == column { 1.0 } else { 0.0 }).collect()).collect()
}

/// Returns unit texts, and one text of another length.
fn random_texts(d: usize) -> Vec<Vec<f32>> {
    let mut random = RandomWeights::new(1);
    let mut draw = || (0..d).map(|_index| random.draw()).collect::<Vec<_>>();
    let longer = draw();
    (0..5).map(|_text| zero_shot::normalised(&draw())).chain([longer]).collect()
}

/// Returns the inner products of vectors with texts, `[vector, text]`.
fn scores<V: Copy + Into<f64>>(vectors: &[V], texts: &[Vec<f32>]) -> Vec<f64> {
    let product = |vector: &[V], text: &[f32]| -> f64 {
        vector.iter().zip(text).map(|(value, t)| (*value).into() * f64::from(*t)).sum()
    };
    vectors.chunks(texts[0].len()).flat_map(|vector| texts.iter().map(move |text| product(vector, text))).collect()
}

/// `[a][b]` to `[b, a]`.
fn transposed(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len()).flat_map(|column| rows.iter().map(move |row| row[column])).collect()
}

/// Returns the sum of vectors.
fn sum<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f64> {
    vectors.fold(Vec::new(), |mut sum, vector| {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
        sum
    })
}

/// Compares every number of a trace and its decomposition, at the model's own size and at others, which need a
/// resized position table: each component of each layer, head and token, and its contribution to the scores of
/// texts.
#[test]
fn every_component_agrees_with_pytorch() {
    let fixtures = Fixture::all();
    for (backend, tolerance, fixture) in
        backends().iter().flat_map(|(on, tolerance)| fixtures.iter().map(move |fixture| (on, *tolerance, fixture)))
    {
        let tower = fixture.tower_on(backend, &fixture.config, &mut fixture.source());
        for size in SIZES {
            let trace = fixture.trace(&tower, size);
            let errors = fixture.errors(&tower, &trace, size);
            let worst = errors.values().copied().max_by(f64::total_cmp).unwrap_or(0.0);
            println!("{} {size}, {backend:?}: {worst:.1e} at most", fixture.model);
            for (what, error) in errors {
                let of_part = matches!(backend, Backend::Kernels) && what.contains('\'');
                let tolerance = if of_part { IN_PARTS * tolerance } else { tolerance };
                assert!(error < tolerance, "{} {size}, {backend:?}: {what} is off by {error:.1e}", fixture.model);
            }
        }
    }
}

/// From the second crop of a size on, a GPU replays a recorded run. The run gives the same result for the same
/// crop, bit for bit, even if other crops ran in between.
#[test]
fn a_recorded_run_gives_the_same_trace() {
    let Some(shaders) = test_support::gpu::gpu() else { return };
    for fixture in Fixture::all() {
        let tower = || fixture.tower_on(&shaders, &fixture.config, &mut fixture.source()).vision;
        let crops = ["native", "square", "native"].map(|size| {
            let crop = fixture.crop(size);
            // Other pixels of the same size, and the first pixels again.
            [1.0, -0.5, 0.0, 1.0]
                .map(|by| Crop { values: crop.values.iter().map(|value| value * by).collect(), ..crop })
        });
        let seen = tower();
        for (place, crop) in crops.iter().flat_map(|crops| crops.iter().enumerate()) {
            let found = pollster::block_on(seen.trace(crop)).unwrap();
            assert_eq!(seen.is_recorded(), place > 0, "{} {place}", fixture.model);
            assert!(found == pollster::block_on(tower().trace(crop)).unwrap(), "{} {place}", fixture.model);
        }
        // The next crop starts before the result of this crop is read.
        let [this, next] = [&crops[2][0], &crops[2][1]];
        let mut begun = std::pin::pin!(seen.trace(this));
        let nobody = &mut Context::from_waker(Waker::noop());
        let polled = begun.as_mut().poll(nobody);
        let after = pollster::block_on(seen.trace(next)).unwrap();
        let before = match polled {
            Poll::Ready(before) => before.unwrap(),
            Poll::Pending => pollster::block_on(begun).unwrap(),
        };
        assert!(before == pollster::block_on(tower().trace(this)).unwrap(), "{}", fixture.model);
        assert!(after == pollster::block_on(tower().trace(next)).unwrap(), "{}", fixture.model);
        for (place, crop) in crops[1].iter().enumerate() {
            let (trace, features) = pollster::block_on(seen.trace_with_features(crop)).unwrap();
            assert_eq!(seen.is_recorded(), place > 0, "{} {place}", fixture.model);
            let fresh = pollster::block_on(tower().trace_with_features(crop)).unwrap();
            assert!((trace, features) == fresh, "{} {place}", fixture.model);
        }
        for (layer, crop) in [0, 0, 1].into_iter().flat_map(|layer| crops[1].iter().map(move |crop| (layer, crop)))
        {
            let found = pollster::block_on(seen.tokens_after(crop, layer)).unwrap();
            let fresh = pollster::block_on(tower().tokens_after(crop, layer)).unwrap();
            assert!(found == fresh, "{} after layer {layer}", fixture.model);
        }
    }
}

/// However a backend rounds, its parts sum to its own embedding.
#[test]
fn the_parts_sum_to_the_embedding_on_every_backend() {
    let fixtures = Fixture::all();
    for (backend, fixture) in
        backends().iter().flat_map(|(on, _)| fixtures.iter().map(move |fixture| (on, fixture)))
    {
        let tower = fixture.tower_on(backend, &fixture.config, &mut fixture.source());
        for size in SIZES {
            let trace = fixture.trace(&tower, size);
            let residual = Decomposition::new(&tower.readout, &trace).residual();
            assert!(residual < 1e-5, "{} {size}, {backend:?}: {residual:.1e}", fixture.model);
        }
    }
}
