//! The current photo, and the requests that open another photo.

use std::collections::VecDeque;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::web_sys::{Blob, ImageData};

use crate::geometry::{Framing, PhotoRect, Size};
use crate::page::common::browser::dom;
use crate::page::core::browser::core::{Core, Outcome};
use crate::page::photo::raster::Placement;
use crate::protocol::wire::Attachments;
use crate::protocol::{PhotoSummary, Reframe, Task, TaskKind, TracePhoto, UnexpectedAnswer, sentence};
use crate::text::units;

/// The number of photos from the person's machine that the page keeps for the Back button.
const MACHINE_PHOTOS: usize = 12;

/// The source of a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An address, for example of a sample.
    Url(String),
    /// The person's machine. The number identifies the photo.
    Machine(u32),
}

/// The current photo.
#[derive(Clone, Debug)]
pub struct OpenPhoto {
    /// Identifies the trace.
    pub number: u32,
    pub origin: Origin,
    pub summary: PhotoSummary,
    /// RGBA pixels, of the size `summary.preview`.
    pub pixels: ImageData,
}

impl OpenPhoto {
    /// Returns the position on this photo of a map of `map` pixels that covers `frame`.
    pub fn placement(&self, frame: PhotoRect, map: Size) -> Placement {
        Placement { photo: self.summary.photo, preview: self.summary.preview, frame, map }
    }
}

/// A photo's file, which can be read again.
#[derive(Clone)]
struct Source {
    name: String,
    blob: Blob,
    origin: Origin,
}

#[derive(Default)]
struct Inner {
    /// Increases with every photo that is opened. If two photos are read at the same time, the later one is shown.
    openings: u32,
    /// The photo that the worker was last asked for, with its number in `openings`, until the answer arrives.
    asked: Option<(u32, Source)>,
    /// The last photo that was traced without an error.
    last: Option<Source>,
    /// Photos from the person's machine that Back and Forward can lead to, the latest last.
    machine_photos: VecDeque<Source>,
}

/// The current photo.
#[derive(Clone, Copy)]
pub struct PhotoState {
    core: Core,
    pub photo: RwSignal<Option<OpenPhoto>, LocalStorage>,
    /// Whether the results on screen were precomputed, and not computed on this machine.
    pub is_precomputed: RwSignal<bool>,
    /// The number of the worker's current photo; `None` if the worker is new.
    pub traced: RwSignal<Option<u32>>,
    /// The part of the photo that the person wants explained.
    pub framing: RwSignal<Framing>,
    inner: StoredValue<Inner, LocalStorage>,
}

impl PhotoState {
    pub fn new(core: Core, framing: Framing) -> Self {
        let state = Self {
            core,
            photo: RwSignal::new_local(None),
            is_precomputed: RwSignal::default(),
            traced: RwSignal::default(),
            framing: RwSignal::new(framing),
            inner: StoredValue::new_local(Inner::default()),
        };
        // If a photo was being traced, the new worker continues with this photo.
        core.when_device_lost(move || {
            state.inner.update_value(|inner| {
                if let Some((_, source)) = inner.asked.take() {
                    inner.last = Some(source);
                }
            });
        });
        core.when_starting(move || {
            state.inner.update_value(|inner| inner.asked = None);
            state.traced.set(None);
        });
        state
    }

    /// Returns the current photo's number.
    pub fn number(self) -> Option<u32> {
        self.photo.with(|photo| photo.as_ref().map(|photo| photo.number))
    }

    /// Returns the current photo's name.
    pub fn name(self) -> Option<String> {
        self.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.name.clone()))
    }

    /// Opens a photo that the user chose, dropped or pasted.
    pub fn open_file(self, name: String, blob: Blob) {
        // The number is random and not counted: an entry of the browser's history can outlive this page, and must not
        // lead to another photo of the next page.
        let origin = Origin::Machine((js_sys::Math::random() * f64::from(u32::MAX)) as u32);
        self.open_source(Source { name, blob, origin });
    }

    /// Opens the picture at an address.
    pub fn open_address(self, url: String) {
        let name = units::file_of_url(&url);
        self.open(name.clone(), async move {
            let blob = dom::fetch(&name, &url).await?;
            Ok(Source { name, blob, origin: Origin::Url(url) })
        });
    }

    /// Opens the last photo again. Returns whether there was one.
    pub fn open_last(self) -> bool {
        let last = self.inner.with_value(|inner| inner.last.clone());
        let has_last = last.is_some();
        last.into_iter().for_each(|source| self.open_source(source));
        has_last
    }

    /// Opens an earlier photo of the person's machine by its number. Returns whether the page still has it.
    pub fn open_machine_photo(self, number: u32) -> bool {
        let wanted = Origin::Machine(number);
        let known = self
            .inner
            .with_value(|inner| inner.machine_photos.iter().find(|source| source.origin == wanted).cloned());
        let is_known = known.is_some();
        known.into_iter().for_each(|source| self.open_source(source));
        is_known
    }

    /// Returns whether a photo is being read, or waits for the worker.
    pub fn is_awaited(self) -> bool {
        self.core.reading.get_untracked() > 0 || self.core.is_waiting(TaskKind::Photo)
    }

    /// Changes the part of the photo that the model sees.
    pub fn frame(self, framing: Framing) {
        self.framing.set(framing);
        // A waiting photo gets the new framing.
        let is_waiting = self.core.change_waiting(TaskKind::Photo, |task| match task {
            Task::TracePhoto(task) => {
                task.framing = framing;
                true
            }
            _ => false,
        });
        if is_waiting != Some(true) && self.traced.get_untracked().is_some() {
            self.core.ask_for_outcome(Reframe { framing }, Attachments::default(), move |outcome| match outcome {
                Ok((summary, buffers)) => self.take(summary, &buffers),
                Err(message) => {
                    let framing =
                        self.photo.with_untracked(|photo| photo.as_ref().map(|photo| photo.summary.framing));
                    framing.into_iter().for_each(|framing| self.framing.set(framing));
                    self.core.complain(TaskKind::Photo, message);
                    Ok(())
                }
            });
        }
    }

    /// Opens the photo of `leader` with the same framing, unless this photo and framing are open or on their way.
    pub fn follow(self, leader: Self) {
        let Some(source) = leader.inner.with_value(|inner| inner.last.clone()) else { return };
        let framing = leader.framing.get_untracked();
        // A new worker has no photo, although one was traced before.
        let has_photo = self.traced.get_untracked().is_some();
        let is_open = self.inner.with_value(|inner| {
            let asked = inner.asked.as_ref().map(|(_, source)| source);
            let open = asked.or_else(|| inner.last.as_ref().filter(|_| has_photo));
            open.is_some_and(|open| open.origin == source.origin)
        });
        if !is_open {
            self.framing.set(framing);
            self.open_source(source);
        } else if self.framing.get_untracked() != framing {
            self.frame(framing);
        }
    }

    /// Forgets the photo, as if none had been opened.
    pub fn forget(self) {
        // A file that is being read is dropped when it has been read.
        self.inner.update_value(|inner| *inner = Inner { openings: inner.openings + 1, ..Inner::default() });
        self.photo.set(None);
        self.traced.set(None);
    }

    fn open_source(self, source: Source) {
        self.open(source.name.clone(), async move { Ok(source) });
    }

    fn open(self, name: String, source: impl Future<Output = Result<Source, dom::ReadError>> + 'static) {
        self.inner.update_value(|inner| inner.openings += 1);
        let opening = self.inner.with_value(|inner| inner.openings);
        self.core.while_reading(async move {
            let read = async {
                let source = source.await?;
                let bytes = dom::bytes_of(&name, &source.blob).await?;
                Ok::<_, dom::ReadError>((source, bytes))
            };
            match read.await {
                // A later photo was opened in the meantime.
                _ if self.inner.with_value(|inner| inner.openings) != opening => {}
                Ok((source, bytes)) => self.ask_to_trace(opening, source, bytes),
                Err(err) => self.core.complain(TaskKind::Photo, sentence(&err.to_string())),
            }
        });
    }

    fn ask_to_trace(self, opening: u32, source: Source, bytes: Uint8Array) {
        let task = TracePhoto { name: source.name.clone(), framing: self.framing.get_untracked() };
        self.inner.update_value(|inner| inner.asked = Some((opening, source.clone())));
        self.core.ask_for_outcome(task, Attachments::of(vec![bytes]), move |outcome| {
            self.take_traced(opening, source, outcome)
        });
    }

    fn take_traced(
        self,
        opening: u32,
        source: Source,
        outcome: Outcome<PhotoSummary>,
    ) -> Result<(), UnexpectedAnswer> {
        self.inner.update_value(|inner| {
            inner.asked.take_if(|(asked, _)| *asked == opening);
        });
        match outcome {
            Ok((summary, buffers)) => {
                self.inner.update_value(|inner| inner.last = Some(source));
                self.take(summary, &buffers)
            }
            Err(message) => {
                self.core.complain(TaskKind::Photo, message);
                Ok(())
            }
        }
    }

    fn take(self, summary: PhotoSummary, buffers: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
        let pixels = buffers.first().and_then(|rgba| dom::image_of_buffer(rgba, summary.preview));
        let pixels = pixels.ok_or(UnexpectedAnswer)?;
        let number = self.core.next_number();
        if !self.core.is_waiting(TaskKind::Photo) {
            self.framing.set(summary.framing);
        }
        let origin = self.inner.with_value(|inner| inner.last.as_ref().map(|source| source.origin.clone()));
        let origin = origin.ok_or(UnexpectedAnswer)?;
        self.remember_machine_photo();
        self.is_precomputed.set(false);
        self.photo.set(Some(OpenPhoto { number, origin, summary, pixels }));
        self.traced.set(Some(number));
        Ok(())
    }

    /// Keeps the current photo for the Back button, if the photo has no address.
    fn remember_machine_photo(self) {
        self.inner.update_value(|inner| {
            let Some(source) = inner.last.clone() else { return };
            let is_known = inner.machine_photos.iter().any(|known| known.origin == source.origin);
            if is_known || !matches!(source.origin, Origin::Machine(_)) {
                return;
            }
            inner.machine_photos.push_back(source);
            if inner.machine_photos.len() > MACHINE_PHOTOS {
                inner.machine_photos.pop_front();
            }
        });
    }
}
