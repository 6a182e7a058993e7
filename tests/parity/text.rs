//! Text towers: CLIP's (causal, end token, projected) and BERT's (post-norm, mean-pooled).

use burn::tensor::Device;
use headlamp::checkpoint::layouts::Layout;
use headlamp::model::{Backend, Model, ModelConfig, TextConfig, TextKind, TextPooling, TextTransformer};
use headlamp::shaders::supports_head_width;
use safetensors::SafeTensors;

use super::vision::Fixture;
use super::{HubConfig, TOLERANCE, backends};
use test_support::reference::{bytes_of, relative, tensors_of};

/// A text tower of the fixtures, with its texts and their embeddings.
pub struct TextFixture {
    pub model: &'static str,
    pub config: TextConfig,
    pub texts: Vec<Vec<u32>>,
    layout: fn(headlamp::checkpoint::StateDict) -> Layout,
    embedding: usize,
    unit: Vec<f32>,
    /// Two texts that differ only in the order of their tokens.
    pub reordered: (usize, usize),
}

impl TextFixture {
    pub fn clip() -> Self {
        let hub = HubConfig::read("vit_clip").part("text_config");
        let config = TextConfig { pooling: TextPooling::End, projection: true, ..config_of(&hub, TextKind::Clip) };
        let reordered = (1, 2);
        Self::new("vit_clip", config, Layout::clip, "text.", hub.number("projection_dim"), reordered)
    }

    pub fn bert() -> Self {
        let hub = HubConfig::read("bert");
        let config =
            TextConfig { pooling: TextPooling::Mean, projection: false, ..config_of(&hub, TextKind::Bert) };
        Self::new("bert", config, Layout::bert, "", hub.number("hidden_size"), (2, 3))
    }

    fn new(
        model: &'static str,
        config: TextConfig,
        layout: fn(headlamp::checkpoint::StateDict) -> Layout,
        prefix: &str,
        embedding: usize,
        reordered: (usize, usize),
    ) -> Self {
        let file = format!("{model}.expected");
        let unit = tensors_of(&file).tensors[&format!("{prefix}unit")].values.clone();
        let texts = ids_of(&format!("{file}.safetensors"), &format!("{prefix}ids"));
        let sorted = |text: &[u32]| {
            let mut text = text.to_vec();
            text.sort_unstable();
            text
        };
        let (a, b) = (&texts[reordered.0], &texts[reordered.1]);
        assert!(a != b && sorted(a) == sorted(b), "{a:?} {b:?}");
        Self { model, config, texts, layout, embedding, unit, reordered }
    }

    /// Returns the largest relative error if `texts` were the fixture's texts.
    pub fn error(&self, config: &TextConfig, texts: &[Vec<u32>]) -> f64 {
        self.error_on(&Backend::Burn(Device::flex()), config, texts)
    }

    fn error_on(&self, backend: &Backend, config: &TextConfig, texts: &[Vec<u32>]) -> f64 {
        let mut source = (self.layout)(tensors_of(self.model));
        let tower = TextTransformer::load(config, self.embedding, &mut source, backend).unwrap();
        let units = pollster::block_on(tower.embed(texts)).unwrap();
        relative(&units.concat(), &self.unit, self.embedding)
    }
}

fn config_of(hub: &HubConfig, kind: TextKind) -> TextConfig {
    TextConfig {
        kind,
        width: hub.number("hidden_size"),
        layers: hub.number("num_hidden_layers"),
        heads: hub.number("num_attention_heads"),
        mlp_width: hub.number("intermediate_size"),
        activation: hub.activation(),
        eps: hub.eps(),
        vocabulary: hub.number("vocab_size"),
        context: hub.number("max_position_embeddings"),
        pooling: TextPooling::End,
        projection: false,
        centred: false,
    }
}

/// Returns rows of token ids. The file fills short rows with -1.
fn ids_of(file: &str, key: &str) -> Vec<Vec<u32>> {
    let bytes = bytes_of(file);
    let parsed = SafeTensors::deserialize(&bytes).unwrap();
    let view = parsed.tensor(key).unwrap();
    assert_eq!(view.dtype(), safetensors::Dtype::I64);
    let ids: Vec<i64> = view.data().as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect();
    let row = |row: &[i64]| row.iter().map_while(|id| u32::try_from(*id).ok()).collect();
    ids.chunks(view.shape()[1]).map(row).collect()
}

/// Texts of many lengths in one call, also the empty one. Each must get the embedding that PyTorch computes for
/// the text alone.
#[test]
fn text_embeddings_agree_with_pytorch() {
    for fixture in [TextFixture::clip(), TextFixture::bert()] {
        // CLIP's fixture has heads of width ten.
        let head_width = fixture.config.width / fixture.config.heads;
        let takes = |backend: &Backend| {
            !matches!(backend, Backend::Shaders(_)) || supports_head_width(head_width, 16 << 10)
        };
        for (backend, tolerance) in backends().into_iter().filter(|(backend, _)| takes(backend)) {
            let error = fixture.error_on(&backend, &fixture.config, &fixture.texts);
            println!("{}, {backend:?}: {error:.1e}", fixture.model);
            assert!(error < tolerance, "{}, {backend:?}: a text is off by {error:.1e}", fixture.model);
        }
    }
}

/// A whole CLIP loads by one layout. The logit scale has the form that the classifier multiplies by.
#[test]
fn a_whole_clip_loads_with_its_logit_scale() {
    let [vision, ..] = &Fixture::all()[..] else { panic!("no fixture") };
    let (text, embedding) = (TextFixture::clip().config, vision.embedding);
    let config = ModelConfig { vision: vision.config.clone(), text: Some(text), embedding };
    let model = Model::load(config, &mut vision.source(), Device::flex()).unwrap();
    let expected = &tensors_of("vit_clip.expected").tensors["logit_scale"].values;
    assert!(relative(&[model.logit_scale], expected, 1) < TOLERANCE, "{} {expected:?}", model.logit_scale);
}
