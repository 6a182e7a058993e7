//! The choice of the device that runs the model.

use std::sync::{Arc, OnceLock};

use burn::tensor::Device;
use burn_wgpu::WgpuSetup;
use burn_wgpu::wgpu::{AdapterInfo, DeviceType};

use super::probe::probe;
use super::{Session, SessionError};
use crate::checkpoint::Pack;
use crate::model::{Backend, ModelConfig, ModelError};
use crate::protocol::{DevicePreference, DeviceSummary};
use crate::shaders::{self, gpu_errors};

/// Parts of the names of software renderers.
const SOFTWARE: [&str; 5] = ["swiftshader", "llvmpipe", "lavapipe", "softpipe", "basic render"];

/// The largest accepted difference between the GPU's and the CPU's results, relative to their magnitude.
const TRUSTED: f32 = 1e-3;

/// The chosen device, and its summary for the person.
pub struct ChosenDevice {
    pub backend: Backend,
    pub summary: DeviceSummary,
    /// The memory that a workgroup of the GPU shares, in bytes.
    workgroup_storage: usize,
}

impl ChosenDevice {
    /// Opens a pack's model on this device, or on the CPU if the shaders do not support the model's shape.
    ///
    /// # Errors
    /// If the pack is malformed; [`SessionError::GpuRefused`] if the GPU has no room for the model.
    pub async fn open(self, pack: Pack) -> Result<(Session, DeviceSummary), SessionError> {
        let Self { backend, summary, .. } = self.for_model(&pack.manifest.model);
        let session = Session::open(pack, backend)?;
        // WebGPU reports errors with the next readback.
        if matches!(session.backend(), Backend::Shaders(_)) && !works(session.backend()).await {
            return Err(SessionError::GpuRefused(
                gpu_errors::take().unwrap_or_else(|| "it does not answer".into()),
            ));
        }
        Ok((session, summary))
    }

    /// Chooses the CPU; `why` is the reason for the person.
    pub fn cpu(why: &str) -> Self {
        // A browser gives a wasm module one core and narrow registers. The project's own kernels are the fastest
        // there. The native program uses burn-flex, which uses all cores and the widest registers.
        let (backend, name) = match cfg!(target_arch = "wasm32") {
            true => (Backend::Kernels, "headlamp's kernels, SIMD"),
            false => (Backend::Burn(Device::flex()), "burn-flex, SIMD"),
        };
        let summary = DeviceSummary { kind: "CPU".into(), name: name.into(), why: why.into() };
        Self { backend, summary, workgroup_storage: 0 }
    }

    /// Returns the CPU if the shaders do not support the model's shape.
    fn for_model(self, model: &ModelConfig) -> Self {
        match &self.backend {
            Backend::Shaders(_) if !model.suits_shaders(self.workgroup_storage) => {
                Self::cpu("the GPU's shaders do not support the widths of this model")
            }
            _ => self,
        }
    }
}

/// Chooses a device on this machine.
///
/// # Errors
/// [`SessionError::NoGpu`] if the preference is the GPU and none can be used.
pub async fn choose(preference: DevicePreference) -> Result<ChosenDevice, SessionError> {
    match preference {
        DevicePreference::Cpu => Ok(ChosenDevice::cpu("you chose it")),
        DevicePreference::Gpu => {
            let gpu = Gpu::open().await.map_err(SessionError::NoGpu)?;
            gpu.check().await.map_err(SessionError::NoGpu)?;
            Ok(gpu.chosen("you chose it"))
        }
        DevicePreference::Auto => Ok(match Gpu::open().await {
            Err(_none) => ChosenDevice::cpu("this machine offers no GPU for computing"),
            Ok(gpu) if gpu.is_software => {
                ChosenDevice::cpu("the only GPU is a software GPU, which is slower than the CPU")
            }
            Ok(gpu) => match gpu.check().await {
                Ok(()) => gpu.chosen("a GPU is here, and its results agree with the CPU's"),
                Err(reason) => ChosenDevice::cpu(&format!("the GPU failed the check: {reason}")),
            },
        }),
    }
}

/// The machine's GPU.
struct Gpu {
    gpu: shaders::Gpu,
    name: String,
    is_software: bool,
    /// The memory that a workgroup shares, in bytes.
    workgroup_storage: usize,
}

/// CubeCL opens a GPU once per process and keeps it, so that the same handle serves all models.
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
        // CubeCL's own handler would end the program, and with it the browser's worker.
        setup.device.on_uncaptured_error(Arc::new(|error| gpu_errors::note(&error)));
        let info = setup.adapter.get_info();
        let workgroup_storage = setup.device.limits().max_compute_workgroup_storage_size as usize;
        Self { gpu, is_software: is_software(&info), name: info.name, workgroup_storage }
    }

    fn chosen(&self, why: &str) -> ChosenDevice {
        let summary = DeviceSummary { kind: "GPU".into(), name: self.name.clone(), why: why.into() };
        let backend = Backend::Shaders(self.gpu.clone());
        ChosenDevice { backend, summary, workgroup_storage: self.workgroup_storage }
    }

    /// Runs a small transformer on the GPU and on the CPU, and compares the results. If the driver rejects a shader,
    /// the browser reports the error separately, and the output contains old data.
    async fn check(&self) -> Result<(), String> {
        let words = |err: ModelError| err.to_string();
        let _of_earlier_models = gpu_errors::take();
        let expected = probe(&Backend::Burn(Device::flex())).await.map_err(words)?;
        let found = probe(&Backend::Shaders(self.gpu.clone())).await;
        if let Some(refused) = gpu_errors::take() {
            return Err(format!("it rejected a shader or an allocation: {refused}"));
        }
        let found = found.map_err(words)?;
        let size = largest(expected.iter().copied());
        let error = largest(expected.iter().zip(&found).map(|(a, b)| a - b)) / size;
        // A NaN fails the comparison too.
        if found.len() == expected.len() && error < TRUSTED {
            Ok(())
        } else {
            Err(format!("its results are off by {error:.1e}; update the browser or the driver, or choose the CPU"))
        }
    }
}

/// Returns the largest magnitude, or NaN if one value is NaN.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f32::abs).max_by(f32::total_cmp).unwrap_or(0.0)
}

fn is_software(info: &AdapterInfo) -> bool {
    let name = info.name.to_lowercase();
    info.device_type == DeviceType::Cpu || SOFTWARE.iter().any(|software| name.contains(software))
}

/// Returns whether the backend still computes. A lost GPU only returns errors. A GPU that rejected something must be
/// started again.
pub async fn works(backend: &Backend) -> bool {
    probe(backend).await.is_ok()
}

/// Frees the GPU memory of closed models. Without this call, CubeCL keeps the memory for later allocations.
pub fn free_memory() {
    if let Some(gpu) = GPU.get() {
        gpu.gpu.free_unused_memory();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_is_nan_if_one_value_is() {
        assert_eq!(largest([1.0, -3.0, 2.0].into_iter()), 3.0);
        assert!(largest([1.0, -f32::NAN, 2.0].into_iter()).is_nan());
        assert_eq!(largest(std::iter::empty()), 0.0);
    }
}
