//! Opening a model: its source, its device, and the summary that the page shows.

use serde::{Deserialize, Serialize};

use super::heads::KeptLabels;

/// The device that the page prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevicePreference {
    /// A hardware GPU if there is one, the CPU otherwise.
    #[default]
    Auto,
    Cpu,
    /// WebGPU on any adapter, also on a software adapter. Opening fails if there is no adapter.
    Gpu,
}

/// The place of a published model's weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelSource {
    /// Files of these names: the weights and their configs. The files travel with the message.
    Files { names: Vec<String> },
    /// A repository ("openai/clip-vit-base-patch32") of a hub. `None` means the default hub.
    Hub { repository: String, hub: Option<String> },
}

/// The precision in which a model's matrices are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    #[default]
    Q8,
    Q4,
    F16,
}

impl Storage {
    /// Returns the words for the person: "8 bits".
    pub fn label(self) -> &'static str {
        match self {
            Self::Q8 => "8 bits",
            Self::Q4 => "4 bits",
            Self::F16 => "16 bits",
        }
    }
}

/// Settings of a model that neither its weights nor its config contain. The person chooses them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSettings {
    pub vision_heads: Option<usize>,
    pub text_heads: Option<usize>,
    /// Whether the activation is QuickGELU (OpenAI's weights) or GELU.
    pub quick_gelu: Option<bool>,
}

/// The summary of an open pack, for the model panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackSummary {
    pub name: String,
    /// A description of the model, with its limits.
    pub description: String,
    pub licence: String,
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub patch: usize,
    /// The side of the model's square crop, in pixels.
    pub image_size: usize,
    /// The size of the embedding.
    pub embedding: usize,
    /// Whether the model has a text tower.
    pub has_text: bool,
    pub bytes: u64,
    /// The SHA-256 of the weights.
    pub weights: String,
    /// The identity of the model: the SHA-256 of the weights, or of the weights and the person's settings.
    pub model: String,
    /// The precision of the stored weights; `None` means 32 bits.
    pub stored_as: Option<Storage>,
    /// The size and the error of the weights in each precision; empty if the pack does not contain these numbers.
    pub storages: Vec<StorageSummary>,
    pub memory: MemorySummary,
    /// The reason why the browser did not store a converted model. `None` if the browser stored the model, or if
    /// nothing was converted.
    pub not_stored: Option<String>,
    pub parameters: u64,
    /// The number of images behind the pack's own head statistics; 0 if the pack has none.
    pub statistics_images: u64,
    /// The number of texts in the pack's pool.
    pub pool_lines: usize,
    /// What the browser stored with the model at an earlier visit, in use instead of the pack's own.
    pub kept_labels: KeptLabels,
    pub device: DeviceSummary,
    pub seconds: OpenSeconds,
}

/// The size and the error of the weights in one precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageSummary {
    pub storage: Storage,
    /// The size of the weights' file, in bytes.
    pub bytes: u64,
    /// The root mean square error of the matrices, relative to their values.
    pub error: f64,
    /// The matrix with the largest error.
    pub worst: String,
    /// The error of that matrix.
    pub worst_error: f64,
}

/// The memory that an open model takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySummary {
    /// The weights in the device's memory, always in 32 bits.
    pub weights: u64,
    /// The worker's memory. A worker's memory never shrinks, so this is the peak while the model was opened.
    pub worker: u64,
}

/// The device in use, and the reason for the choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// "CPU" or "GPU".
    pub kind: String,
    pub name: String,
    pub why: String,
}

/// The times of opening a pack, in seconds.
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
    /// The memory that the model may take, in bytes. The worker refuses a model that needs more, before it fetches the
    /// weights. `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u64>,
}

/// Converts published weights to a pack, and opens the pack. The files travel with the message. A file whose name
/// [`is_archive`] is a pack already. The open model stays open until the new model is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadModel {
    pub source: ModelSource,
    pub storage: Storage,
    pub settings: ModelSettings,
    pub device: DevicePreference,
    /// The memory that the model may take, as in [`OpenPack`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u64>,
}

/// Writes the open model as one file, with the statistics and the pool that are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveModel;

/// The open model as a pack in one file. File 0: the pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedModel {
    /// The name for the file: "openai-clip.headlamp.tar".
    pub name: String,
}

/// Returns whether a file's name or an address leads to a pack in one file, and not to a folder.
pub fn is_archive(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').ends_with(".tar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_known_by_its_ending() {
        for archive in
            ["clip.headlamp.tar", "clip.headlamp (1).tar", "https://a.example/x.tar/", "x.tar?download=1"]
        {
            assert!(is_archive(archive), "{archive}");
        }
        for other in ["packs/default/", "https://a.example/?x=a.tar", "tar", "model.safetensors", ""] {
            assert!(!is_archive(other), "{other}");
        }
    }
}
