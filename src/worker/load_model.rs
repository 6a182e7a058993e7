//! Opening published weights: they are converted to a pack, stored, and opened; and what each quantisation costs.

use js_sys::{ArrayBuffer, WebAssembly};
use wasm_bindgen::JsCast as _;
use web_sys::Blob;

use super::import;
use super::open::{choose, fetched};
use super::pack_store::PackStore;
use super::progress::{Reporter, now};
use super::state::{Handled, Reply, Worker};
use crate::checkpoint::{Manifest, Quantisation, StorageCost};
use crate::protocol::{
    DevicePreference, LoadModel, MemorySummary, ModelSettings, ModelSource, PackSummary, Storage, StorageSummary,
};
use crate::session::SessionError;

impl Worker {
    /// Opens published weights. If they were converted and stored before, opens the stored pack; otherwise converts and
    /// stores them. A pack that does not open is removed from the store.
    pub(super) async fn load_model(
        &mut self,
        task: LoadModel,
        files: &[Blob],
        report: &Reporter,
    ) -> Handled<LoadModel> {
        let LoadModel { source, storage, told, device } = task;
        let store = PackStore::open().await;
        // The device first: it may be missing, and the weights are hundreds of megabytes.
        let chosen = choose(device, report).await?;
        // A repository's weights stay the same; a file of the same name may have changed.
        if let ModelSource::Hub { repository, hub: None } = &source
            && told == ModelSettings::default()
            && let Some(folder) = store.converted_from(repository.trim(), storage.into()).await
            && let Ok((pack, download)) = fetched(&folder, report).await
        {
            let summary = self.open_fetched(pack, (download, folder), (device, chosen), report).await?;
            return Ok(Reply::plain(summary));
        }
        let start = now();
        let progress = |done, total| report.bytes("Reading the weights", done, total);
        let pack = import::pack(&source, files, storage, &told, progress).await?;
        let seconds = now() - start;
        report.phase("Keeping the model");
        let stored = store.put_converted(&pack).await;
        let folder = stored.as_ref().ok().cloned();
        let manifest = pack.manifest.clone();
        let opened = self.open(pack, chosen, (seconds, folder.clone()), report).await;
        let summary = match (opened, folder.filter(|_stored| device == DevicePreference::Auto)) {
            (Err(SessionError::GpuRefused(_reason)), Some(folder)) => self.open_on_cpu(&folder, report).await?,
            (Err(err @ SessionError::GpuRefused(_)), None) => return Err(err.into()),
            (Err(err), _) => {
                store.remove_converted(&manifest).await;
                return Err(err.into());
            }
            (Ok(summary), _) => PackSummary { unkept: stored.err().map(|err| err.to_string()), ..summary },
        };
        Ok(Reply::plain(summary))
    }
}

/// Returns how a pack's weights are stored, or `None` for 32 bits.
pub(super) fn stored_as(quantisation: Quantisation) -> Option<Storage> {
    match quantisation {
        Quantisation::Q8 => Some(Storage::Q8),
        Quantisation::Q4 => Some(Storage::Q4),
        Quantisation::F16 => Some(Storage::F16),
        Quantisation::F32 => None,
    }
}

/// Returns what each way to store the weights costs.
pub(super) fn storages(manifest: &Manifest) -> Vec<StorageSummary> {
    let summary = |cost: &StorageCost| {
        let StorageCost { quantisation, bytes, error, worst, worst_error } = cost.clone();
        stored_as(quantisation).map(|storage| StorageSummary { storage, bytes, error, worst, worst_error })
    };
    manifest.storages.iter().filter_map(summary).collect()
}

/// Returns the memory that the open model takes.
pub(super) fn memory(manifest: &Manifest) -> MemorySummary {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: ArrayBuffer = memory.buffer().unchecked_into();
    MemorySummary { weights: 4 * manifest.parameters(), worker: u64::from(buffer.byte_length()) }
}
