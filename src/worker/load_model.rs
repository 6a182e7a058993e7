//! Opens published weights: converts them to a pack, stores the pack, and opens it.

use web_sys::Blob;

use super::import;
use super::kept_labels::LabelStore;
use super::open::{choose, fetched};
use super::pack_store::PackStore;
use super::progress::{ProgressReporter, now};
use super::state::{Handled, Reply, Worker};
use crate::protocol::{DevicePreference, LoadModel, ModelSettings, ModelSource, PackSummary, is_archive};
use crate::session::SessionError;

impl Worker {
    /// Opens published weights. If they were converted and stored before, opens the stored pack. Otherwise converts
    /// and stores them. If the pack does not open, removes it from the store.
    pub(super) async fn load_model(
        &mut self,
        task: LoadModel,
        files: &[Blob],
        report: &ProgressReporter,
    ) -> Handled<LoadModel> {
        let LoadModel { source, storage, settings, device, room } = &task;
        let (storage, device, room) = (*storage, *device, *room);
        let store = PackStore::open().await;
        // Choose the device before reading hundreds of megabytes of weights: the device may be missing.
        let chosen = choose(device, report).await?;
        // A repository's weights stay the same; a file of the same name may have changed.
        if let ModelSource::Hub { repository, hub: None } = source
            && *settings == ModelSettings::default()
            && let Some(folder) = store.converted_from(repository.trim(), storage.into()).await
            && let Ok((pack, download)) = fetched(&folder, room, report).await
        {
            let summary = self.open_fetched(pack, (download, folder), (device, chosen), report).await?;
            return Ok(Reply::plain(summary));
        }
        let start = now();
        let progress = |done, total| report.bytes("Reading the weights", done, total);
        let pack = import::pack(&task, files, progress).await?;
        let seconds = now() - start;
        report.phase("Storing the model");
        let stored = store.put_converted(&pack).await;
        let folder = stored.as_ref().ok().cloned();
        if let ModelSource::Files { names } = &source
            && names.iter().any(|name| is_archive(name))
            && let Some(folder) = &folder
        {
            // A saved model brings its own statistics and pool. Those of an earlier visit must not hide them.
            LabelStore::of_manifest(&pack.manifest, folder.clone()).clear().await;
        }
        let manifest = pack.manifest.clone();
        let opened = self.open(pack, chosen, (seconds, folder.clone()), report).await;
        let summary = match (opened, folder.filter(|_stored| device == DevicePreference::Auto)) {
            (Err(SessionError::GpuRefused(_reason)), Some(folder)) => self.open_on_cpu(&folder, report).await?,
            (Err(err @ SessionError::GpuRefused(_)), None) => return Err(err.into()),
            (Err(err), _) => {
                store.remove_converted(&manifest).await;
                return Err(err.into());
            }
            (Ok(summary), _) => PackSummary { not_stored: stored.err().map(|err| err.to_string()), ..summary },
        };
        Ok(Reply::plain(summary))
    }
}
