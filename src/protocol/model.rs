//! Opening a model: where from, on what device, and what the page shows of it.

use serde::{Deserialize, Serialize};

/// Where the page would like the model to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevicePreference {
    /// A real GPU where there is one, the CPU otherwise.
    #[default]
    Auto,
    Cpu,
    /// WebGPU on whatever adapter there is, a software one included; fails where there is none.
    Gpu,
}

/// Where a published model's weights are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelSource {
    /// Files of these names: weights, and the configs that belong to them.
    Files { names: Vec<String> },
    /// A repository ("openai/clip-vit-base-patch32") of a hub; none: the usual one.
    Hub { repository: String, hub: Option<String> },
}

/// How a model's matrices are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    #[default]
    Q8,
    Q4,
    F16,
}

impl Storage {
    /// "8 bits".
    pub fn label(self) -> &'static str {
        match self {
            Self::Q8 => "8 bits",
            Self::Q4 => "4 bits",
            Self::F16 => "16 bits",
        }
    }
}

/// What the user says of a model that neither its weights nor a config tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub vision_heads: Option<usize>,
    pub text_heads: Option<usize>,
    /// QuickGELU, as OpenAI's weights have it; else GELU.
    pub quick_gelu: Option<bool>,
}

/// What the model panel shows of an open pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackSummary {
    pub name: String,
    /// What the model is, and what it can and cannot do.
    pub description: String,
    pub licence: String,
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub patch: usize,
    /// Side of the model's own crop, in pixels.
    pub image_size: usize,
    /// Size of the embedding.
    pub embedding: usize,
    /// Whether phrases have a place in its embedding's space.
    pub has_text: bool,
    pub bytes: u64,
    /// SHA-256 of the weights.
    pub weights: String,
    /// The same, but where a person told how the weights are to be read: one of that too.
    pub model: String,
    /// How the weights are stored; none: in 32 bits.
    pub stored_as: Option<Storage>,
    /// What each way of storing the weights costs; empty where the pack does not say.
    pub storages: Vec<StorageSummary>,
    pub memory: MemorySummary,
    /// Why the browser does not keep what was converted; none where it does, or where there is nothing to keep.
    pub unkept: Option<String>,
    pub parameters: u64,
    /// Images behind the head statistics, zero where the pack has none.
    pub statistics_images: u64,
    /// Lines of the pack's text pool.
    pub pool_lines: usize,
    pub device: DeviceSummary,
    pub seconds: OpenSeconds,
}

/// What one way of storing the weights costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageSummary {
    pub storage: Storage,
    /// Of the weights' file.
    pub bytes: u64,
    /// Root mean square error of the matrices, relative to their values.
    pub error: f64,
    /// The matrix with the largest, and its own.
    pub worst: String,
    pub worst_error: f64,
}

/// What an open model takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySummary {
    /// The weights as the device computes with them, in 32 bits however they are stored.
    pub weights: u64,
    /// All of the worker's memory, which only grows: opening the model took the most of it.
    pub worker: u64,
}

/// The device in use, and why it is that one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// "CPU" or "GPU".
    pub kind: String,
    pub name: String,
    pub why: String,
}

/// Where opening a pack spent its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenSeconds {
    pub download: f64,
    pub load: f64,
}

/// Fetches, verifies and loads the pack in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPack {
    /// The folder's address.
    pub url: String,
    pub device: DevicePreference,
}

/// Converts published weights to a pack, and opens the pack. The files travel beside the message. The open model
/// stays open until the new one is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadModel {
    pub source: ModelSource,
    pub storage: Storage,
    pub told: Told,
    pub device: DevicePreference,
}
