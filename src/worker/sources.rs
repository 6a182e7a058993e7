//! Where the heads' texts come from: the pool in use, and the statistics.

use js_sys::Uint8Array;

use super::report::{Reporter, said};
use super::{Answered, Engine};
use crate::protocol::{Answer, StatisticsSource};
use crate::session::pool_lines;
use crate::statistics::Statistics;

impl Engine {
    pub(super) async fn use_pool(&mut self, lines: &[String], report: &Reporter) -> Answered {
        let session = self.session_mut()?;
        if lines.is_empty() {
            session.use_pool(None);
        } else {
            let lines = pool_lines("this text", &lines.join("\n")).map_err(said)?;
            let total = lines.len();
            let pool = session.embed_pool(lines, |done| report.items("Reading the texts", done, total));
            let pool = pool.await.map_err(said)?;
            session.use_pool(Some(pool));
        }
        let lines = session.pool().map_or(0, |pool| pool.lines.len());
        Ok((Answer::PoolReady { lines }, Vec::new()))
    }

    pub(super) fn use_statistics(&mut self, source: StatisticsSource, buffers: &[Uint8Array]) -> Answered {
        let of_gallery = self.gallery.as_ref().map(|gallery| gallery.statistics().clone());
        let session = self.session_mut()?;
        let statistics = match source {
            StatisticsSource::Pack => None,
            StatisticsSource::File => {
                let bytes = buffers.first().map(Uint8Array::to_vec).unwrap_or_default();
                Some(session.read_statistics(&bytes).map_err(said)?)
            }
            StatisticsSource::Gallery => {
                let enough = of_gallery.filter(|statistics| statistics.images() >= 2);
                Some(enough.ok_or("statistics need two pictures at least: add some to the gallery first")?)
            }
        };
        session.use_statistics(statistics);
        let images = session.statistics().map_or(0, Statistics::images);
        Ok((Answer::StatisticsReady { images }, Vec::new()))
    }
}
