//! The towers and their decomposition against PyTorch's, on small models of every supported family.
//!
//! `tests/reference/*.py` made the fixtures: the models are Hugging Face's own, with random weights of which none
//! is without consequence, run in f64. Each test module says what it holds against them; `sensitivity` shows
//! that a mistake in the order of heads or tokens, or the wrong GELU, cannot pass.
#![cfg(not(target_arch = "wasm32"))]

mod sensitivity;
mod text;
mod vision;

/// The largest relative error of any vector.
const TOLERANCE: f64 = 1e-4;
/// What a mistake must cost, so that the tolerance catches it with room to spare.
const NOTICED: f64 = 10.0 * TOLERANCE;

/// The same of the CPU's kernels, which round the operands of linear layers to 13 bits or more. In parts of the sums,
/// where larger ones cancel, the rounding is up to [`IN_PARTS`] times as large.
const ROUNDED: f64 = 1e-3;
const IN_PARTS: f64 = 5.0;

/// What can run a tower, and the largest relative error that it may have.
fn backends() -> Vec<(headlamp::model::Backend, f64)> {
    use headlamp::model::Backend::{Burn, Kernels};
    let on_cpu = [(Burn(burn::tensor::Device::flex()), TOLERANCE), (Kernels, ROUNDED)];
    let on_gpu = test_support::gpu::gpu().into_iter().flat_map(|shaders| [Burn(shaders.device()), shaders]);
    on_cpu.into_iter().chain(on_gpu.map(|backend| (backend, TOLERANCE))).collect()
}

/// A checkpoint's `config.json`.
struct HubConfig(serde_json::Value);

impl HubConfig {
    fn read(model: &str) -> Self {
        Self(serde_json::from_slice(&test_support::reference::bytes_of(&format!("{model}.config.json"))).unwrap())
    }

    /// The part of it that is about one tower.
    fn part(&self, key: &str) -> Self {
        Self(self.0[key].clone())
    }

    fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    fn number(&self, key: &str) -> usize {
        self.0[key].as_u64().unwrap_or_else(|| panic!("`{key}` is {}", self.0[key])) as usize
    }

    fn eps(&self) -> f64 {
        self.0["layer_norm_eps"].as_f64().unwrap()
    }

    fn activation(&self) -> headlamp::model::Activation {
        match self.0["hidden_act"].as_str() {
            Some("gelu") => headlamp::model::Activation::Gelu,
            Some("quick_gelu") => headlamp::model::Activation::QuickGelu,
            other => panic!("no activation of ours is {other:?}"),
        }
    }
}

/// The activation that a model does not have.
fn other_gelu(activation: headlamp::model::Activation) -> headlamp::model::Activation {
    use headlamp::model::Activation::{Gelu, QuickGelu};
    match activation {
        Gelu => QuickGelu,
        QuickGelu => Gelu,
    }
}
