//! The gallery's work: the page hands the worker one picture after another, so that to cancel is to stop, and
//! everything that a person asks for goes in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::web_sys::{Blob, File};

use super::state::{Order, Run, Through};
use crate::page::common::browser::dom::{self, ObjectUrl};
use crate::page::core::browser::answers::Unfitting;
use crate::page::core::browser::engine::{Engine, Freight, ahead};
use crate::page::core::browser::state::StatisticsOf;
use crate::page::core::queue::Kind;
use crate::protocol::{
    AHEAD, AddToGallery, Answer, ClearGallery, GalleryEntry, GalleryGrown, GalleryOpened, KeepGallery,
    OpenGallery, RankBy, RankGallery, ReadThumbnails, StatisticsSource, Task,
};

/// Pictures that are shown of an order.
const MOST: usize = 500;

/// Thumbnails that are held; of more, those out of sight go.
const HELD: usize = 400;

/// The files behind the gallery, and its thumbnails.
#[derive(Default)]
pub struct GalleryFiles {
    to_do: VecDeque<(GalleryEntry, File)>,
    /// Files of this visit, so that a picture can be opened.
    files: BTreeMap<GalleryEntry, File>,
    thumbnails: BTreeMap<usize, ObjectUrl>,
    /// Pictures whose tiles are in sight.
    in_sight: BTreeSet<usize>,
}

fn entry_of(file: &File) -> GalleryEntry {
    let path = js_sys::Reflect::get(file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
    let name = path.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
    GalleryEntry { name, bytes: file.size() as u64, modified: file.last_modified() as u64 }
}

impl Engine {
    pub(in crate::page) fn open_gallery(self) {
        self.want(OpenGallery, Freight::default());
    }

    /// Whether the gallery is yet to be opened, or forgotten: the answer tells what is in it.
    fn awaits_gallery(self) -> bool {
        self.inner.with_value(|inner| inner.queue.has(Kind::Gallery))
    }

    /// Takes picture files into the gallery, those that are new.
    pub fn add_to_gallery(self, files: Vec<File>) {
        // What is on screen of a gallery that is awaited, or is to be with another model, says nothing of it.
        let is_awaited = self.awaits_gallery() || self.inner.with_value(|inner| inner.queue.has(Kind::Pack));
        let known: BTreeSet<GalleryEntry> = match is_awaited {
            true => BTreeSet::new(),
            false => self.state.gallery.pictures.with_untracked(|pictures| pictures.iter().cloned().collect()),
        };
        let mut added = 0;
        self.inner.update_value(|inner| {
            for file in files.into_iter().filter(is_picture) {
                let entry = entry_of(&file);
                let is_new =
                    !known.contains(&entry) && inner.gallery.to_do.iter().all(|(other, _)| *other != entry);
                inner.gallery.files.insert(entry.clone(), file.clone());
                if is_new {
                    inner.gallery.to_do.push_back((entry, file));
                    added += 1;
                }
            }
        });
        let run = self.state.gallery.run;
        if run.with_untracked(|run| !run.is_going && run.done == run.total) {
            self.state.gallery.left_out.set(Vec::new());
            run.set(Run::default());
        }
        run.update(|run| run.total += added);
        self.go_on_with_gallery();
    }

    /// Begins or goes on to look at the pictures in line.
    pub fn go_on_with_gallery(self) {
        let (run, now) = (self.state.gallery.run, js_sys::Date::now());
        if run.with_untracked(|run| !run.is_going && run.done < run.total) {
            // The time left is told by what is done from here on.
            run.update(|run| {
                *run = Run { done: 0, total: run.total - run.done, start: now, is_going: true };
            });
            self.next_picture();
        }
    }

    /// Stops after the picture under way; what is done stays, and the rest waits.
    pub fn pause_gallery(self) {
        self.state.gallery.run.update(|run| run.is_going = false);
        self.withdraw(Kind::GalleryPicture);
        self.want(KeepGallery, Freight::default());
    }

    /// Forgets the gallery and what is in line for it.
    pub fn clear_gallery(self) {
        self.withdraw(Kind::GalleryPicture);
        self.inner.update_value(|inner| inner.gallery = GalleryFiles::default());
        self.state.gallery.run.set(Run::default());
        self.state.gallery.by.set(Order::AsAdded);
        if matches!(self.state.statistics_of.get_untracked(), StatisticsOf::Gallery(_)) {
            self.use_statistics(StatisticsSource::Pack);
        }
        self.want(ClearGallery, Freight::default());
    }

    /// Opens one of the gallery's pictures as the photo.
    pub fn open_picture(self, index: usize) {
        let Some(entry) = self.state.gallery.pictures.with_untracked(|all| all.get(index).cloned()) else {
            return;
        };
        match self.inner.with_value(|inner| inner.gallery.files.get(&entry).cloned()) {
            Some(file) => self.open_photo(file.name(), file.into()),
            None => self.complain(
                Kind::Photo,
                format!("{} is not at hand: choose its folder again, and click it then.", entry.name),
            ),
        }
    }

    fn next_picture(self) {
        // The picture under way is still in line, and its answer asks for the next.
        if self.inner.with_value(|inner| inner.queue.under_way() == Some(Kind::GalleryPicture)) {
            return;
        }
        let line = self.inner.with_value(|inner| {
            let in_line = inner.gallery.to_do.iter().take(1 + ahead(AHEAD));
            in_line.map(|(entry, file)| (entry.clone(), Blob::from(file.clone()))).collect::<Vec<_>>()
        });
        let (mut next, files): (VecDeque<GalleryEntry>, Vec<Blob>) = line.into_iter().unzip();
        match next.pop_front() {
            Some(entry) => {
                self.want(AddToGallery { entry, next: next.into() }, Freight::of_files(files));
            }
            None => {
                self.state.gallery.run.update(|run| run.is_going = false);
                self.want(KeepGallery, Freight::default());
            }
        }
    }

    pub(in crate::page) fn take_gallery(self, task: Task, answer: Answer) {
        match (task, answer) {
            (_, Answer::GalleryOpened(GalleryOpened { pictures, not_kept })) => {
                self.take_whole_gallery(pictures, not_kept)
            }
            // It is in a gallery that is about to be forgotten.
            (Task::AddToGallery(_), _) if self.awaits_gallery() => {}
            (Task::AddToGallery(AddToGallery { entry, .. }), Answer::GalleryGrown(GalleryGrown { left_out })) => {
                self.take_picture(entry, left_out);
            }
            // The labels rest on as many pictures as there are now.
            _ if matches!(self.state.statistics_of.get_untracked(), StatisticsOf::Gallery(_)) => {
                self.use_statistics(StatisticsSource::Gallery);
            }
            _ => {}
        }
    }

    fn take_whole_gallery(self, pictures: Vec<GalleryEntry>, not_kept: Option<String>) {
        let gallery = self.state.gallery;
        self.leave_known_ones_out(&pictures);
        self.forget_thumbnails();
        gallery.order.set(None);
        gallery.pictures.set(Arc::new(pictures));
        gallery.not_kept.set(not_kept);
        if gallery.run.with_untracked(|run| run.is_going) {
            self.next_picture();
        }
    }

    /// Takes what the gallery has out of the line: it may have been chosen before the gallery was open.
    fn leave_known_ones_out(self, pictures: &[GalleryEntry]) {
        let known: BTreeSet<&GalleryEntry> = pictures.iter().collect();
        self.withdraw(Kind::GalleryPicture);
        let mut left = 0;
        self.inner.update_value(|inner| {
            inner.gallery.to_do.retain(|(entry, _)| !known.contains(entry));
            left = inner.gallery.to_do.len();
        });
        self.state.gallery.run.update(|run| run.total = run.done + left);
    }

    /// Another gallery's pictures have the same indices.
    fn forget_thumbnails(self) {
        self.withdraw(Kind::Thumbnails);
        self.inner.update_value(|inner| inner.gallery.thumbnails.clear());
        self.state.gallery.thumbnails.update(|stamp| *stamp += 1);
    }

    fn take_picture(self, entry: GalleryEntry, left_out: Option<String>) {
        let gallery = self.state.gallery;
        self.inner.update_value(|inner| {
            inner.gallery.to_do.retain(|(other, _)| *other != entry);
        });
        match left_out {
            Some(reason) => gallery.left_out.update(|all| all.push(reason)),
            None => gallery.pictures.update(|pictures| Arc::make_mut(pictures).push(entry)),
        }
        gallery.run.update(|run| run.done += 1);
        if gallery.run.with_untracked(|run| run.is_going) {
            self.next_picture();
        }
    }

    /// A full disk, or a device that failed: the rest waits.
    pub(in crate::page) fn take_gallery_failure(self, message: String) {
        self.state.gallery.run.update(|run| run.is_going = false);
        self.complain(Kind::GalleryPicture, message);
    }

    /// The address of a picture's thumbnail; where it is not at hand it will come.
    pub fn thumbnail(self, index: usize) -> Option<String> {
        self.state.gallery.thumbnails.track();
        self.inner.with_value(|inner| inner.gallery.thumbnails.get(&index).map(|url| url.as_str().to_owned()))
    }

    /// Asks for the thumbnails of the pictures in sight that are not at hand.
    pub fn want_thumbnails(self, in_sight: &[usize]) {
        let mut missing: Vec<usize> = in_sight.to_vec();
        self.inner.update_value(|inner| {
            inner.gallery.in_sight = in_sight.iter().copied().collect();
            missing.retain(|index| !inner.gallery.thumbnails.contains_key(index));
        });
        if !missing.is_empty() {
            self.want(ReadThumbnails { pictures: missing }, Freight::default());
        }
    }

    pub(in crate::page) fn take_thumbnails(
        self,
        pictures: &[usize],
        files: &[Uint8Array],
    ) -> Result<(), Unfitting> {
        if pictures.len() != files.len() {
            return Err(Unfitting);
        }
        self.inner.update_value(|inner| {
            let GalleryFiles { thumbnails: held, in_sight, .. } = &mut inner.gallery;
            if held.len() + pictures.len() > HELD {
                held.retain(|index, _| in_sight.contains(index));
            }
            for (index, file) in pictures.iter().zip(files) {
                let url = dom::blob_of("image/jpeg", file).as_ref().and_then(ObjectUrl::of);
                held.extend(url.map(|url| (*index, url)));
            }
        });
        self.state.gallery.thumbnails.update(|stamp| *stamp += 1);
        Ok(())
    }

    /// Orders the gallery anew whenever what it is ordered by changes.
    pub(in crate::page) fn follow_gallery(self) {
        let (state, gallery) = (self.state, self.state.gallery);
        let is_going = Memo::new(move |_| gallery.run.with(|run| run.is_going));
        Effect::new(move || {
            let by = match gallery.by.get() {
                Order::AsAdded => None,
                Order::Photo => state.traced.get().map(|_| RankBy::Photo),
                Order::Phrase => state.chosen.get().map(RankBy::Phrase),
            };
            let heads = match gallery.through.get() {
                Through::Whole => Vec::new(),
                Through::Head => state.head.get().into_iter().collect(),
                Through::Heads => gallery.heads.get().into_iter().collect(),
            };
            // Not with every picture of a run: at its end, and when something else changes.
            let is_empty = gallery.pictures.with_untracked(|pictures| pictures.is_empty());
            is_going.track();
            match by.filter(|_| !is_empty) {
                Some(by) => self.want(RankGallery { by, heads, most: MOST }, Freight::default()),
                None => {
                    self.withdraw(Kind::Ranking);
                    gallery.order.set(None);
                }
            }
        });
    }
}

fn is_picture(file: &File) -> bool {
    let blob: &Blob = file;
    let name = file.name().to_lowercase();
    blob.type_().starts_with("image/") || [".heic", ".heif", ".avif", ".jxl"].iter().any(|end| name.ends_with(end))
}
