//! The towers and their decomposition compared with PyTorch, on small models of every supported family.
//!
//! `tests/reference/*.py` made the fixtures: Hugging Face's own models with random weights, run in f64. Every
//! weight affects the result. Each test module states what it compares; `sensitivity` shows that a wrong order of
//! heads or tokens, or the wrong GELU, cannot pass.
#![cfg(not(target_arch = "wasm32"))]

mod sensitivity;
mod text;
mod vision;

/// The largest allowed relative error of any vector.
const TOLERANCE: f64 = 1e-4;
/// The least effect of a mistake. It is far above the tolerance, so that the tolerance detects the mistake.
const LEAST_EFFECT: f64 = 10.0 * TOLERANCE;

/// The tolerance of the CPU's kernels, which round the operands of linear layers to 13 bits or more. In parts of
/// the sums, where larger ones cancel, the rounding error is up to [`IN_PARTS`] times as large.
const ROUNDED: f64 = 1e-3;
const IN_PARTS: f64 = 5.0;

/// Returns every backend that can run a tower, with its largest allowed relative error.
fn backends() -> Vec<(headlamp::model::Backend, f64)> {
    use headlamp::model::Backend::{Burn, Kernels};
    let on_cpu = [(Burn(burn::tensor::Device::flex()), TOLERANCE), (Kernels, ROUNDED)];
    let on_gpu = test_support::gpu::gpu().into_iter();
    on_cpu.into_iter().chain(on_gpu.map(|backend| (backend, TOLERANCE))).collect()
}

/// A checkpoint's `config.json`.
struct HubConfig(serde_json::Value);

impl HubConfig {
    fn read(model: &str) -> Self {
        Self(serde_json::from_slice(&test_support::reference::bytes_of(&format!("{model}.config.json"))).unwrap())
    }

    /// Returns the part for one tower.
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
            other => panic!("unknown activation {other:?}"),
        }
    }
}

/// Returns the activation that a model does not have.
fn other_gelu(activation: headlamp::model::Activation) -> headlamp::model::Activation {
    use headlamp::model::Activation::{Gelu, QuickGelu};
    match activation {
        Gelu => QuickGelu,
        QuickGelu => Gelu,
    }
}
