//! Where the heads' texts come from: the pool in use, and the statistics.

use js_sys::Uint8Array;

use super::report::{Reporter, said};
use super::{Answered, Engine};
use crate::engine::message::Answer;
use crate::engine::{EngineError, pool_lines};
use crate::geometry::Framing;
use crate::media;
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

    pub(super) async fn use_gallery(
        &mut self,
        names: &[String],
        buffers: Vec<Uint8Array>,
        report: &Reporter,
    ) -> Answered {
        let session = self.session_mut()?;
        if buffers.is_empty() {
            session.use_statistics(None);
            let images = session.statistics().map_or(0, Statistics::images);
            return Ok((Answer::StatisticsReady { images, skipped: Vec::new() }, Vec::new()));
        }
        if let ([name], [file]) = (names, &buffers[..])
            && name.ends_with(".safetensors")
        {
            let statistics = session.read_statistics(&file.to_vec()).map_err(said)?;
            let images = statistics.images();
            session.use_statistics(Some(statistics));
            return Ok((Answer::StatisticsReady { images, skipped: Vec::new() }, Vec::new()));
        }
        let total = buffers.len();
        let mut statistics = session.new_statistics();
        let mut skipped = Vec::new();
        for (index, buffer) in buffers.into_iter().enumerate() {
            report.items("Looking at the images", index, total);
            let name = names.get(index).map_or("an image", String::as_str);
            let seen = async {
                let photo = media::decode(name, &buffer.to_vec()).await?;
                session.trace(&photo, Framing::CentreCrop).await
            };
            match seen.await {
                Ok(traced) => statistics.push(&session.decompose(&traced)),
                // One bad file among many is left out, and named.
                Err(EngineError::Media(_)) => skipped.push(name.to_owned()),
                Err(err) => return Err(said(err)),
            }
        }
        let images = statistics.images();
        if images < 2 {
            return Err(format!("of these {total} images {images} could be read; statistics need two at least"));
        }
        session.use_statistics(Some(statistics));
        Ok((Answer::StatisticsReady { images, skipped }, Vec::new()))
    }
}
