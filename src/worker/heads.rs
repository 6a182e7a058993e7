//! The heads' texts and their sources: the pool in use, and the statistics.

use js_sys::Uint8Array;

use super::error::WorkerError;
use super::progress::{Reporter, now};
use super::state::{Handled, Reply, Worker};
use crate::protocol::{
    AllHeadLabels, HeadLabels, HeadNaming, LabelAllHeads, LabelHead, NameHeads, PoolReady, StatisticsReady,
    StatisticsSource, UsePool, UseStatistics,
};
use crate::session::Session;
use crate::session::pool_texts::PoolTexts;
use crate::statistics::Statistics;

/// A request to name the heads ends after this time, in seconds, or after one head.
const NAMING_TIME: f64 = 0.05;

impl Worker {
    pub(super) fn label_head(&mut self, LabelHead { layer, head, count }: LabelHead) -> Handled<LabelHead> {
        let session = self.session_mut()?;
        let labels = session.labels(layer, head, count)?;
        Ok(Reply::plain(HeadLabels { labels, images: images(session) }))
    }

    pub(super) fn label_all_heads(&mut self, task: LabelAllHeads, report: &Reporter) -> Handled<LabelAllHeads> {
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

    pub(super) async fn use_pool(&mut self, UsePool { file }: UsePool, report: &Reporter) -> Handled<UsePool> {
        let session = self.session_mut()?;
        if file.is_empty() {
            session.use_pool(None);
        } else {
            let texts =
                PoolTexts::parse(&file).map_err(|err| err.of_file("this text")).map_err(SessionError::from)?;
            let total = texts.len();
            let pool = session.embed_pool(texts, |done| report.items("Reading the texts", done, total)).await?;
            session.use_pool(Some(pool));
        }
        let lines = session.pool().map_or(0, |pool| pool.texts.len());
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
