//! The pool of texts for head labels: which texts it has, and embedding them part by part.

use super::error::WorkerError;
use super::fetch;
use super::progress::now;
use super::state::{Handled, Reply, Worker};
use crate::checkpoint::pack;
use crate::protocol::{EmbedPool, PoolProgress, PoolSource, UsePool};
use crate::session::pool::lines;
use crate::session::pool_embedding::{PoolEmbedding, next_part};
use crate::session::{Session, pool_lines};

/// The folder of the default pack, whose texts every model without a pool gets.
const DEFAULT_PACK: &str = "packs/default/";

/// A pool that is being embedded.
pub(super) struct PreparedPool {
    texts: PoolEmbedding,
    source: PoolSource,
    /// The number of texts of the next part.
    part: usize,
}

impl Worker {
    pub(super) async fn use_pool(&mut self, UsePool { lines }: UsePool) -> Handled<UsePool> {
        self.prepared_pool = None;
        let session = self.session_mut()?;
        if lines.is_empty() && session.has_pack_pool() {
            session.use_pool(None);
            return self.pool_ready(PoolSource::Pack).await;
        }
        let (lines, source) = match lines.is_empty() {
            true => (headlamp_texts(session).await?, PoolSource::Headlamp),
            false => (own_texts(session, &lines)?, PoolSource::Person),
        };
        if session.pool().is_some_and(|pool| pool.lines == lines) {
            return self.pool_ready(source).await;
        }
        let prepared = PreparedPool { texts: PoolEmbedding::new(lines), source, part: 1 };
        let progress = prepared.progress();
        self.prepared_pool = Some(prepared);
        Ok(Reply::plain(progress))
    }

    pub(super) async fn embed_pool(&mut self, _: EmbedPool) -> Handled<EmbedPool> {
        let session = self.session.as_mut().ok_or(WorkerError::NoPoolPrepared)?;
        let mut prepared = self.prepared_pool.take().ok_or(WorkerError::NoPoolPrepared)?;
        let start = now();
        prepared.texts.embed_next(session, prepared.part).await?;
        prepared.part = next_part(prepared.part, now() - start);
        if !prepared.texts.is_done() {
            let progress = prepared.progress();
            self.prepared_pool = Some(prepared);
            return Ok(Reply::plain(progress));
        }
        session.use_pool(Some(prepared.texts.into_pool().as_stored()));
        self.pool_ready(prepared.source).await
    }

    /// Stores the pool in use for the next visit, and answers.
    async fn pool_ready(&self, source: PoolSource) -> Handled<EmbedPool> {
        let session = self.session()?;
        let stored = self.labels.keep_pool(session, source).await;
        let total = session.pool().map_or(0, |pool| pool.lines.len());
        let not_kept = stored.err().map(|err| err.to_string());
        Ok(Reply::plain(PoolProgress { done: total, total, source, not_kept }))
    }
}

impl PreparedPool {
    fn progress(&self) -> PoolProgress {
        let (done, total) = (self.texts.done(), self.texts.total());
        PoolProgress { done, total, source: self.source, not_kept: None }
    }
}

/// Returns the person's own texts, if the model can read all of them.
fn own_texts(session: &Session, texts: &[String]) -> Result<Vec<String>, WorkerError> {
    let texts = pool_lines("this text", &texts.join("\n"))?;
    texts.iter().try_for_each(|text| session.check_text(text))?;
    Ok(texts)
}

/// Returns the texts that come with headlamp, without those that are too long for the model.
async fn headlamp_texts(session: &Session) -> Result<Vec<String>, WorkerError> {
    let file = fetch::one_file(DEFAULT_PACK, pack::POOL).await?;
    let texts = lines(&String::from_utf8_lossy(&file));
    Ok(texts.into_iter().filter(|text| session.check_text(text).is_ok()).collect())
}
