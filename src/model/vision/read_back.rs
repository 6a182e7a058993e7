//! The numbers that are read back from a run: those of a [`Trace`], of [`Features`], of both, or the tokens after a block.

use crate::decompose::{Trace, TracedLayer};
use crate::geometry::Grid;
use crate::model::config::VisionConfig;
use crate::model::error::ModelError;
use crate::track::Features;

/// Which results of a run are read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The numbers of a [`Trace`].
    Trace,
    /// The numbers of [`Features`].
    Features,
    Both,
    /// The tokens after block `layer`, for mask propagation. The blocks after it do not run.
    Tokens {
        layer: usize,
    },
}

impl Wanted {
    pub fn includes_trace(self) -> bool {
        matches!(self, Self::Trace | Self::Both)
    }

    pub fn includes_features(self) -> bool {
        matches!(self, Self::Features | Self::Both)
    }
}

/// The tensors of a run, in the order in which `Tower::run` lists them.
///
/// The trace's tensors come first. Without a trace, the last block's CLS attention comes first. The features' tensors
/// follow.
pub struct ReadTensors(std::vec::IntoIter<Vec<f32>>);

impl ReadTensors {
    pub fn new(tensors: Vec<Vec<f32>>) -> Self {
        Self(tensors.into_iter())
    }

    /// Splits f32 bytes into tensors of `lengths` numbers.
    ///
    /// # Errors
    /// [`ModelError::Device`] when the bytes do not have the total length.
    pub fn from_bytes(bytes: &[u8], lengths: &[usize]) -> Result<Self, ModelError> {
        let (mut numbers, odd) = bytes.as_chunks::<4>();
        if numbers.len() != lengths.iter().sum::<usize>() || !odd.is_empty() {
            return Err(ModelError::Device(format!(
                "it returned {} bytes, which is not the size of the wanted tensors",
                bytes.len()
            )));
        }
        let tensors = lengths.iter().map(|length| {
            let (tensor, rest) = numbers.split_at(*length);
            numbers = rest;
            tensor.iter().map(|number| f32::from_ne_bytes(*number)).collect()
        });
        Ok(Self::new(tensors.collect()))
    }

    /// Takes the next tensor.
    ///
    /// # Errors
    /// [`ModelError::Device`] when no tensor is left.
    pub fn take(&mut self) -> Result<Vec<f32>, ModelError> {
        self.0.next().ok_or_else(|| ModelError::Device("it returned too few tensors".into()))
    }

    /// Takes the tensors of a trace.
    ///
    /// # Errors
    /// [`ModelError::Device`] when too few tensors are left; [`ModelError::NotFinite`].
    pub fn trace(&mut self, config: &VisionConfig, grid: Grid) -> Result<Trace, ModelError> {
        let trace = Trace {
            grid,
            tokens: config.leading_tokens() + grid.len(),
            leading_tokens: config.leading_tokens(),
            embedded_cls: self.take()?,
            layers: (0..config.layers)
                .map(|_layer| Ok(TracedLayer { attention: self.take()?, values: self.take()?, mlp: self.take()? }))
                .collect::<Result<_, ModelError>>()?,
            final_cls: self.take()?,
            embedding: self.take()?,
        };
        // A number that is not finite in an earlier layer makes the embedding not finite.
        match trace.embedding.iter().all(|value| value.is_finite()) {
            true => Ok(trace),
            false => Err(ModelError::NotFinite),
        }
    }

    /// Takes the tensors of the features and drops CLS and registers from them. `attention` is the last block's CLS
    /// attention, `[head][token]`.
    ///
    /// # Errors
    /// [`ModelError::Device`] when too few tensors are left.
    pub fn features(
        &mut self,
        config: &VisionConfig,
        grid: Grid,
        attention: &[f32],
    ) -> Result<Features, ModelError> {
        let VisionConfig { width, heads, .. } = *config;
        let (leading, patches) = (config.leading_tokens(), grid.len());
        let (tokens, head_width) = (leading + patches, width / heads);
        let concatenated_heads = |by_head: &[f32]| -> Vec<f32> {
            let starts_of = |patch| (0..heads).map(move |head| (head * tokens + leading + patch) * head_width);
            let starts = (0..patches).flat_map(starts_of);
            starts.flat_map(|start| &by_head[start..start + head_width]).copied().collect()
        };
        Ok(Features {
            grid,
            width,
            heads,
            cls_attention: attention.chunks(tokens).flat_map(|row| &row[leading..]).copied().collect(),
            queries: concatenated_heads(&self.take()?),
            keys: concatenated_heads(&self.take()?),
            tokens: self.take()?.split_off(leading * width),
        })
    }

    /// Takes the tokens after block `layer`, and drops CLS and registers from them. After the last block, the run has
    /// applied the final norm. After another block, each token is normalised here, without scale and shift
    /// (docs/PAPERS.md, 4.2).
    ///
    /// # Errors
    /// [`ModelError::Device`] when no tensor is left.
    pub fn tokens(&mut self, config: &VisionConfig, grid: Grid, layer: usize) -> Result<Features, ModelError> {
        let mut tokens = self.take()?.split_off(config.leading_tokens() * config.width);
        if layer + 1 < config.layers {
            tokens.chunks_mut(config.width).for_each(|token| normalise(token, config.eps));
        }
        Ok(Features::of_tokens(grid, config.width, tokens))
    }
}

/// Subtracts the mean of a token's numbers, and divides by their standard deviation.
fn normalise(token: &mut [f32], eps: f64) {
    let count = token.len() as f64;
    let mean = token.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let variance = token.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
    let scale = (variance + eps).sqrt().recip();
    token.iter_mut().for_each(|value| *value = ((f64::from(*value) - mean) * scale) as f32);
}
