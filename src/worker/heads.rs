//! The heads' texts, and the statistics that they are computed from.

use js_sys::Uint8Array;

use super::error::WorkerError;
use super::progress::{ProgressReporter, now};
use super::state::{Handled, Reply, Worker};
use crate::protocol::{
    AllHeadLabels, HeadLabels, HeadNaming, LabelAllHeads, LabelHead, NameHeads, StatisticsReady, StatisticsSource,
    UseStatistics,
};
use crate::session::Session;
use crate::statistics::Statistics;

/// A request to name the heads ends after this time, in seconds, or after one head.
const NAMING_TIME: f64 = 0.05;

impl Worker {
    pub(super) fn label_head(&mut self, LabelHead { layer, head, count }: LabelHead) -> Handled<LabelHead> {
        let session = self.session_mut()?;
        let labels = session.labels(layer, head, count)?;
        Ok(Reply::plain(HeadLabels { labels, images: images(session) }))
    }

    pub(super) fn label_all_heads(
        &mut self,
        task: LabelAllHeads,
        report: &ProgressReporter,
    ) -> Handled<LabelAllHeads> {
        report.phase("Labelling every head");
        let session = self.session_mut()?;
        let labels = session.labels_of_all_heads(task.count)?;
        Ok(Reply::plain(AllHeadLabels { labels, images: images(session) }))
    }

    /// Names the heads. Stops after a while, so that another request can run.
    pub(super) fn name_heads(&mut self, _: NameHeads) -> Handled<NameHeads> {
        let session = self.session_mut()?;
        let start = now();
        loop {
            match session.name_next_head()? {
                HeadNaming::UnderWay { .. } if now() - start < NAMING_TIME => {}
                naming => return Ok(Reply::plain(naming)),
            }
        }
    }

    pub(super) async fn use_statistics(
        &mut self,
        task: UseStatistics,
        buffers: &[Uint8Array],
    ) -> Handled<UseStatistics> {
        let of_gallery = self.gallery.as_ref().map(|gallery| gallery.statistics().clone());
        let of_video = self.video.as_ref().and_then(|video| Some(video.study().ok()?.statistics().clone()));
        let session = self.session_mut()?;
        let statistics = match task.source {
            StatisticsSource::Pack => None,
            StatisticsSource::File => {
                let bytes = buffers.first().map(Uint8Array::to_vec).unwrap_or_default();
                Some(session.read_statistics(&bytes)?)
            }
            StatisticsSource::Gallery => {
                let enough = of_gallery.filter(|statistics| statistics.images() >= 2);
                Some(enough.ok_or(WorkerError::FewPictures)?)
            }
            StatisticsSource::Video => {
                let enough = of_video.filter(|statistics| statistics.images() >= 2);
                Some(enough.ok_or(WorkerError::FewFrames)?)
            }
        };
        session.use_statistics(statistics);
        self.statistics_ready(task.source).await
    }

    /// Stores the statistics in use for the next visit, and answers.
    async fn statistics_ready(&self, source: StatisticsSource) -> Handled<UseStatistics> {
        let session = self.session()?;
        let stored = self.labels.keep_statistics(session, source).await;
        let not_stored = stored.err().map(|err| err.to_string());
        Ok(Reply::plain(StatisticsReady { images: images(session), not_stored }))
    }
}

/// Returns the number of images that the statistics in use were computed from.
fn images(session: &Session) -> u64 {
    session.statistics().map_or(0, Statistics::images)
}
