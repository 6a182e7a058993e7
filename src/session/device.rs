//! Which device runs the model, and why that one.

use std::sync::{Arc, OnceLock};

use burn::tensor::Device;
use cubecl::wgpu::WgpuSetup;
use cubecl::wgpu::wgpu::{AdapterInfo, DeviceType};

use super::probe::probe;
use super::{EngineError, Session};
use crate::checkpoint::Pack;
use crate::model::{Backend, ModelConfig, ModelError};
use crate::protocol::{DevicePreference, DeviceSummary};
use crate::shaders::{self, refusal};

/// Names under which renderers in software go.
const SOFTWARE: [&str; 5] = ["swiftshader", "llvmpipe", "lavapipe", "softpipe", "basic render"];

/// A GPU whose results are further than this from the CPU's, against their size, is not to be trusted.
const TRUSTED: f32 = 1e-3;

/// What computes, and what to tell the user about it.
pub struct Chosen {
    pub backend: Backend,
    pub summary: DeviceSummary,
    /// Bytes that a GPU's workgroups share.
    workgroup_storage: usize,
}

impl Chosen {
    /// Opens a pack's model, and says on what.
    ///
    /// # Errors
    /// Where the pack is malformed; [`EngineError::GpuRefused`] where the GPU has no room for the model.
    pub async fn open(self, pack: Pack) -> Result<(Session, DeviceSummary), EngineError> {
        let Self { backend, summary, .. } = self.for_model(&pack.manifest.model);
        let session = Session::open(pack, backend)?;
        // What is refused is told of by the time that something was read.
        if matches!(session.backend(), Backend::Shaders(_)) && !works(session.backend()).await {
            return Err(EngineError::GpuRefused(refusal::take().unwrap_or_else(|| "it does not answer".into())));
        }
        Ok((session, summary))
    }

    /// The CPU, because `why`.
    pub fn cpu(why: &str) -> Self {
        // A browser gives a module one core and narrow registers, which the project's own kernels make the most of;
        // natively burn-flex has all cores and the widest ones.
        let (backend, name) = match cfg!(target_arch = "wasm32") {
            true => (Backend::Kernels, "headlamp's kernels, SIMD"),
            false => (Backend::Burn(Device::flex()), "burn-flex, SIMD"),
        };
        let summary = DeviceSummary { kind: "CPU".into(), name: name.into(), why: why.into() };
        Self { backend, summary, workgroup_storage: 0 }
    }

    /// What computes a model: the CPU, where the shaders do not take its shape.
    fn for_model(self, model: &ModelConfig) -> Self {
        match &self.backend {
            Backend::Shaders(_) if !model.suits_shaders(self.workgroup_storage) => {
                Self::cpu("the GPU's shaders do not take the widths of this model")
            }
            _ => self,
        }
    }
}

/// The device that `preference` leads to on this machine.
///
/// # Errors
/// [`EngineError::NoGpu`] where a GPU was asked for by name and none can be used.
pub async fn choose(preference: DevicePreference) -> Result<Chosen, EngineError> {
    match preference {
        DevicePreference::Cpu => Ok(Chosen::cpu("it was asked for")),
        DevicePreference::Gpu => {
            let gpu = Gpu::open().await.map_err(EngineError::NoGpu)?;
            gpu.check().await.map_err(EngineError::NoGpu)?;
            Ok(gpu.chosen("it was asked for"))
        }
        DevicePreference::Auto => Ok(match Gpu::open().await {
            Err(_none) => Chosen::cpu("there is no GPU that a program may compute on here"),
            Ok(gpu) if gpu.is_software => {
                Chosen::cpu("the only GPU here is one in software, which is slower than the CPU")
            }
            Ok(gpu) => match gpu.check().await {
                Ok(()) => gpu.chosen("a GPU is here, and its results agree with the CPU's"),
                Err(reason) => Chosen::cpu(&format!("the GPU is not to be trusted: {reason}")),
            },
        }),
    }
}

/// The machine's GPU.
struct Gpu {
    gpu: shaders::Gpu,
    name: String,
    is_software: bool,
    /// Bytes that its workgroups share.
    workgroup_storage: usize,
}

/// CubeCL takes a GPU once in a process and keeps it: what was opened for one model serves those after it.
static GPU: OnceLock<Gpu> = OnceLock::new();

impl Gpu {
    async fn open() -> Result<&'static Self, String> {
        if let Some(gpu) = GPU.get() {
            return Ok(gpu);
        }
        let (gpu, setup) = shaders::Gpu::open().await.map_err(|err| err.to_string())?;
        Ok(GPU.get_or_init(|| Self::of(gpu, &setup)))
    }

    fn of(gpu: shaders::Gpu, setup: &WgpuSetup) -> Self {
        // CubeCL's own ends the program, and with it the browser's worker.
        setup.device.on_uncaptured_error(Arc::new(|error| refusal::note(&error)));
        let info = setup.adapter.get_info();
        let workgroup_storage = setup.device.limits().max_compute_workgroup_storage_size as usize;
        Self { gpu, is_software: is_software(&info), name: info.name, workgroup_storage }
    }

    fn chosen(&self, why: &str) -> Chosen {
        let summary = DeviceSummary { kind: "GPU".into(), name: self.name.clone(), why: why.into() };
        let backend = Backend::Shaders(self.gpu.clone());
        Chosen { backend, summary, workgroup_storage: self.workgroup_storage }
    }

    /// Runs a small transformer on the GPU and on the CPU, and compares. A shader that the driver refuses is only told
    /// of in a browser, and its output reads as stale memory.
    async fn check(&self) -> Result<(), String> {
        let said = |err: ModelError| err.to_string();
        let _of_models_before = refusal::take();
        let expected = probe(&Backend::Burn(Device::flex())).await.map_err(said)?;
        let found = probe(&Backend::Shaders(self.gpu.clone())).await;
        if let Some(refused) = refusal::take() {
            return Err(format!("it refuses what headlamp asks of it: {refused}"));
        }
        let found = found.map_err(said)?;
        let size = largest(expected.iter().copied());
        let error = largest(expected.iter().zip(&found).map(|(a, b)| a - b)) / size;
        // A NaN is no agreement either.
        if found.len() == expected.len() && error < TRUSTED {
            Ok(())
        } else {
            Err(format!("its results are off by {error:.1e}; update the browser or the driver, or choose the CPU"))
        }
    }
}

/// The largest magnitude; NaN where there is one.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).max_by(f32::total_cmp).unwrap_or(0.0)
}

fn is_software(info: &AdapterInfo) -> bool {
    let name = info.name.to_lowercase();
    info.device_type == DeviceType::Cpu || SOFTWARE.iter().any(|software| name.contains(software))
}

/// Whether what runs the model still computes. A GPU that is lost answers nothing but errors, and one that refused
/// something is to be started anew.
pub async fn works(backend: &Backend) -> bool {
    probe(backend).await.is_ok()
}

/// Gives back what models that are gone have held of the GPU: by itself CubeCL keeps it for others, for long.
pub fn let_go() {
    if let Some(gpu) = GPU.get() {
        gpu.gpu.free_unused_memory();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_numbers_with_a_nan_is_a_nan() {
        assert_eq!(largest([1.0, -3.0, 2.0].into_iter()), 3.0);
        assert!(largest([1.0, -f32::NAN, 2.0].into_iter()).is_nan());
        assert_eq!(largest(std::iter::empty()), 0.0);
    }
}
