//! Which device runs the model, and why that one.

use burn::tensor::Device;
use burn_wgpu::WgpuSetup;
use burn_wgpu::wgpu::{AdapterInfo, DeviceType};

use super::EngineError;
use super::message::{DevicePreference, DeviceSummary};
use super::probe::probe;
use crate::model::{Backend, ModelConfig, ModelError};

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
    /// What computes a model: the CPU, where the shaders do not take its shape.
    pub fn for_model(self, model: &ModelConfig) -> Self {
        match &self.backend {
            Backend::Shaders(_) if !model.suits_shaders(self.workgroup_storage) => {
                cpu("the GPU's shaders do not take the widths of this model")
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
        DevicePreference::Cpu => Ok(cpu("it was asked for")),
        DevicePreference::Gpu => {
            let (device, setup) = open_gpu().await.map_err(EngineError::NoGpu)?;
            check(&device).await.map_err(EngineError::NoGpu)?;
            Ok(gpu(device, &setup, "it was asked for"))
        }
        DevicePreference::Auto => Ok(match open_gpu().await {
            Err(_none) => cpu("there is no GPU that a program may compute on here"),
            Ok((_, setup)) if is_software(&setup.adapter.get_info()) => {
                cpu("the only GPU here is one in software, which is slower than the CPU")
            }
            Ok((device, setup)) => match check(&device).await {
                Ok(()) => gpu(device, &setup, "a GPU is here, and its results agree with the CPU's"),
                Err(reason) => cpu(&format!("the GPU is not to be trusted: {reason}")),
            },
        }),
    }
}

fn cpu(why: &str) -> Chosen {
    // A browser gives a module one core and narrow registers, which the project's own kernels make the most of;
    // natively burn-flex has all cores and the widest ones.
    let (backend, name) = match cfg!(target_arch = "wasm32") {
        true => (Backend::Kernels, "headlamp's kernels, SIMD"),
        false => (Backend::Burn(Device::flex()), "burn-flex, SIMD"),
    };
    let summary = DeviceSummary { kind: "CPU".into(), name: name.into(), why: why.into() };
    Chosen { backend, summary, workgroup_storage: 0 }
}

fn gpu(device: Device, setup: &WgpuSetup, why: &str) -> Chosen {
    let summary = DeviceSummary { kind: "GPU".into(), name: setup.adapter.get_info().name, why: why.into() };
    let workgroup_storage = setup.device.limits().max_compute_workgroup_storage_size as usize;
    Chosen { backend: Backend::Shaders(device), summary, workgroup_storage }
}

async fn open_gpu() -> Result<(Device, WgpuSetup), String> {
    let opened = Device::wgpu_options().init_with_setup_async().await;
    opened.map_err(|err| err.to_string())
}

fn is_software(info: &AdapterInfo) -> bool {
    let name = info.name.to_lowercase();
    info.device_type == DeviceType::Cpu || SOFTWARE.iter().any(|software| name.contains(software))
}

/// Runs a small transformer on the GPU and on the CPU, and compares. A shader that the driver refuses is only logged
/// in a browser, and its output reads as stale memory.
async fn check(gpu: &Device) -> Result<(), String> {
    let said = |err: ModelError| err.to_string();
    let expected = probe(&Backend::Burn(Device::flex())).await.map_err(said)?;
    let found = probe(&Backend::Shaders(gpu.clone())).await.map_err(said)?;
    let size = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let error = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max) / size;
    // A NaN is no agreement either.
    if found.len() == expected.len() && error < TRUSTED {
        Ok(())
    } else {
        Err(format!("its results are off by {error:.1e}; update the browser or the driver, or choose the CPU"))
    }
}

/// Whether what runs the model still computes. A GPU that is lost answers nothing but errors.
pub async fn works(backend: &Backend) -> bool {
    probe(backend).await.is_ok()
}
