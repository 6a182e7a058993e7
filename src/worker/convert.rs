//! Published weights that become a pack here: kept, opened, and what their storage costs.

use js_sys::{ArrayBuffer, WebAssembly};
use wasm_bindgen::JsCast as _;
use web_sys::Blob;

use super::import;
use super::open::{choose, fetched};
use super::report::{Reporter, now};
use super::shelf::Shelf;
use super::{Handled, Reply, Worker};
use crate::checkpoint::{Manifest, Quantisation, StorageCost};
use crate::protocol::{
    DevicePreference, LoadModel, MemorySummary, ModelSource, PackSummary, Storage, StorageSummary, Told,
};
use crate::session::EngineError;

impl Worker {
    /// Opens published weights: as they were converted and kept before, where they were; else converts and keeps
    /// them. What does not open is not kept.
    pub(super) async fn load_model(
        &mut self,
        task: LoadModel,
        files: &[Blob],
        report: &Reporter,
    ) -> Handled<LoadModel> {
        let LoadModel { source, storage, told, device } = task;
        let shelf = Shelf::open().await;
        // Before hundreds of megabytes are read for a device that is not there.
        let chosen = choose(device, report).await?;
        // A file of the same name may be another one; a repository's is the same again.
        if let ModelSource::Hub { repository, hub: None } = &source
            && told == Told::default()
            && let Some(folder) = shelf.converted_from(repository.trim(), storage.into()).await
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
        let kept = shelf.keep_converted(&pack).await;
        let folder = kept.as_ref().ok().cloned();
        let manifest = pack.manifest.clone();
        let opened = self.open(pack, chosen, (seconds, folder.clone()), report).await;
        let summary = match (opened, folder.filter(|_kept| device == DevicePreference::Auto)) {
            (Err(EngineError::GpuRefused(_reason)), Some(folder)) => self.open_on_cpu(&folder, report).await?,
            (Err(err @ EngineError::GpuRefused(_)), None) => return Err(err.into()),
            (Err(err), _) => {
                shelf.drop_converted(&manifest).await;
                return Err(err.into());
            }
            (Ok(summary), _) => PackSummary { unkept: kept.err().map(|err| err.to_string()), ..summary },
        };
        Ok(Reply::plain(summary))
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
