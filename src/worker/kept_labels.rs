//! The head statistics and the pool of texts that the browser stores with a model, for the next visit.
//!
//! They lie in a folder inside the model's own folder of the [`PackStore`]. The folder's name has the hash of the
//! weights and the config, so that another version of the model never gets them. Removing the model removes them. The
//! name of a file says the source of its content.

use super::pack_store::{PackStore, StoreError};
use crate::checkpoint::{Manifest, pack};
use crate::protocol::{KeptLabels, KeptPool, KeptStatistics, PoolSource, StatisticsSource};
use crate::session::Session;
use crate::session::pool::Pool;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// The file of statistics from each source but the pack.
const STATISTICS: [(StatisticsSource, &str); 3] = [
    (StatisticsSource::File, "statistics-of-file.safetensors"),
    (StatisticsSource::Gallery, "statistics-of-gallery.safetensors"),
    (StatisticsSource::Video, "statistics-of-video.safetensors"),
];

/// The texts and the embeddings of a pool from each source but the pack.
const POOLS: [(PoolSource, [&str; 2]); 2] = [
    (PoolSource::Headlamp, ["pool-of-headlamp.txt", "pool-of-headlamp.safetensors"]),
    (PoolSource::Person, ["pool-of-person.txt", "pool-of-person.safetensors"]),
];

/// The place of a model's stored statistics and pools: of the open model, or of a model that will be opened.
#[derive(Default)]
pub(super) struct LabelStore {
    /// The folder of the model's pack; `None` if the browser does not store the model.
    model_folder: Option<String>,
    hash: String,
}

impl LabelStore {
    pub(super) fn of(session: &Session, model_folder: Option<String>) -> Self {
        Self { model_folder, hash: session.manifest().results_hash() }
    }

    /// Returns the place of the stored statistics and pools of a model that is not open yet.
    pub(super) fn of_manifest(manifest: &Manifest, model_folder: String) -> Self {
        Self { model_folder: Some(model_folder), hash: manifest.results_hash() }
    }

    /// Returns the folder of the model's pack.
    pub(super) fn model_folder(&self) -> Option<&str> {
        self.model_folder.as_deref()
    }

    /// Removes the model's stored statistics and pools.
    pub(super) async fn clear(&self) {
        let store = PackStore::open().await;
        for (_source, file) in STATISTICS {
            self.remove(&store, file).await;
        }
        self.remove_pools(&store).await;
    }

    fn address(&self, file: &str) -> Option<String> {
        self.model_folder.as_ref().map(|folder| format!("{folder}labels-{:.16}/{file}", self.hash))
    }

    /// Lets the session use its model's stored statistics and pool. A file that does not fit the model counts as missing.
    pub(super) async fn restore(&self, session: &mut Session) -> KeptLabels {
        let store = PackStore::open().await;
        let mut kept = KeptLabels::default();
        for (source, file) in STATISTICS {
            if let Some(bytes) = self.read(&store, file).await
                && let Ok(statistics) = session.read_statistics(&bytes)
            {
                kept.statistics = Some(KeptStatistics { source, images: statistics.images() });
                session.use_statistics(Some(statistics));
            }
        }
        for (source, [texts, embeddings]) in POOLS {
            if let Some(texts) = self.read(&store, texts).await
                && let Some(embeddings) = self.read(&store, embeddings).await
                && let Ok(pool) = Pool::from_files(&texts, &embeddings, session.manifest().model.embedding)
            {
                kept.pool = Some(KeptPool { source, lines: pool.texts.len() });
                session.use_pool(Some(pool));
            }
        }
        kept
    }

    /// Stores the statistics that the session uses instead of those stored before. Of the pack's own statistics,
    /// nothing is stored.
    ///
    /// # Errors
    /// If the browser does not store the file. Statistics of the same source that were stored before stay then.
    pub(super) async fn keep_statistics(
        &self,
        session: &Session,
        source: StatisticsSource,
    ) -> Result<(), StoreError> {
        let store = PackStore::open().await;
        for (other, file) in STATISTICS {
            match session.statistics().filter(|_in_use| other == source) {
                // The safetensors crate rejects no statistics that headlamp made.
                Some(own) => self.put(&store, file, &own.to_bytes().unwrap_or_default()).await?,
                None => self.remove(&store, file).await,
            }
        }
        Ok(())
    }

    /// Stores the pool that the session uses instead of the one stored before. Of the pack's own pool, nothing is
    /// stored.
    ///
    /// # Errors
    /// If the browser does not store the files. No part of the pool stays stored then.
    pub(super) async fn keep_pool(&self, session: &Session, source: PoolSource) -> Result<(), StoreError> {
        let store = PackStore::open().await;
        self.remove_pools(&store).await;
        let files = POOLS.into_iter().find(|(of, _)| *of == source).map(|(_, files)| files);
        let own = session.pool().and_then(|pool| pool.to_files().ok());
        for (file, (_, bytes)) in files.into_iter().flatten().zip(own.into_iter().flatten()) {
            if let Err(err) = self.put(&store, file, &bytes).await {
                self.remove_pools(&store).await;
                return Err(err);
            }
        }
        Ok(())
    }

    async fn remove_pools(&self, store: &PackStore) {
        for file in POOLS.into_iter().flat_map(|(_source, files)| files) {
            self.remove(store, file).await;
        }
    }

    async fn read(&self, store: &PackStore, file: &str) -> Option<Vec<u8>> {
        let stored = store.find(&self.address(file)?).await?;
        stored.bytes(None, LARGEST, |_bytes| {}).await.ok()
    }

    /// Stores a file, if the model itself is stored. A model that was removed meanwhile stays removed.
    async fn put(&self, store: &PackStore, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.model_folder.as_ref().ok_or(StoreError::ModelMissing)?;
        if store.find(&format!("{folder}{}", pack::MANIFEST)).await.is_none() {
            return Err(StoreError::ModelMissing);
        }
        store.try_put(&self.address(file).ok_or(StoreError::ModelMissing)?, bytes).await
    }

    async fn remove(&self, store: &PackStore, file: &str) {
        if let Some(address) = self.address(file) {
            store.remove(&address).await;
        }
    }
}
