//! The heads' texts and their sources: the pool in use, and the statistics.

use js_sys::Uint8Array;

use super::error::WorkerError;
use super::progress::ProgressReporter;
use super::state::{Handled, Reply, Worker};
use crate::protocol::{
    AllHeadLabels, HeadLabels, LabelAllHeads, LabelHead, PoolReady, StatisticsReady, StatisticsSource, UsePool,
    UseStatistics,
};
use crate::session::{Session, pool_lines};
use crate::statistics::Statistics;

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

    pub(super) async fn use_pool(
        &mut self,
        UsePool { lines }: UsePool,
        report: &ProgressReporter,
    ) -> Handled<UsePool> {
        let session = self.session_mut()?;
        if lines.is_empty() {
            session.use_pool(None);
        } else {
            let lines = pool_lines("this text", &lines.join("\n"))?;
            let total = lines.len();
            let pool = session.embed_pool(lines, |done| report.items("Reading the texts", done, total)).await?;
            session.use_pool(Some(pool));
        }
        let lines = session.pool().map_or(0, |pool| pool.lines.len());
        Ok(Reply::plain(PoolReady { lines }))
    }

    pub(super) fn use_statistics(
        &mut self,
        task: UseStatistics,
        buffers: &[Uint8Array],
    ) -> Handled<UseStatistics> {
        let of_gallery = self.gallery.as_ref().map(|gallery| gallery.statistics().clone());
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
        };
        session.use_statistics(statistics);
        Ok(Reply::plain(StatisticsReady { images: images(session) }))
    }
}

/// Returns the number of images that the statistics in use were computed from.
fn images(session: &Session) -> u64 {
    session.statistics().map_or(0, Statistics::images)
}
