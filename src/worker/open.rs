//! Opening a pack: its download, its device, and what the page shows of the open model.

use super::error::WorkerError;
use super::fetch;
use super::helpers::Helpers;
use super::load_model;
use super::progress::{Reporter, now};
use super::state::{Handled, Reply, Worker};
use crate::checkpoint::Pack;
use crate::protocol::{DevicePreference, DeviceSummary, OpenPack, OpenSeconds, PackSummary};
use crate::session::device::{self, Chosen};
use crate::session::{Session, SessionError};
use crate::statistics::Statistics;

impl Worker {
    pub(super) async fn open_pack(&mut self, task: OpenPack, report: &Reporter) -> Handled<OpenPack> {
        let OpenPack { url, device } = task;
        let (pack, download) = fetched(&url, report).await?;
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
        (device, chosen): (DevicePreference, Chosen),
        report: &Reporter,
    ) -> Result<PackSummary, WorkerError> {
        match self.open(pack, chosen, (download, Some(folder.clone())), report).await {
            Err(SessionError::GpuRefused(_reason)) if device == DevicePreference::Auto => {
                self.open_on_cpu(&folder, report).await
            }
            opened => Ok(opened?),
        }
    }

    /// Opens the pack in the folder `url`, which the GPU has refused.
    pub(super) async fn open_on_cpu(&mut self, url: &str, report: &Reporter) -> Result<PackSummary, WorkerError> {
        let (pack, download) = fetched(url, report).await?;
        let chosen = Chosen::cpu("the GPU refused this model, maybe for want of memory");
        Ok(self.open(pack, chosen, (download, Some(fetch::folder(url))), report).await?)
    }

    /// Opens a pack in place of any other. `download` is the seconds that its download took, `folder` the place
    /// where it is kept.
    pub(super) async fn open(
        &mut self,
        pack: Pack,
        chosen: Chosen,
        (download, folder): (f64, Option<String>),
        report: &Reporter,
    ) -> Result<PackSummary, SessionError> {
        let start = now();
        report.phase("Loading the model");
        let (session, device) = chosen.open(pack).await?;
        let seconds = OpenSeconds { download, load: now() - start };
        let summary = summary(&session, device, seconds);
        self.current = None;
        self.gallery = None;
        self.video = None;
        self.helpers = Helpers::of(&session, folder);
        self.session = Some(session);
        device::free_memory();
        Ok(summary)
    }
}

/// Fetches the pack in the folder `url`. Also returns the seconds that this took.
pub(super) async fn fetched(url: &str, report: &Reporter) -> Result<(Pack, f64), WorkerError> {
    let start = now();
    let pack = fetch::pack(url, |done, total| report.bytes("Fetching the model", done, total));
    Ok((pack.await?, now() - start))
}

/// Chooses the device.
pub(super) async fn choose(preference: DevicePreference, report: &Reporter) -> Result<Chosen, SessionError> {
    report.phase("Choosing a device");
    device::choose(preference).await
}

/// Returns what the page shows of the open model.
fn summary(session: &Session, device: DeviceSummary, seconds: OpenSeconds) -> PackSummary {
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
        stored_as: load_model::stored_as(manifest.quantisation),
        storages: load_model::storages(manifest),
        memory: load_model::memory(manifest),
        unkept: None,
        parameters: manifest.parameters(),
        statistics_images: session.statistics().map_or(0, Statistics::images),
        pool_lines: session.pool().map_or(0, |pool| pool.lines.len()),
        device,
        seconds,
    }
}
