//! Where the engine's answers go: into [`State`](super::state::State), for the views.

use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::page::common::browser::dom;
use crate::page::core::browser::engine::{Engine, Opened};
use crate::page::core::browser::state::{
    EngineState, HeadMap, HeadTexts, Layer, Notice, Photo, Scores, Segmentation, StatisticsOf,
};
use crate::page::core::queue::{Finished, Kind};
use crate::page::heads::label_files;
use crate::page::photo::raster::HeadMapKind;
use crate::page::shell::address::ModelAddress;
use crate::page::shell::browser::samples;
use crate::protocol::{
    self, AllHeadLabels, Answer, Attribution, ExportMask, GalleryRanked, HeadLabel, HeadLabels, LabelHead,
    LoadModel, MapHead, ModelSource, OpenPack, PackSummary, PhotoSummary, PoolReady, ReadThumbnails, Segment,
    Segmented, StatisticsReady, StatisticsSource, Task, UsePool, UseStatistics, wire,
};
use crate::text::units;

/// An answer that its question does not allow, or buffers of the wrong size.
#[derive(Debug, thiserror::Error)]
#[error("The engine's answer does not fit what was asked: reload the page, and tell us if that does not help.")]
pub(in crate::page) struct Unfitting;

impl Engine {
    /// Puts the answer to a finished piece of work where the views look for it.
    pub(in crate::page) fn take(self, finished: Finished, answer: Answer, buffers: &[Uint8Array]) {
        let Finished { task, superseded } = finished;
        let kind = task.kind();
        match answer {
            Answer::Failed { message } => return self.take_failure(&task, message),
            Answer::DeviceLost => return self.recover(),
            _ => {}
        }
        // A photo or model is the worker's current one from now on, even where another one waits.
        if superseded && !matches!(kind, Kind::Photo | Kind::Pack) {
            return;
        }
        match self.take_success(task, answer, buffers) {
            Ok(()) => self.settle_notice(kind),
            Err(err) => self.complain(kind, err.to_string()),
        }
    }

    fn take_success(self, task: Task, answer: Answer, buffers: &[Uint8Array]) -> Result<(), Unfitting> {
        let of_photo = || self.state.traced.get_untracked().ok_or(Unfitting);
        match (task, answer) {
            (task @ (Task::OpenPack(_) | Task::LoadModel(_)), Answer::PackOpened(pack)) => {
                self.remember_model(&task);
                self.state.model.set(model_address(task));
                let is_open = self.state.engine.get_untracked() == EngineState::Open;
                // A new worker brings the model that is on screen; where it fails to, the person may open another.
                let is_other = |open: &PackSummary| open.model != pack.model;
                if is_open || self.state.pack.with_untracked(|open| open.as_ref().is_some_and(is_other)) {
                    self.take_other_model(pack);
                } else {
                    self.take_pack(pack);
                }
            }
            (task, Answer::PhotoTraced(summary)) => self.take_photo(task, summary, buffers)?,
            // About phrases that were removed meanwhile, or are not the chosen one any more.
            (Task::Attribute(_), Answer::Attributed(_)) if self.has_no_phrases() => {}
            (Task::Segment(Segment { phrase, .. }), Answer::Segmented(_)) if !self.is_chosen(&phrase) => {}
            (Task::HeadMap(MapHead { phrase: Some(phrase), .. }), Answer::HeadMap(_))
                if !self.is_chosen(&phrase) => {}
            (Task::Attribute(_), Answer::Attributed(attribution)) => self.take_scores(attribution)?,
            (
                Task::Segment(Segment { phrase, .. }),
                Answer::Segmented(Segmented { size, crop_in_photo, threshold, empty }),
            ) => {
                self.state.threshold.set(self.wished_threshold());
                self.state.segmentation.set(Some(Segmentation {
                    photo_number: of_photo()?,
                    map: floats(buffers, size.width * size.height)?,
                    stamp: self.next_stamp(),
                    phrase,
                    size,
                    frame: crop_in_photo,
                    threshold,
                    is_empty: empty,
                }));
            }
            (
                Task::HeadMap(MapHead { layer, head, phrase, .. }),
                Answer::HeadMap(protocol::HeadMap { grid, crop_in_photo }),
            ) => {
                self.state.head_map.set(Some(HeadMap {
                    photo_number: of_photo()?,
                    map: floats(buffers, grid.len())?,
                    head: (layer, head),
                    kind: if phrase.is_some() { HeadMapKind::Contribution } else { HeadMapKind::Attention },
                    grid,
                    frame: crop_in_photo,
                }));
            }
            (
                Task::LabelHead(LabelHead { layer, head, .. }),
                Answer::HeadLabels(HeadLabels { labels, images }),
            ) => {
                self.state.head_texts.set(Some(HeadTexts { head: (layer, head), labels, images }));
            }
            (Task::LabelAllHeads(_), Answer::AllHeadLabels(AllHeadLabels { labels, images })) => {
                self.save_labels(&labels, images);
            }
            (Task::ExportMask(ExportMask { phrase, .. }), Answer::MaskPng(_)) => {
                self.take_mask(&phrase, buffers.first().ok_or(Unfitting)?);
            }
            (Task::UsePool(UsePool { lines: own }), Answer::PoolReady(PoolReady { lines })) => {
                self.take_pool(own, lines)
            }
            (
                Task::UseStatistics(UseStatistics { source }),
                Answer::StatisticsReady(StatisticsReady { images }),
            ) => {
                self.take_statistics(match source {
                    StatisticsSource::Pack => StatisticsOf::Pack,
                    StatisticsSource::File => StatisticsOf::File(images),
                    StatisticsSource::Gallery => StatisticsOf::Gallery(images),
                });
            }
            (Task::Video(_), Answer::StatisticsReady(StatisticsReady { images })) => {
                self.take_statistics(StatisticsOf::Video(images));
            }
            (task, answer @ (Answer::GalleryOpened(_) | Answer::GalleryGrown(_) | Answer::GalleryKept(_))) => {
                self.take_gallery(task, answer);
            }
            (Task::Thumbnails(ReadThumbnails { pictures }), Answer::Thumbnails(_)) => {
                self.take_thumbnails(&pictures, buffers)?
            }
            (Task::FindCues(_), Answer::Cues(report)) => self.take_cues(report),
            (Task::MeasureCompleteness(_), Answer::Completeness(curve)) => {
                self.state.completeness.set(Some(curve));
            }
            (Task::RankGallery(_), Answer::GalleryRanked(GalleryRanked { order })) => {
                self.state.gallery.order.set(Some(order))
            }
            (Task::Video(task), Answer::Video(answer)) => self.take_video(task, answer, buffers)?,
            _ => return Err(Unfitting),
        }
        Ok(())
    }

    fn has_no_phrases(self) -> bool {
        self.state.phrases.with_untracked(|phrases| phrases.as_slice().is_empty())
    }

    fn is_chosen(self, phrase: &str) -> bool {
        self.state.chosen.with_untracked(|chosen| chosen.as_deref() == Some(phrase))
    }

    fn take_failure(self, task: &Task, message: String) {
        match task {
            // At the start there is no other model to go on with.
            Task::OpenPack(_) | Task::LoadModel(_) if self.state.engine.get_untracked() != EngineState::Open => {
                self.state.engine.set(EngineState::Failed);
                self.inner.update_value(|inner| inner.queue.clear());
                self.state.notice.set(Some(Notice {
                    about: Some(Kind::Pack),
                    sentence: message,
                    offers_restart: true,
                }));
            }
            Task::Video(task) => self.take_video_failure(task, message),
            Task::AddToGallery(_) => self.take_gallery_failure(message),
            task => {
                if task.kind() == Kind::Pack {
                    self.drop_wishes();
                }
                let framing = self.state.photo.with_untracked(|photo| photo.as_ref().map(|at| at.summary.framing));
                if let (Task::Reframe(_), Some(framing)) = (task, framing) {
                    self.state.framing.set(framing);
                }
                self.complain(task.kind(), message);
            }
        }
    }

    /// Keeps how a model was opened, for the next worker.
    fn remember_model(self, task: &Task) {
        self.inner.update_value(|inner| {
            inner.opened = Some(Opened { task: task.clone(), files: std::mem::take(&mut inner.under_way.files) });
        });
    }

    fn take_pack(self, pack: PackSummary) {
        if !self.state.is_embedded {
            self.open_gallery();
        }
        self.show_what_can_be_asked(&pack);
        let has_text = pack.has_text;
        self.state.pack.set(Some(pack));
        self.state.engine.set(EngineState::Open);
        self.reopen_video();
        self.labels_change();
        let own_pool = self.inner.with_value(|inner| inner.own_pool.clone());
        if has_text && !own_pool.is_empty() {
            self.use_pool(&own_pool.join("\n"));
        }
        // The last photo that went well; at the very start a sample, so that there is something to see, unless the
        // user has opened a photo meanwhile.
        let is_awaited = self.state.reading.get_untracked() > 0
            || self.inner.try_update_value(|inner| inner.queue.waiting_mut(Kind::Photo).is_some()) == Some(true);
        let wished = self.fulfil_wishes();
        match self.inner.with_value(|inner| inner.last_source.clone()) {
            _ if wished || is_awaited => {}
            Some(source) => self.open_source(source),
            // An embedded page is shown its photo by the page around it.
            None if self.state.is_embedded => {}
            None => self.open_sample(&samples::SAMPLES[0]),
        }
    }

    /// Without texts a head's attention is what there is to see; with them, the rest again.
    fn show_what_can_be_asked(self, pack: &PackSummary) {
        let had_text = untrack(|| self.state.has_text());
        if !pack.has_text {
            if had_text {
                self.state.layer.set(Layer::Head);
                self.state.map_kind.set(HeadMapKind::Attention);
            }
            // In another worker for the same model, the person's choice stays; what a sample has shown beforehand is none.
            let is_first = self.state.pack.with_untracked(Option::is_none);
            if is_first || self.state.head.get_untracked().is_none() {
                self.state.head.set(pack.layers.checked_sub(1).map(|last| (last, 0)));
            }
        } else if !had_text {
            self.state.layer.set(Layer::default());
            self.state.map_kind.set(HeadMapKind::default());
            self.state.head.set(None);
        }
    }

    /// Another model: what was computed with the old one goes, what the user has made stays.
    fn take_other_model(self, pack: PackSummary) {
        self.state.traced.set(None);
        self.state.scores.set(None);
        self.state.segmentation.set(None);
        self.state.pinned.set(None);
        self.state.head.set(None);
        self.state.head_map.set(None);
        self.state.head_texts.set(None);
        self.state.ablation.set(Default::default());
        self.state.statistics_of.set(StatisticsOf::Pack);
        self.state.gallery.cues.forget_report();
        self.state.own_pool.set(None);
        self.take_pack(pack);
    }

    fn take_photo(self, task: Task, summary: PhotoSummary, buffers: &[Uint8Array]) -> Result<(), Unfitting> {
        let pixels =
            buffers.first().and_then(|rgba| dom::image_of_buffer(rgba, summary.preview)).ok_or(Unfitting)?;
        let number = self.next_stamp();
        let mut has_next = false;
        let mut origin = None;
        self.inner.update_value(|inner| {
            has_next = inner.queue.waiting_mut(Kind::Photo).is_some();
            if let (Task::TracePhoto(_), Some(source)) = (task, inner.under_way.source.take()) {
                inner.last_source = Some(source);
            }
            origin = inner.last_source.as_ref().map(|source| source.origin.clone());
        });
        if !has_next {
            self.state.framing.set(summary.framing);
        }
        self.state.threshold.set(None);
        let origin = origin.ok_or(Unfitting)?;
        self.remember_machine_photo();
        self.state.is_beforehand.set(false);
        self.state.photo.set(Some(Photo { number, origin, summary, pixels }));
        self.state.traced.set(Some(number));
        Ok(())
    }

    fn take_scores(self, attribution: Attribution) -> Result<(), Unfitting> {
        let photo_number = self.state.traced.get_untracked().ok_or(Unfitting)?;
        let scores = Scores {
            stamp: self.next_stamp(),
            photo_number,
            photo_name: self.photo_name(),
            attribution: Arc::new(attribution),
        };
        self.state.scores.set(Some(scores));
        if self.state.head.get_untracked().is_none() {
            let strongest = self.state.contributions.get_untracked().and_then(|all| all.strongest_head());
            self.state.head.set(strongest);
        }
        Ok(())
    }

    fn take_pool(self, own: Vec<String>, lines: usize) {
        self.state.own_pool.set((!own.is_empty()).then_some(lines));
        self.inner.update_value(|inner| inner.own_pool = own);
        self.labels_change();
    }

    fn take_statistics(self, of: StatisticsOf) {
        self.state.statistics_of.set(of);
        self.labels_change();
    }

    fn labels_change(self) {
        self.state.label_source.update(|source| *source += 1);
    }

    fn take_mask(self, phrase: &str, png: &Uint8Array) {
        if self.state.is_embedded {
            return self.inner.update_value(|inner| inner.sent_mask = Some(png.clone()));
        }
        let stem = units::file_stem(&format!("{} {phrase}", self.photo_name()));
        dom::download(&format!("{stem}.mask.png"), "image/png", png);
    }

    fn save_labels(self, labels: &[Vec<Vec<HeadLabel>>], images: u64) {
        let pack = self.state.pack.with_untracked(|pack| pack.as_ref().map(|pack| pack.name.clone()));
        let pack = pack.unwrap_or_default();
        let stem = units::file_stem(&format!("{pack} head labels"));
        let markdown = label_files::markdown(&pack, labels, images);
        dom::download(&format!("{stem}.md"), "text/markdown", &Uint8Array::from(markdown.as_bytes()));
        let json = label_files::json(&pack, labels, images);
        dom::download(&format!("{stem}.json"), "application/json", &Uint8Array::from(json.as_bytes()));
    }

    fn photo_name(self) -> String {
        let name = |photo: &Option<Photo>| photo.as_ref().map(|photo| photo.summary.name.clone());
        self.state.photo.with_untracked(name).unwrap_or_default()
    }

    pub(in crate::page) fn next_stamp(self) -> u32 {
        self.inner.update_value(|inner| inner.stamp += 1);
        self.inner.with_value(|inner| inner.stamp)
    }

    /// A success takes the notice about its own kind away; a photo that went well takes any.
    fn settle_notice(self, kind: Kind) {
        let is_settled = |notice: &Notice| notice.about.is_some_and(|about| about == kind || kind == Kind::Photo);
        if self.state.notice.with_untracked(|notice| notice.as_ref().is_some_and(is_settled)) {
            self.state.notice.set(None);
        }
    }
}

/// Where a model came from that somebody else can open too; none where that is the person's own disk.
fn model_address(task: Task) -> Option<ModelAddress> {
    match task {
        Task::OpenPack(OpenPack { url, .. }) => {
            let folder = url.strip_prefix(&dom::base()).map(str::to_owned).unwrap_or(url);
            Some(ModelAddress::Folder(folder))
        }
        Task::LoadModel(LoadModel { source: ModelSource::Hub { repository, hub: None }, .. }) => {
            Some(ModelAddress::Hub(repository))
        }
        _ => None,
    }
}

/// The floats of the first buffer, where they are as many as they must be.
fn floats(buffers: &[Uint8Array], count: usize) -> Result<Arc<Vec<f32>>, Unfitting> {
    let values = buffers.first().map(wire::f32_of_buffer).ok_or(Unfitting)?;
    if values.len() == count { Ok(Arc::new(values)) } else { Err(Unfitting) }
}
