//! The sources of the head labels: the pool of texts, and the images of the head statistics.

use leptos::prelude::*;
use leptos::web_sys::File;

use crate::page::common::browser::dom;
use crate::page::core::browser::core::Core;
use crate::protocol::wire::Attachments;
use crate::protocol::{
    EmbedPool, KeptLabels, KeptPool, KeptStatistics, PackSummary, PoolProgress, PoolSource, StatisticsReady,
    StatisticsSource, TaskKind, UsePool, UseStatistics,
};

/// The images that the head statistics were computed from. Their number is given unless the pack has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatisticsOf {
    #[default]
    Pack,
    File(u64),
    Gallery(u64),
    Video(u64),
}

impl StatisticsOf {
    fn new(source: StatisticsSource, images: u64) -> Self {
        match source {
            StatisticsSource::Pack => Self::Pack,
            StatisticsSource::File => Self::File(images),
            StatisticsSource::Gallery => Self::Gallery(images),
            StatisticsSource::Video => Self::Video(images),
        }
    }
}

/// The pool in use, with its number of texts unless the pack has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolOf {
    #[default]
    Pack,
    /// The texts that come with headlamp.
    Headlamp(usize),
    /// The person's own texts.
    Person(usize),
}

impl PoolOf {
    fn new(source: PoolSource, lines: usize) -> Self {
        match source {
            PoolSource::Pack => Self::Pack,
            PoolSource::Headlamp => Self::Headlamp(lines),
            PoolSource::Person => Self::Person(lines),
        }
    }
}

#[derive(Clone, Copy)]
pub struct LabelSources {
    core: Core,
    pack: RwSignal<Option<PackSummary>>,
    pub pool_of: RwSignal<PoolOf>,
    /// How far the pool is that is being embedded.
    pub embedding: RwSignal<Option<PoolProgress>>,
    pub statistics_of: RwSignal<StatisticsOf>,
    /// The reason why the next visit will not find the statistics or the pool in use.
    pub not_stored: RwSignal<Option<String>>,
    /// Increases whenever the head labels become out of date.
    pub version: RwSignal<u32>,
    /// The person's own pool, for the next model or worker.
    own_texts: StoredValue<String>,
}

impl LabelSources {
    pub(super) fn new(core: Core, pack: RwSignal<Option<PackSummary>>) -> Self {
        let sources = Self {
            core,
            pack,
            pool_of: RwSignal::default(),
            embedding: RwSignal::default(),
            statistics_of: RwSignal::default(),
            not_stored: RwSignal::default(),
            version: RwSignal::default(),
            own_texts: StoredValue::default(),
        };
        core.when_starting(move || sources.forget_own());
        sources
    }

    /// Returns the number of images that the head statistics in use were computed from.
    pub fn statistics_images(self) -> u64 {
        match self.statistics_of.get() {
            StatisticsOf::File(images) | StatisticsOf::Gallery(images) | StatisticsOf::Video(images) => images,
            StatisticsOf::Pack => self.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.statistics_images)),
        }
    }

    /// Returns whether there are head statistics.
    pub fn has_statistics(self) -> bool {
        let own = self.statistics_of.get() != StatisticsOf::Pack;
        own || self.pack.with(|pack| pack.as_ref().is_some_and(|pack| pack.statistics_images > 0))
    }

    /// Returns the number of texts of the pool in use; 0 if there is no pool.
    pub fn pool_lines(self) -> usize {
        match self.pool_of.get() {
            PoolOf::Headlamp(lines) | PoolOf::Person(lines) => lines,
            PoolOf::Pack => self.pack.with(|pack| pack.as_ref().map_or(0, |pack| pack.pool_lines)),
        }
    }

    /// Returns whether there are texts to describe heads and objects with.
    pub fn has_pool(self) -> bool {
        self.pool_lines() > 0
    }

    /// Goes back to the pack's own texts and images, because another model or another worker starts.
    pub fn forget_own(self) {
        self.core.withdraw(TaskKind::PoolPart);
        self.statistics_of.set(StatisticsOf::Pack);
        self.pool_of.set(PoolOf::Pack);
        self.embedding.set(None);
        self.not_stored.set(None);
    }

    /// Notes what the browser stored with the model that has just been opened.
    pub fn take_kept(self, kept: KeptLabels) {
        self.forget_own();
        if let Some(KeptStatistics { source, images }) = kept.statistics {
            self.statistics_of.set(StatisticsOf::new(source, images));
        }
        if let Some(KeptPool { source, lines }) = kept.pool {
            self.pool_of.set(PoolOf::new(source, lines));
        }
    }

    /// Notes that the head labels are out of date.
    pub fn change(self) {
        self.version.update(|version| *version += 1);
    }

    /// Gives a model that has just been opened the person's own pool or, if the model has no pool, headlamp's texts.
    pub fn bring_pool(self) {
        let own = self.own_texts.get_value();
        if !own.is_empty() || untrack(|| !self.has_pool()) {
            self.use_pool(own);
        }
    }

    /// Uses the texts of a pool's file for head labels. If the file is empty: uses the pack's own pool, or headlamp's
    /// texts if the pack has none.
    pub fn use_pool(self, file: String) {
        let own = file.clone();
        self.core.ask(UsePool { file }, move |pool, _buffers| {
            self.own_texts.set_value(own);
            // The parts of an earlier pool are not wanted any more.
            self.core.withdraw(TaskKind::PoolPart);
            self.follow_pool(pool);
            Ok(())
        });
    }

    /// Uses the lines of a text file for head labels.
    pub fn use_pool_file(self, file: File) {
        leptos::task::spawn_local(async move {
            match dom::bytes_of(&file.name(), &file).await {
                Ok(bytes) => self.use_pool(String::from_utf8_lossy(&bytes.to_vec()).into_owned()),
                Err(err) => self.core.complain(TaskKind::Pool, err.to_string()),
            }
        });
    }

    /// Asks for the next part of the pool, or notes that the whole pool is in use.
    fn follow_pool(self, pool: PoolProgress) {
        if pool.done < pool.total {
            self.embedding.set(Some(pool));
            self.core.ask_for_outcome(EmbedPool, Attachments::default(), move |outcome| {
                match outcome {
                    Ok((pool, _buffers)) => self.follow_pool(pool),
                    Err(message) => {
                        self.embedding.set(None);
                        self.core.complain(TaskKind::PoolPart, message);
                    }
                }
                Ok(())
            });
        } else {
            self.embedding.set(None);
            self.pool_of.set(PoolOf::new(pool.source, pool.total));
            self.not_stored.set(pool.not_stored);
            self.change();
        }
    }

    /// Takes head statistics from another source.
    pub fn use_statistics(self, source: StatisticsSource) {
        self.ask_for_statistics(source, Attachments::default());
    }

    /// Takes head statistics from a file that headlamp wrote.
    pub fn use_statistics_file(self, file: File) {
        self.core.while_reading(async move {
            match dom::bytes_of(&file.name(), &file).await {
                Ok(bytes) => self.ask_for_statistics(StatisticsSource::File, Attachments::of(vec![bytes])),
                Err(err) => self.core.complain(TaskKind::Statistics, err.to_string()),
            }
        });
    }

    fn ask_for_statistics(self, source: StatisticsSource, attachments: Attachments) {
        self.core.ask_with(UseStatistics { source }, attachments, move |statistics, _buffers| {
            self.take_statistics(source, statistics);
            Ok(())
        });
    }

    /// Notes the statistics that the worker uses from now on.
    pub fn take_statistics(self, source: StatisticsSource, statistics: StatisticsReady) {
        self.statistics_of.set(StatisticsOf::new(source, statistics.images));
        self.not_stored.set(statistics.not_stored);
        self.change();
    }
}
