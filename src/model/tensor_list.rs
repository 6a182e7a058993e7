//! The tensors of each model: names and shapes in the project's own layout.
//!
//! Matrices are `[out, in]`. `checkpoint` maps the names of other projects onto these names.

use super::config::{ModelConfig, TextConfig, TextKind, VisionConfig};
use super::tensor_source::TensorSpec;

impl ModelConfig {
    /// Returns every tensor that the model needs.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut tensors = self.vision.tensors(self.embedding);
        if let Some(text) = &self.text {
            tensors.extend(text.tensors(self.embedding));
            tensors.push(TensorSpec::new("logit_scale", [1]));
        }
        tensors
    }
}

impl VisionConfig {
    /// Returns the tensors of the vision tower.
    ///
    /// LayerScale is folded into `attention.output` and `mlp.out`. A patch embedding without a bias gets a zero bias.
    pub fn tensors(&self, embedding: usize) -> Vec<TensorSpec> {
        let width = self.width;
        let mut specs = vec![
            TensorSpec::new("vision.patch.weight", [width, 3 * self.patch * self.patch]),
            TensorSpec::new("vision.patch.bias", [width]),
            TensorSpec::new("vision.class_token", [width]),
            TensorSpec::new("vision.positions", [1 + self.position_grid.len(), width]),
        ];
        if self.registers > 0 {
            specs.push(TensorSpec::new("vision.registers", [self.registers, width]));
        }
        let norms: &[&str] = if self.ln_pre { &["ln_pre", "ln_post"] } else { &["ln_post"] };
        specs.extend(norms.iter().flat_map(|norm| norm_tensors(&format!("vision.{norm}"), width)));
        for layer in 0..self.layers {
            specs.extend(block_tensors(&format!("vision.blocks.{layer}"), width, self.mlp_width));
        }
        if self.projection {
            specs.push(TensorSpec::new("vision.projection.weight", [embedding, width]));
        }
        if self.projection_bias {
            specs.push(TensorSpec::new("vision.projection.bias", [embedding]));
        }
        specs
    }
}

impl TextConfig {
    /// Returns the tensors of the text tower. BERT's embedding of token type 0 is folded into the positions.
    pub fn tensors(&self, embedding: usize) -> Vec<TensorSpec> {
        let width = self.width;
        let mut specs = vec![
            TensorSpec::new("text.tokens", [self.vocabulary, width]),
            TensorSpec::new("text.positions", [self.context, width]),
        ];
        specs.extend(norm_tensors(&format!("text.{}", text_norm_name(self.kind)), width));
        for layer in 0..self.layers {
            specs.extend(block_tensors(&format!("text.blocks.{layer}"), width, self.mlp_width));
        }
        if self.projection {
            specs.push(TensorSpec::new("text.projection.weight", [embedding, width]));
        }
        if self.centred {
            specs.push(TensorSpec::new("text.mean", [embedding]));
        }
        specs
    }
}

/// Returns the name of the text tower's norm outside of the blocks.
pub(super) fn text_norm_name(kind: TextKind) -> &'static str {
    match kind {
        TextKind::Bert => "ln_embed",
        TextKind::Clip => "ln_final",
    }
}

/// Returns the tensors of one transformer block under `prefix`.
fn block_tensors(prefix: &str, width: usize, mlp_width: usize) -> Vec<TensorSpec> {
    let mut specs = Vec::new();
    for norm in ["ln_1", "ln_2"] {
        specs.extend(norm_tensors(&format!("{prefix}.{norm}"), width));
    }
    for (layer, out, inner) in [
        ("attention.query", width, width),
        ("attention.key", width, width),
        ("attention.value", width, width),
        ("attention.output", width, width),
        ("mlp.in", mlp_width, width),
        ("mlp.out", width, mlp_width),
    ] {
        specs.push(TensorSpec::new(format!("{prefix}.{layer}.weight"), [out, inner]));
        specs.push(TensorSpec::new(format!("{prefix}.{layer}.bias"), [out]));
    }
    specs
}

fn norm_tensors(prefix: &str, width: usize) -> [TensorSpec; 2] {
    ["gamma", "beta"].map(|part| TensorSpec::new(format!("{prefix}.{part}"), [width]))
}
