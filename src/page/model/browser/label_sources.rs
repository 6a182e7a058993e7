//! The sources of the head labels: the pool of texts, and the images of the head statistics.

use leptos::prelude::*;
use leptos::web_sys::File;

use crate::page::common::browser::dom;
use crate::page::core::browser::core::Core;
use crate::protocol::wire::Attachments;
use crate::protocol::{Kind, PackSummary, StatisticsSource, UsePool, UseStatistics, sentence};

/// The texts that come with headlamp.
const DEFAULT_POOL: &str = "packs/default/pool.txt";

/// The images that the head statistics were computed from. Their number is given unless the pack has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatisticsOf {
    #[default]
    Pack,
    File(u64),
    Gallery(u64),
    Video(u64),
}

#[derive(Clone, Copy)]
pub struct LabelSources {
    core: Core,
    pack: RwSignal<Option<PackSummary>>,
    /// The number of texts in the person's own pool; `None`: the pack's pool is in use.
    pub own_pool: RwSignal<Option<usize>>,
    pub statistics_of: RwSignal<StatisticsOf>,
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
            own_pool: RwSignal::default(),
            statistics_of: RwSignal::default(),
            version: RwSignal::default(),
            own_texts: StoredValue::default(),
        };
        core.when_starting(move || sources.statistics_of.set(StatisticsOf::Pack));
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

    /// Goes back to the pack's own texts and images, because another model is open.
    pub fn forget_own(self) {
        self.statistics_of.set(StatisticsOf::Pack);
        self.own_pool.set(None);
    }

    /// Notes that the head labels are out of date.
    pub fn change(self) {
        self.version.update(|version| *version += 1);
    }

    /// Uses the person's own pool for a model that has just been opened.
    pub fn bring_own_pool(self) {
        let own = self.own_texts.get_value();
        if !own.is_empty() {
            self.use_pool(own);
        }
    }

    /// Uses the texts of a pool's file for head labels, or the pack's own pool if the file is empty.
    pub fn use_pool(self, file: String) {
        let own = file.clone();
        self.core.ask(UsePool { file }, move |pool, _buffers| {
            self.own_pool.set((!own.is_empty()).then_some(pool.lines));
            self.own_texts.set_value(own);
            self.change();
            Ok(())
        });
    }

    /// Uses the texts of the default pack for head labels, for a model without a pool.
    pub fn use_default_pool(self) {
        self.core.while_reading(async move {
            let text = async {
                let blob = dom::fetch("pool.txt", DEFAULT_POOL).await?;
                dom::bytes_of("pool.txt", &blob).await
            };
            match text.await {
                Ok(bytes) => self.use_pool(String::from_utf8_lossy(&bytes.to_vec()).into_owned()),
                Err(err) => self.core.complain(Kind::Pool, sentence(&err.to_string())),
            }
        });
    }

    /// Uses the lines of a text file for head labels.
    pub fn use_pool_file(self, file: File) {
        leptos::task::spawn_local(async move {
            match dom::bytes_of(&file.name(), &file).await {
                Ok(bytes) => self.use_pool(String::from_utf8_lossy(&bytes.to_vec()).into_owned()),
                Err(err) => self.core.complain(Kind::Pool, err.to_string()),
            }
        });
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
                Err(err) => self.core.complain(Kind::Statistics, err.to_string()),
            }
        });
    }

    fn ask_for_statistics(self, source: StatisticsSource, attachments: Attachments) {
        self.core.ask_with(UseStatistics { source }, attachments, move |statistics, _buffers| {
            self.take_statistics(match source {
                StatisticsSource::Pack => StatisticsOf::Pack,
                StatisticsSource::File => StatisticsOf::File(statistics.images),
                StatisticsSource::Gallery => StatisticsOf::Gallery(statistics.images),
            });
            Ok(())
        });
    }

    /// Notes the statistics that the worker uses from now on.
    pub fn take_statistics(self, of: StatisticsOf) {
        self.statistics_of.set(of);
        self.change();
    }
}
