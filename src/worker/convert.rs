//! Published weights that become a pack here: kept, opened, and what their storage costs.

use js_sys::{ArrayBuffer, WebAssembly};
use wasm_bindgen::JsCast as _;
use web_sys::Blob;

use super::import;
use super::report::{Reporter, now, said};
use super::shelf::Shelf;
use super::{Answered, Engine, choose, fetched};
use crate::checkpoint::{Manifest, Quantisation, StorageCost};
use crate::protocol::{
    Answer, DevicePreference, MemorySummary, ModelSource, PackSummary, Storage, StorageSummary, Told,
};
use crate::session::EngineError;

impl Engine {
    /// Opens published weights: as they were converted and kept before, where they were; else converts and keeps
    /// them. What does not open is not kept.
    pub(super) async fn load_model(
        &mut self,
        source: &ModelSource,
        files: &[Blob],
        (storage, told): (Storage, Told),
        device: DevicePreference,
        report: &Reporter,
    ) -> Answered {
        let shelf = Shelf::open().await;
        // Before hundreds of megabytes are read for a device that is not there.
        let chosen = choose(device, report).await?;
        // A file of the same name may be another one; a repository's is the same again.
        if let ModelSource::Hub { repository, hub: None } = source
            && told == Told::default()
            && let Some(folder) = shelf.converted_from(repository.trim(), storage.into()).await
            && let Ok((pack, download)) = fetched(&folder, report).await
        {
            return self.open_fetched(pack, (download, folder), (device, chosen), report).await;
        }
        let start = now();
        let progress = |done, total| report.bytes("Reading the weights", done, total);
        let pack = import::pack(source, files, storage, &told, progress).await.map_err(said)?;
        let seconds = now() - start;
        report.phase("Keeping the model");
        let kept = shelf.keep_converted(&pack).await.map_err(said);
        let (folder, unkept) = (kept.as_ref().ok().cloned(), kept.err());
        let manifest = pack.manifest.clone();
        let opened = match self.open(pack, chosen, (seconds, folder.clone()), report).await {
            Err(EngineError::GpuRefused(reason)) => {
                match folder.filter(|_kept| device == DevicePreference::Auto) {
                    Some(folder) => return self.open_on_cpu(&folder, report).await,
                    None => Err(EngineError::GpuRefused(reason)),
                }
            }
            Err(err) => {
                shelf.drop_converted(&manifest).await;
                Err(err)
            }
            opened => opened,
        };
        match opened.map_err(said)? {
            (Answer::PackOpened(summary), buffers) => {
                Ok((Answer::PackOpened(PackSummary { unkept, ..summary }), buffers))
            }
            other => Ok(other),
        }
    }
}

/// How a pack's weights are stored; none: in 32 bits.
pub(super) fn stored_as(quantisation: Quantisation) -> Option<Storage> {
    match quantisation {
        Quantisation::Q8 => Some(Storage::Q8),
        Quantisation::Q4 => Some(Storage::Q4),
        Quantisation::F16 => Some(Storage::F16),
        Quantisation::F32 => None,
    }
}

/// What each way of storing the weights costs.
pub(super) fn storages(manifest: &Manifest) -> Vec<StorageSummary> {
    let summary = |cost: &StorageCost| {
        let StorageCost { quantisation, bytes, error, worst, worst_error } = cost.clone();
        stored_as(quantisation).map(|storage| StorageSummary { storage, bytes, error, worst, worst_error })
    };
    manifest.storages.iter().filter_map(summary).collect()
}

/// What the model takes now that it is open.
pub(super) fn memory(manifest: &Manifest) -> MemorySummary {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: ArrayBuffer = memory.buffer().unchecked_into();
    MemorySummary { weights: 4 * manifest.parameters(), worker: u64::from(buffer.byte_length()) }
}
