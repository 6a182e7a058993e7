//! Spurious cues among the gallery's pictures: labels, phrases, and the worker's report.

use leptos::prelude::*;
use leptos::web_sys::File;

use super::state::GalleryState;
use crate::page::common::browser::dom;
use crate::page::core::browser::core::Core;
use crate::page::gallery::picture_labels::{LabelError, Labels};
use crate::protocol::completeness::GalleryClasses;
use crate::protocol::cues::{CuePrompts, CueReport, FindCues, LabelledPicture};
use crate::protocol::{TaskKind, sentence};

/// Two prompts for the classes and two for the nuisances, each a list of phrases.
type Prompts<T> = [[T; 2]; 2];

#[derive(Clone, Copy)]
pub struct CueState {
    core: Core,
    gallery: GalleryState,
    pub labels: RwSignal<Option<Result<Labels, LabelError>>>,
    /// The text that the person typed, with commas between phrases: first the classes, then the nuisances.
    pub prompts: RwSignal<Prompts<String>>,
    pub report: RwSignal<Option<CueReport>>,
}

impl CueState {
    pub fn new(core: Core, gallery: GalleryState) -> Self {
        Self {
            core,
            gallery,
            labels: RwSignal::default(),
            prompts: RwSignal::default(),
            report: RwSignal::default(),
        }
    }

    /// Forgets the results of another model.
    pub fn forget_report(self) {
        self.report.set(None);
    }

    /// Reads the labels from the file of a table.
    pub fn read_table(self, file: File) {
        self.core.while_reading(async move {
            match dom::bytes_of(&file.name(), &file).await {
                Ok(bytes) => self.take_labels(Labels::of_table(&String::from_utf8_lossy(&bytes.to_vec()))),
                Err(err) => self.core.complain(TaskKind::Cues, sentence(&err.to_string())),
            }
        });
    }

    /// Takes the labels from the names of the pictures' folders.
    pub fn read_folder_names(self) {
        let labels = self
            .gallery
            .pictures
            .with_untracked(|all| Labels::of_folders(all.iter().map(|entry| entry.name.as_str())));
        self.take_labels(labels);
    }

    fn take_labels(self, labels: Result<Labels, LabelError>) {
        if let Ok(Labels { classes, nuisances, .. }) = &labels {
            let nuisances = nuisances.clone().unwrap_or_default();
            let background = |name: String| if name.is_empty() { name } else { format!("a photo of {name}") };
            let classes = classes.clone().map(|name| format!("a photo of a {name}"));
            self.prompts.set([classes, nuisances.map(background)]);
        }
        self.report.set(None);
        self.labels.set(Some(labels));
    }

    /// Returns the gallery's pictures that have a label.
    pub fn pictures(self) -> Vec<LabelledPicture> {
        self.labels.with(|labels| match labels {
            Some(Ok(labels)) => self
                .gallery
                .pictures
                .with(|pictures| labels.pictures(pictures.iter().map(|entry| entry.name.as_str()))),
            _ => Vec::new(),
        })
    }

    /// Returns the classes of the labelled pictures; `None` if there are no labels, or no phrases for a class.
    pub fn labelled_classes(self) -> Option<GalleryClasses> {
        let [phrases, _nuisances] = self.phrases();
        let pictures = self.pictures();
        let is_complete = !pictures.is_empty() && phrases.iter().all(|prompt| !prompt.is_empty());
        let labels = pictures.iter().map(|labelled| (labelled.picture, labelled.class)).collect();
        is_complete.then(|| GalleryClasses { phrases: phrases.to_vec(), labels: Some(labels) })
    }

    /// Returns the prompts; `None` if one of them is empty.
    pub fn complete_prompts(self) -> Option<CuePrompts> {
        let [classes, nuisances] = self.phrases();
        let is_complete = classes.iter().chain(&nuisances).all(|prompt| !prompt.is_empty());
        is_complete.then_some(CuePrompts { classes, nuisances })
    }

    fn phrases(self) -> Prompts<Vec<String>> {
        let phrases_of = |typed: &String| {
            typed.split(',').map(|phrase| phrase.trim().to_owned()).filter(|phrase| !phrase.is_empty()).collect()
        };
        self.prompts.with(|prompts| prompts.each_ref().map(|two| two.each_ref().map(phrases_of)))
    }

    /// Asks for the heads that follow the nuisance.
    pub fn find(self) {
        if let Some(prompts) = untrack(|| self.complete_prompts()) {
            let pictures = untrack(|| self.pictures());
            self.core.ask(FindCues { pictures, prompts }, move |report, _buffers| {
                self.report.set(Some(report));
                Ok(())
            });
        }
    }
}
