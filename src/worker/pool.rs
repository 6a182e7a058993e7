//! The pool of texts for head labels: which texts it has, and embedding them part by part.

use super::error::WorkerError;
use super::fetch;
use super::progress::now;
use super::state::{Handled, Reply, Worker};
use crate::checkpoint::pack;
use crate::protocol::{EmbedPool, PoolProgress, PoolSource, UsePool};
use crate::session::Session;
use crate::session::pool_embedding::{PoolEmbedding, next_part};
use crate::session::pool_texts::{PoolLineError, PoolTexts};

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
    pub(super) async fn use_pool(&mut self, UsePool { file }: UsePool) -> Handled<UsePool> {
        self.prepared_pool = None;
        let session = self.session_mut()?;
        if file.is_empty() && session.has_pack_pool() {
            session.use_pool(None);
            return self.pool_ready(PoolSource::Pack).await;
        }
        let (texts, source) = match file.is_empty() {
            true => (headlamp_texts(session).await?, PoolSource::Headlamp),
            false => (own_texts(session, &file)?, PoolSource::Person),
        };
        if session.pool().is_some_and(|pool| pool.texts == texts) {
            return self.pool_ready(source).await;
        }
        let prepared = PreparedPool { texts: PoolEmbedding::new(texts), source, part: 1 };
        let progress = prepared.progress();
        self.prepared_pool = Some(prepared);
        Ok(Reply::plain(progress))
    }

    pub(super) async fn embed_pool(&mut self, _: EmbedPool) -> Handled<EmbedPool> {
        let session = self.session.as_mut().ok_or(WorkerError::NoPoolPrepared)?;
        let PreparedPool { mut texts, source, part } =
            self.prepared_pool.take().ok_or(WorkerError::NoPoolPrepared)?;
        let start = now();
        texts.embed_next(session, part).await?;
        let part = next_part(part, now() - start);
        match texts.into_pool() {
            Ok(pool) => {
                session.use_pool(Some(pool.as_stored()));
                self.pool_ready(source).await
            }
            Err(texts) => {
                let prepared = PreparedPool { texts, source, part };
                let progress = prepared.progress();
                self.prepared_pool = Some(prepared);
                Ok(Reply::plain(progress))
            }
        }
    }

    /// Stores the pool in use for the next visit, and answers.
    async fn pool_ready(&self, source: PoolSource) -> Handled<EmbedPool> {
        let session = self.session()?;
        let stored = self.labels.keep_pool(session, source).await;
        let total = session.pool().map_or(0, |pool| pool.texts.len());
        let not_stored = stored.err().map(|err| err.to_string());
        Ok(Reply::plain(PoolProgress { done: total, total, source, not_stored }))
    }
}

impl PreparedPool {
    fn progress(&self) -> PoolProgress {
        let (done, total) = (self.texts.done(), self.texts.total());
        PoolProgress { done, total, source: self.source, not_stored: None }
    }
}

/// Returns the texts of the person's file, if the model can read all of them.
fn own_texts(session: &Session, file: &str) -> Result<PoolTexts, WorkerError> {
    let texts = PoolTexts::parse(file).map_err(|err| err.of_file("this text"))?;
    texts.texts.iter().try_for_each(|text| session.check_text(text))?;
    Ok(texts)
}

/// Returns the texts that come with headlamp, without those that are too long for the model.
async fn headlamp_texts(session: &Session) -> Result<PoolTexts, WorkerError> {
    let file = fetch::one_file(DEFAULT_PACK, pack::POOL).await?;
    let of_file = |err: PoolLineError| err.of_file(pack::POOL);
    let all = PoolTexts::parse(&String::from_utf8_lossy(&file)).map_err(of_file)?;
    let lines = all.to_file();
    let fits = |(_line, text): &(&str, &String)| session.check_text(text).is_ok();
    let fitting: Vec<&str> = lines.lines().zip(&all.texts).filter(fits).map(|(line, _text)| line).collect();
    Ok(PoolTexts::parse(&fitting.join("\n")).map_err(of_file)?)
}
