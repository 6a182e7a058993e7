//! Opening a pack: its download and its device.

use super::error::WorkerError;
use super::fetch;
use super::helpers::Helpers;
use super::kept_labels::LabelStore;
use super::progress::{ProgressReporter, now};
use super::state::{Handled, Reply, Worker};
use super::summary::summary;
use crate::checkpoint::Pack;
use crate::protocol::{DevicePreference, OpenPack, OpenSeconds, PackSummary};
use crate::session::SessionError;
use crate::session::device::{self, ChosenDevice};

impl Worker {
    pub(super) async fn open_pack(&mut self, task: OpenPack, report: &ProgressReporter) -> Handled<OpenPack> {
        let OpenPack { url, device, room } = task;
        let (pack, download) = fetched(&url, room, report).await?;
        let chosen = choose(device, report).await?;
        let summary = self.open_fetched(pack, (download, fetch::folder(&url)), (device, chosen), report).await?;
        Ok(Reply::plain(summary))
    }

    /// Opens a pack that was downloaded from `folder` in `download` seconds. If the GPU refuses the model, opens the
    /// pack on the CPU, unless the person asked for the GPU.
    pub(super) async fn open_fetched(
        &mut self,
        pack: Pack,
        (download, folder): (f64, String),
        (device, chosen): (DevicePreference, ChosenDevice),
        report: &ProgressReporter,
    ) -> Result<PackSummary, WorkerError> {
        match self.open(pack, chosen, (download, Some(folder.clone())), report).await {
            Err(SessionError::GpuRefused(_reason)) if device == DevicePreference::Auto => {
                self.open_on_cpu(&folder, report).await
            }
            opened => Ok(opened?),
        }
    }

    /// Opens the pack in the folder `url` on the CPU, after the GPU has refused its model.
    pub(super) async fn open_on_cpu(
        &mut self,
        url: &str,
        report: &ProgressReporter,
    ) -> Result<PackSummary, WorkerError> {
        let (pack, download) = fetched(url, None, report).await?;
        let chosen = ChosenDevice::cpu("the GPU refused this model; its memory may not suffice");
        Ok(self.open(pack, chosen, (download, Some(fetch::folder(url))), report).await?)
    }

    /// Opens a pack, which replaces the open one. `download` is the number of seconds that the download took, and
    /// `folder` is the folder where the pack is stored.
    pub(super) async fn open(
        &mut self,
        pack: Pack,
        chosen: ChosenDevice,
        (download, folder): (f64, Option<String>),
        report: &ProgressReporter,
    ) -> Result<PackSummary, SessionError> {
        let start = now();
        report.phase("Loading the model");
        let (mut session, device) = chosen.open(pack).await?;
        let seconds = OpenSeconds { download, load: now() - start };
        let own = summary(&session, device, seconds);
        self.labels = LabelStore::of(&session, folder.clone());
        let summary = PackSummary { kept_labels: self.labels.restore(&mut session).await, ..own };
        self.prepared_pool = None;
        self.current = None;
        self.gallery = None;
        self.video = None;
        self.helpers = Helpers::of(&session, folder);
        self.session = Some(session);
        device::free_memory();
        Ok(summary)
    }
}

/// Fetches the pack in the folder `url`, if its model fits into `room` bytes of memory. Also returns the seconds that
/// this took.
pub(super) async fn fetched(
    url: &str,
    room: Option<u64>,
    report: &ProgressReporter,
) -> Result<(Pack, f64), WorkerError> {
    let start = now();
    let pack = fetch::pack(url, room, |done, total| report.bytes("Fetching the model", done, total));
    Ok((pack.await?, now() - start))
}

/// Chooses the device.
pub(super) async fn choose(
    preference: DevicePreference,
    report: &ProgressReporter,
) -> Result<ChosenDevice, SessionError> {
    report.phase("Choosing a device");
    device::choose(preference).await
}
