//! The requests of the gallery to the worker. The page asks for one picture after another. To pause means to ask no
//! more. Every other request is handled between two pictures.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::web_sys::{Blob, File};

use super::state::{GalleryFiles, GalleryOrder, GalleryRun, GalleryState, OrderBasis};
use crate::page::common::browser::dom::{self, ObjectUrl};
use crate::page::core::browser::core::Outcome;
use crate::page::heads::settling;
use crate::page::model::browser::label_sources::StatisticsOf;
use crate::protocol::wire::Attachments;
use crate::protocol::{
    AHEAD, AddToGallery, ClearGallery, FindOutlyingPictures, GalleryEntry, GalleryOpened, OpenGallery,
    PictureAdded, RankBy, RankGallery, ReadThumbnails, StatisticsSource, StoreGallery, TaskKind, UnexpectedAnswer,
};

/// The number of pictures of an order that are shown.
const MOST: usize = 500;

/// The number of outlying pictures that are shown.
const OUTLYING: usize = 8;

/// The number of thumbnails that the page keeps. If there are more, the page drops those that are not visible.
const STORED_THUMBNAILS: usize = 400;

fn entry_of(file: &File) -> GalleryEntry {
    let path = js_sys::Reflect::get(file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
    let name = path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
    GalleryEntry { name, bytes: file.size() as u64, modified: file.last_modified() as u64 }
}

impl GalleryState {
    /// Opens the gallery that the browser stores for the open model.
    pub fn open(self) {
        self.core.ask(OpenGallery, move |gallery, _buffers| {
            self.take_whole(gallery);
            Ok(())
        });
    }

    /// Returns whether the gallery waits to be opened or cleared. The answer will have its pictures.
    fn is_awaited(self) -> bool {
        self.core.has(TaskKind::Gallery)
    }

    /// Adds those picture files that are new.
    pub fn add(self, files: Vec<File>) {
        // Until the gallery of the model is open, the pictures on screen are not its pictures.
        let known: BTreeSet<GalleryEntry> = match self.is_awaited() || self.core.has(TaskKind::Pack) {
            true => BTreeSet::new(),
            false => self.pictures.with_untracked(|pictures| pictures.iter().cloned().collect()),
        };
        let mut added = 0;
        self.files.update_value(|gallery| {
            for file in files.into_iter().filter(is_picture) {
                let entry = entry_of(&file);
                let is_new = !known.contains(&entry) && gallery.to_do.iter().all(|(other, _)| *other != entry);
                gallery.files.insert(entry.clone(), file.clone());
                if is_new {
                    gallery.to_do.push_back((entry, file));
                    added += 1;
                }
            }
        });
        if self.run.with_untracked(|run| !run.is_going && run.done == run.total) {
            self.left_out.set(Vec::new());
            self.run.set(GalleryRun::default());
        }
        self.run.update(|run| run.total += added);
        self.go_on();
    }

    /// Adds those picture files that are new, and computes the head labels from the gallery: now from the pictures
    /// that it has, and again while more arrive.
    pub fn add_for_labels(self, files: Vec<File>) {
        self.refresh_statistics();
        self.add(files);
    }

    /// Starts or continues with the pictures that wait.
    pub fn go_on(self) {
        if self.run.with_untracked(|run| !run.is_going && run.done < run.total) {
            // The time left is estimated from the pictures that are done from here on.
            self.run.update(|run| {
                let total = run.total - run.done;
                *run = GalleryRun { done: 0, total, start: js_sys::Date::now(), is_going: true };
            });
            self.ask_for_next();
        }
    }

    /// Stops after the picture under way. Finished pictures stay, and the others wait.
    pub fn pause(self) {
        self.run.update(|run| run.is_going = false);
        self.core.withdraw(TaskKind::GalleryPicture);
        self.store();
    }

    /// Removes all pictures, also those that wait.
    pub fn clear(self) {
        self.core.withdraw(TaskKind::GalleryPicture);
        self.files.set_value(GalleryFiles::default());
        self.run.set(GalleryRun::default());
        self.by.set(GalleryOrder::AsAdded);
        if matches!(self.model.label_sources.statistics_of.get_untracked(), StatisticsOf::Gallery(_)) {
            self.model.label_sources.use_statistics(StatisticsSource::Pack);
        }
        self.core.ask(ClearGallery, move |gallery, _buffers| {
            self.take_whole(gallery);
            Ok(())
        });
    }

    /// Opens one of the gallery's pictures as the photo.
    pub fn open_picture(self, index: usize) {
        let Some(entry) = self.pictures.with_untracked(|all| all.get(index).cloned()) else { return };
        match self.files.with_value(|gallery| gallery.files.get(&entry).cloned()) {
            Some(file) => self.photo.open_file(file.name(), file.into()),
            None => {
                let sentence =
                    format!("The file {} is not available: choose its folder again, then click it.", entry.name);
                self.core.complain(TaskKind::Photo, sentence);
            }
        }
    }

    fn ask_for_next(self) {
        // The picture under way is still in the list, and its answer asks for the next one.
        if self.core.under_way() == Some(TaskKind::GalleryPicture) {
            return;
        }
        let line = self.files.with_value(|gallery| {
            let in_line = gallery.to_do.iter().take(1 + self.core.ahead(AHEAD));
            in_line.map(|(entry, file)| (entry.clone(), Blob::from(file.clone()))).collect::<Vec<_>>()
        });
        let (mut next, files): (VecDeque<GalleryEntry>, Vec<Blob>) = line.into_iter().unzip();
        match next.pop_front() {
            Some(entry) => {
                let task = AddToGallery { entry: entry.clone(), next: next.into() };
                let attachments = Attachments { files, ..Attachments::default() };
                self.core.ask_for_outcome(task, attachments, move |outcome| self.take_next(entry, outcome));
            }
            None => {
                self.run.update(|run| run.is_going = false);
                self.store();
            }
        }
    }

    fn store(self) {
        self.core.ask(StoreGallery, move |_stored, _buffers| {
            self.refresh_statistics();
            Ok(())
        });
    }

    /// Computes the head labels from all current pictures again, if they are computed from the gallery, or if the model
    /// has no other statistics.
    fn refresh_statistics(self) {
        let count = self.pictures.with_untracked(|pictures| pictures.len());
        let sources = self.model.label_sources;
        let is_from_gallery = match sources.statistics_of.get_untracked() {
            StatisticsOf::Gallery(_) => true,
            StatisticsOf::Pack => untrack(|| self.model.has_text() && !self.model.has_statistics()),
            StatisticsOf::File(_) | StatisticsOf::Video(_) => false,
        };
        if count >= 2 && is_from_gallery {
            sources.use_statistics(StatisticsSource::Gallery);
        }
    }

    fn take_whole(self, GalleryOpened { pictures, not_stored }: GalleryOpened) {
        self.leave_known_out(&pictures);
        self.forget_thumbnails();
        self.order.set(None);
        self.pictures.set(Arc::new(pictures));
        self.not_stored.set(not_stored);
        if self.run.with_untracked(|run| run.is_going) {
            self.ask_for_next();
        }
    }

    /// Removes the pictures that the gallery already has from the waiting ones. They may have been chosen before the
    /// gallery was open.
    fn leave_known_out(self, pictures: &[GalleryEntry]) {
        let known: BTreeSet<&GalleryEntry> = pictures.iter().collect();
        self.core.withdraw(TaskKind::GalleryPicture);
        let mut left = 0;
        self.files.update_value(|gallery| {
            gallery.to_do.retain(|(entry, _)| !known.contains(entry));
            left = gallery.to_do.len();
        });
        self.run.update(|run| run.total = run.done + left);
    }

    /// Drops all thumbnails, because another gallery's pictures have the same indices.
    fn forget_thumbnails(self) {
        self.core.withdraw(TaskKind::Thumbnails);
        self.files.update_value(|gallery| gallery.thumbnails.clear());
        self.thumbnails.update(|stamp| *stamp += 1);
    }

    fn take_next(self, entry: GalleryEntry, outcome: Outcome<PictureAdded>) -> Result<(), UnexpectedAnswer> {
        match outcome {
            // The picture's gallery is about to be cleared.
            Ok(_) if self.is_awaited() => {}
            Ok((PictureAdded { left_out }, _buffers)) => self.take_picture(entry, left_out),
            // The disk is full, or the device failed. The other pictures wait.
            Err(message) => {
                self.run.update(|run| run.is_going = false);
                self.core.complain(TaskKind::GalleryPicture, message);
            }
        }
        Ok(())
    }

    fn take_picture(self, entry: GalleryEntry, left_out: Option<String>) {
        self.files.update_value(|gallery| gallery.to_do.retain(|(other, _)| *other != entry));
        match left_out {
            Some(reason) => self.left_out.update(|all| all.push(reason)),
            None => {
                self.pictures.update(|pictures| Arc::make_mut(pictures).push(entry));
                if settling::is_checkpoint(self.pictures.with_untracked(|pictures| pictures.len())) {
                    self.refresh_statistics();
                }
            }
        }
        self.run.update(|run| run.done += 1);
        if self.run.with_untracked(|run| run.is_going) {
            self.ask_for_next();
        }
    }

    /// Returns the address of a picture's thumbnail; `None` until the thumbnail has arrived.
    pub fn thumbnail(self, index: usize) -> Option<String> {
        self.thumbnails.track();
        self.files.with_value(|gallery| gallery.thumbnails.get(&index).map(|url| url.as_str().to_owned()))
    }

    /// Asks for the missing thumbnails of the visible pictures.
    pub fn ask_for_thumbnails(self, in_sight: &[usize]) {
        self.files.update_value(|gallery| gallery.in_sight = in_sight.iter().copied().collect());
        self.ask_for_missing_thumbnails();
    }

    /// Asks for the missing thumbnails of all pictures that are shown. One request has all of them, because a newer
    /// request replaces a waiting one.
    fn ask_for_missing_thumbnails(self) {
        let missing: Vec<usize> = self.files.with_value(|gallery| {
            let shown = gallery.in_sight.union(&gallery.in_other_view);
            shown.copied().filter(|index| !gallery.thumbnails.contains_key(index)).collect()
        });
        if !missing.is_empty() {
            let asked = missing.clone();
            self.core.ask(ReadThumbnails { pictures: missing }, move |_thumbnails, files| {
                self.take_thumbnails(&asked, files)
            });
        }
    }

    fn take_thumbnails(self, pictures: &[usize], files: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
        if pictures.len() != files.len() {
            return Err(UnexpectedAnswer);
        }
        self.files.update_value(|gallery| {
            let GalleryFiles { thumbnails, in_sight, in_other_view, .. } = gallery;
            if thumbnails.len() + pictures.len() > STORED_THUMBNAILS {
                thumbnails.retain(|index, _| in_sight.contains(index) || in_other_view.contains(index));
            }
            for (index, file) in pictures.iter().zip(files) {
                let url = dom::blob_of("image/jpeg", file).as_ref().and_then(ObjectUrl::of);
                thumbnails.extend(url.map(|url| (*index, url)));
            }
        });
        self.thumbnails.update(|stamp| *stamp += 1);
        Ok(())
    }

    /// Asks for the order whenever it would change.
    pub(super) fn ask_for_order(self) {
        let is_going = Memo::new(move |_| self.run.with(|run| run.is_going));
        Effect::new(move || {
            let by = match self.by.get() {
                GalleryOrder::AsAdded => None,
                GalleryOrder::Photo => self.photo.traced.get().map(|_| RankBy::Photo),
                GalleryOrder::Phrase => self.phrases.chosen.get().map(RankBy::Phrase),
            };
            let heads = match self.through.get() {
                OrderBasis::Whole => Vec::new(),
                OrderBasis::Head => self.head_map.head.get().into_iter().collect(),
                OrderBasis::Heads => self.heads.get().into_iter().collect(),
            };
            // Do not ask again for every picture of a run, but only at its end and when something else changes.
            let is_empty = self.pictures.with_untracked(|pictures| pictures.is_empty());
            is_going.track();
            match by.filter(|_| !is_empty) {
                Some(by) => self.core.ask(RankGallery { by, heads, most: MOST }, move |ranked, _buffers| {
                    self.order.set(Some(ranked.order));
                    Ok(())
                }),
                None => {
                    self.core.withdraw(TaskKind::Ranking);
                    self.order.set(None);
                }
            }
        });
    }
}

impl GalleryState {
    /// Asks for the pictures that vary most along the chosen property's heads, whenever they would change.
    pub(super) fn ask_for_outlying_pictures(self) {
        let heads = Memo::new(move |_| self.names.property().map(|property| property.heads()));
        // During a run, ask only at its end.
        let is_going = Memo::new(move |_| self.run.with(|run| run.is_going));
        let is_empty = Memo::new(move |_| self.pictures.with(|pictures| pictures.is_empty()));
        Effect::new(move || match heads.get().filter(|_| !is_empty.get() && !is_going.get()) {
            Some(heads) => {
                self.core.ask(FindOutlyingPictures { heads, most: OUTLYING }, move |found, _buffers| {
                    self.take_outlying_pictures(found.order);
                    Ok(())
                })
            }
            None => {
                self.core.withdraw(TaskKind::OutlyingPictures);
                self.files.update_value(|gallery| gallery.in_other_view.clear());
                self.outlying.set(None);
            }
        });
    }

    fn take_outlying_pictures(self, order: Vec<(usize, f32)>) {
        let shown = order.iter().map(|(index, _length)| *index).collect();
        self.files.update_value(|gallery| gallery.in_other_view = shown);
        self.outlying.set(Some(order));
        self.ask_for_missing_thumbnails();
    }
}

fn is_picture(file: &File) -> bool {
    let blob: &Blob = file;
    let name = file.name().to_lowercase();
    blob.type_().starts_with("image/") || [".heic", ".heif", ".avif", ".jxl"].iter().any(|end| name.ends_with(end))
}
