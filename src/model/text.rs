//! The text transformer of CLIP and BERT.

use super::backend::Backend;
use super::block::{Block, BlockShape, WantedTokens};
use super::config::{TextConfig, TextKind, TextPooling};
use super::error::ModelError;
use super::outer_layers::{Linear, Norm, pool};
use super::tensor::{DeviceTensor, read_back};
use super::tensor_list::text_norm_name;
use super::tensor_source::TensorSource;
use crate::zero_shot;

/// A text tower. Texts run at their own length, without padding, so CLIP's causal mask is the only mask.
#[derive(Debug)]
pub struct TextTransformer {
    ln_embed: Option<Norm>,
    blocks: Vec<Block>,
    ln_final: Option<Norm>,
    projection: Option<Linear>,
    table: TokenTable,
    backend: Backend,
}

/// The token embeddings, which stay on the CPU: a table of 49,408 rows can exceed the limit of a storage binding
/// in the browser.
#[derive(Clone, Debug)]
struct TokenTable {
    config: TextConfig,
    tokens: Vec<f32>,
    positions: Vec<f32>,
    mean: Option<Vec<f32>>,
}

impl TextTransformer {
    /// Loads the tower onto a device, or for the CPU kernels.
    ///
    /// # Errors
    /// When a tensor is missing or malformed.
    pub fn load(
        config: &TextConfig,
        embedding: usize,
        source: &mut dyn TensorSource,
        backend: impl Into<Backend>,
    ) -> Result<Self, ModelError> {
        let backend = backend.into();
        let width = config.width;
        let norm =
            Norm::load(&format!("text.{}", text_norm_name(config.kind)), width, config.eps, source, &backend)?;
        let (ln_embed, ln_final) = match config.kind {
            TextKind::Bert => (Some(norm), None),
            TextKind::Clip => (None, Some(norm)),
        };
        let projection = if config.projection {
            Some(Linear::load("text.projection", [width, embedding], false, source, &backend)?)
        } else {
            None
        };
        Ok(Self {
            ln_embed,
            blocks: (0..config.layers)
                .map(|layer| Block::load(&format!("text.blocks.{layer}"), block_shape(config), source, &backend))
                .collect::<Result<_, _>>()?,
            ln_final,
            projection,
            table: TokenTable {
                config: config.clone(),
                tokens: source.tensor("text.tokens", &[config.vocabulary, width])?,
                positions: source.tensor("text.positions", &[config.context, width])?,
                mean: if config.centred { Some(source.tensor("text.mean", &[embedding])?) } else { None },
            },
            backend,
        })
    }

    /// Embeds token sequences, with their start and end tokens, into unit vectors of the shared space,
    /// `[text][embedding]`.
    ///
    /// Sequences of equal length run as one batch.
    ///
    /// # Errors
    /// When a sequence is empty, too long or outside the vocabulary, or the device fails.
    pub async fn embed(&self, texts: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut by_length: Vec<usize> = (0..texts.len()).collect();
        by_length.sort_by_key(|index| texts[*index].len());
        let mut embeddings = vec![Vec::new(); texts.len()];
        for batch in by_length.chunk_by(|a, b| texts[*a].len() == texts[*b].len()).flat_map(|same| same.chunks(64))
        {
            let batch_texts: Vec<&[u32]> = batch.iter().map(|index| &texts[*index][..]).collect();
            let pooled = self.forward(&batch_texts)?;
            let [_, _, size] = pooled.dims();
            let values = read_back(vec![pooled.flatten()]).await?.concat();
            self.backend.check()?;
            for (index, embedding) in batch.iter().zip(values.chunks(size)) {
                embeddings[*index] = self.finish(embedding);
            }
        }
        Ok(embeddings)
    }

    /// Returns the pooled and projected outputs of sequences of one length, `[texts, 1, embedding]`, not
    /// normalised.
    fn forward(&self, texts: &[&[u32]]) -> Result<DeviceTensor<3>, ModelError> {
        let config = &self.table.config;
        let length = texts.first().map_or(0, |text| text.len());
        let embedded = self.table.gather(texts, length)?;
        let mut stream = self.backend.tensor(embedded, [texts.len(), length, config.width]);
        if let Some(norm) = &self.ln_embed {
            stream = norm.apply(stream)?;
        }
        for block in &self.blocks {
            stream = match config.kind {
                TextKind::Bert => block.forward_post_norm(stream)?,
                TextKind::Clip => block.forward_pre_norm(stream, WantedTokens::All, true)?.stream,
            };
        }
        if let Some(norm) = &self.ln_final {
            stream = norm.apply(stream)?;
        }
        let counted = match config.pooling {
            TextPooling::End => length - 1..length,
            TextPooling::Mean => 0..length,
        };
        let pooled = pool(stream, counted);
        match &self.projection {
            Some(projection) => projection.apply(pooled),
            None => Ok(pooled),
        }
    }

    /// Returns `normalise(x)`, or `normalise(normalise(x) - mean)` in a centred text space.
    fn finish(&self, pooled: &[f32]) -> Vec<f32> {
        let unit = zero_shot::normalised(pooled);
        match &self.table.mean {
            None => unit,
            Some(mean) => {
                let centred: Vec<f32> = unit.iter().zip(mean).map(|(x, mean)| x - mean).collect();
                zero_shot::normalised(&centred)
            }
        }
    }
}

impl TokenTable {
    /// Returns the sums of token and position embeddings, `[texts, length, width]`.
    fn gather(&self, texts: &[&[u32]], length: usize) -> Result<Vec<f32>, ModelError> {
        let width = self.config.width;
        if length == 0 || length > self.config.context {
            return Err(ModelError::Input(format!(
                "a text of {length} tokens does not fit: the model reads 1 to {} tokens",
                self.config.context
            )));
        }
        let mut embedded = Vec::with_capacity(texts.len() * length * width);
        for token in texts.iter().flat_map(|text| text.iter().enumerate()) {
            let (position, token) = (token.0 * width, *token.1 as usize * width);
            let Some(row) = self.tokens.get(token..token + width) else {
                return Err(ModelError::Input(format!(
                    "token {} is outside the model's vocabulary of {}; the pack's tokenizer belongs to another model",
                    token / width,
                    self.config.vocabulary
                )));
            };
            embedded.extend(row.iter().zip(&self.positions[position..]).map(|(token, position)| token + position));
        }
        Ok(embedded)
    }
}

fn block_shape(config: &TextConfig) -> BlockShape {
    BlockShape {
        width: config.width,
        heads: config.heads,
        mlp_width: config.mlp_width,
        activation: config.activation,
        eps: config.eps,
        exact_cls: false,
    }
}
