//! The facts about the open model that the page shows.

use js_sys::{ArrayBuffer, WebAssembly};
use wasm_bindgen::JsCast as _;

use crate::checkpoint::{Manifest, Quantisation, StorageCost};
use crate::protocol::{
    DeviceSummary, KeptLabels, MemorySummary, OpenSeconds, PackSummary, Storage, StorageSummary,
};
use crate::session::Session;
use crate::statistics::Statistics;

/// Returns the summary of the open model for the page, with the pack's own statistics and pool.
pub(super) fn summary(session: &Session, device: DeviceSummary, seconds: OpenSeconds) -> PackSummary {
    let manifest = session.manifest();
    let vision = &manifest.model.vision;
    PackSummary {
        name: manifest.name.clone(),
        description: manifest.description.clone(),
        licence: manifest.licence.clone(),
        layers: vision.layers,
        heads: vision.heads,
        width: vision.width,
        patch: vision.patch,
        image_size: vision.image_size,
        embedding: manifest.model.embedding,
        has_text: session.has_text(),
        bytes: manifest.bytes(),
        weights: manifest.weights_hash().to_owned(),
        model: manifest.model_hash(),
        stored_as: stored_as(manifest.quantisation),
        storages: storages(manifest),
        memory: memory(manifest),
        not_stored: None,
        parameters: manifest.parameters(),
        statistics_images: session.statistics().map_or(0, Statistics::images),
        pool_lines: session.pool().map_or(0, |pool| pool.texts.len()),
        kept_labels: KeptLabels::default(),
        device,
        seconds,
    }
}

/// Returns how a pack's weights are stored, or `None` for 32 bits.
fn stored_as(quantisation: Quantisation) -> Option<Storage> {
    match quantisation {
        Quantisation::Q8 => Some(Storage::Q8),
        Quantisation::Q4 => Some(Storage::Q4),
        Quantisation::F16 => Some(Storage::F16),
        Quantisation::F32 => None,
    }
}

/// Returns the size and the error of the weights in each precision.
fn storages(manifest: &Manifest) -> Vec<StorageSummary> {
    let summary = |cost: &StorageCost| {
        let StorageCost { quantisation, bytes, error, worst, worst_error } = cost.clone();
        stored_as(quantisation).map(|storage| StorageSummary { storage, bytes, error, worst, worst_error })
    };
    manifest.storages.iter().filter_map(summary).collect()
}

/// Returns the memory that the open model takes.
fn memory(manifest: &Manifest) -> MemorySummary {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: ArrayBuffer = memory.buffer().unchecked_into();
    MemorySummary { weights: 4 * manifest.parameters(), worker: u64::from(buffer.byte_length()) }
}
