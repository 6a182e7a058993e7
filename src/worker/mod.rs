//! The compute worker: takes the page's requests one after another, and answers each.
//!
//! It is thin over [`Session`]; what it adds is the current photo, progress, and bytes that travel as
//! transferred buffers. A request that fails leaves everything else as it was. To cancel, the page ends the
//! worker.

mod completeness;
mod convert;
mod cues;
mod fetch;
mod gallery;
mod hand;
mod hands;
mod heap;
mod idle;
mod import;
mod nested;
mod report;
mod shelf;
mod sources;
mod video;

use async_channel::{Receiver, Sender};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::MessageEvent;

pub use self::heap::Heap;

use self::gallery::BrowserFile;
use self::hands::Hands;
use self::idle::Idle;
use self::report::{Reporter, now, post, said, scope};
use self::video::OpenVideo;

use crate::ablate::Ablation;
use crate::checkpoint::Pack;
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::protocol::wire::{self, Beside};
use crate::protocol::{
    Answer, DevicePreference, DeviceSummary, GREETING, OpenSeconds, PackSummary, PhotoSummary, Request, Response,
    Task, TraceSeconds, sentence,
};
use crate::segment::{self, SoftMap};
use crate::session::device::{self, Chosen};
use crate::session::gallery::Gallery;
use crate::session::{EngineError, Session, Traced};
use crate::statistics::Statistics;
use crate::zero_shot;

/// The longer side of the photo as the page shows it, in pixels.
const PREVIEW: usize = 1400;

/// An answer, and the buffers that travel with it.
type Answered = Result<(Answer, Vec<Uint8Array>), String>;

/// Serves whoever started this worker until it ends: the page as its engine, or an engine as a hand.
pub fn listen() {
    let (post, messages) = messages();
    wasm_bindgen_futures::spawn_local(async move {
        match scope().name() == hand::NAME {
            true => hand::serve(messages).await,
            false => serve(messages, Idle::new(post)).await,
        }
    });
}

/// What is posted to this worker, and how it posts to itself.
fn messages() -> (Sender<JsValue>, Receiver<JsValue>) {
    let (post, messages) = async_channel::unbounded();
    let from_outside = post.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // The channel is never closed nor full.
        let _sent = from_outside.try_send(event.data());
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    heap::explain_end();
    (post, messages)
}

/// Greets the page, and takes its requests; while there are none for a while, finds what it may ask for next.
async fn serve(messages: Receiver<JsValue>, mut idle: Idle) {
    Reporter::new(GREETING).phase("Ready");
    let mut engine = Engine::default();
    while let Ok(message) = messages.recv().await {
        idle.stop();
        if !Idle::is_nudge(&message) {
            engine.serve(&message).await;
            idle.when_quiet();
        } else if engine.work_unasked() {
            idle.go_on();
        }
    }
}

/// The open pack and the current photo.
#[derive(Default)]
struct Engine {
    session: Option<Session>,
    current: Option<Current>,
    gallery: Option<Gallery<BrowserFile>>,
    /// Why a later visit will not find the gallery.
    not_kept: Option<String>,
    video: Option<OpenVideo>,
    hands: Hands,
}

struct Current {
    name: String,
    photo: Photo,
    traced: Traced,
}

impl Engine {
    async fn serve(&mut self, message: &JsValue) {
        let (Request { id, task }, beside) = match wire::unwrap(message) {
            Ok(request) => request,
            // Without its number the request cannot be answered; the page hears it as the worker's failure.
            Err(err) => wasm_bindgen::throw_str(&err.to_string()),
        };
        let reporter = Reporter::new(id);
        heap::forget_refusal();
        let (answer, buffers) = match self.answer(task, beside, &reporter).await {
            Ok(answered) => answered,
            Err(message) => (self.failure(&message).await, Vec::new()),
        };
        post(&Response { id, answer }, Beside::of(buffers));
    }

    /// Does a little of what may be asked for, so much as a request can wait for; false where there is nothing to do.
    fn work_unasked(&mut self) -> bool {
        self.session.as_mut().is_some_and(Session::find_next_labels)
    }

    /// What the page is told of work that failed with `message`, be it the work's own fault or the device's.
    async fn failure(&self, message: &str) -> Answer {
        match &self.session {
            Some(session) if !device::works(session.backend()).await => Answer::DeviceLost,
            _ => Answer::Failed { message: sentence(message) },
        }
    }

    async fn answer(&mut self, task: Task, beside: Beside, report: &Reporter) -> Answered {
        let Beside { buffers, files } = beside;
        match task {
            Task::OpenPack { url, device } => self.open_at(&url, device, report).await,
            Task::LoadModel { source, storage, told, device } => {
                self.load_model(&source, &files, (storage, told), device, report).await
            }
            Task::TracePhoto { name, framing } => self.trace_photo(name, framing, buffers, report).await,
            Task::Reframe { framing } => self.reframe(framing, report).await,
            Task::Attribute { phrases, templates, ablation } => {
                self.attribute(&phrases, templates, &ablation).await
            }
            Task::HeadMap { layer, head, phrase, rather_than, templates } => {
                let phrases = phrase.into_iter().chain(rather_than).collect();
                self.head_map(layer, head, phrases, templates).await
            }
            Task::Segment { phrase, against, background, ablation } => {
                let (map, traced) = self.segment(&phrase, &against, background, &ablation).await?;
                let SoftMap { size, threshold, is_empty, values } = map;
                let crop_in_photo = traced.frame.crop_in_photo();
                let answer = Answer::Segmented { size, crop_in_photo, threshold, empty: is_empty };
                Ok((answer, vec![wire::buffer_of_f32(&values)]))
            }
            Task::ExportMask { phrase, against, background, ablation, threshold } => {
                let (map, traced) = self.segment(&phrase, &against, background, &ablation).await?;
                let mask = segment::mask_in_photo(&map, &traced.frame, threshold);
                let png = media::grey_png(traced.frame.photo, &mask).map_err(said)?;
                Ok((Answer::MaskPng, vec![Uint8Array::from(&png[..])]))
            }
            Task::LabelHead { layer, head, count } => {
                let session = self.session_mut()?;
                let labels = session.labels(layer, head, count).map_err(said)?;
                let images = session.statistics().map_or(0, Statistics::images);
                Ok((Answer::HeadLabels { labels, images }, Vec::new()))
            }
            Task::LabelAllHeads { count } => {
                report.phase("Labelling every head");
                let session = self.session_mut()?;
                let labels = session.labels_of_all_heads(count).map_err(said)?;
                let images = session.statistics().map_or(0, Statistics::images);
                Ok((Answer::AllHeadLabels { labels, images }, Vec::new()))
            }
            Task::UsePool { lines } => self.use_pool(&lines, report).await,
            Task::UseStatistics { source } => self.use_statistics(source, &buffers),
            Task::OpenGallery => self.open_gallery().await,
            Task::AddToGallery { entry, next } => self.add_to_gallery(entry, next, &files).await,
            Task::KeepGallery => self.keep_gallery(),
            Task::Thumbnails { pictures } => self.thumbnails(&pictures),
            Task::FindCues { pictures, prompts } => self.find_cues(&pictures, &prompts).await,
            Task::MeasureCompleteness { classes } => self.measure_completeness(classes, report).await,
            Task::RankGallery { by, heads, most } => self.rank_gallery(by, heads, most).await,
            Task::ClearGallery => self.clear_gallery(),
            Task::Video(task) => self.answer_video(task, files, report).await,
        }
    }

    /// Opens the pack in the folder `url`.
    async fn open_at(&mut self, url: &str, device: DevicePreference, report: &Reporter) -> Answered {
        let (pack, download) = fetched(url, report).await?;
        let chosen = choose(device, report).await?;
        self.open_fetched(pack, (download, fetch::folder(url)), (device, chosen), report).await
    }

    /// Opens a pack that came from `folder`.
    async fn open_fetched(
        &mut self,
        pack: Pack,
        (download, folder): (f64, String),
        (device, chosen): (DevicePreference, Chosen),
        report: &Reporter,
    ) -> Answered {
        match self.open(pack, chosen, (download, Some(folder.clone())), report).await {
            Err(EngineError::GpuRefused(_reason)) if device == DevicePreference::Auto => {
                self.open_on_cpu(&folder, report).await
            }
            answered => answered.map_err(said),
        }
    }

    /// Opens the pack in the folder `url`, which the GPU has refused.
    async fn open_on_cpu(&mut self, url: &str, report: &Reporter) -> Answered {
        let (pack, download) = fetched(url, report).await?;
        let chosen = Chosen::cpu("the GPU refused this model, maybe for want of memory");
        self.open(pack, chosen, (download, Some(fetch::folder(url))), report).await.map_err(said)
    }

    /// Opens a pack in place of any other. `download` is the seconds that it took to get it, `folder` where it is
    /// kept.
    async fn open(
        &mut self,
        pack: Pack,
        chosen: Chosen,
        (download, folder): (f64, Option<String>),
        report: &Reporter,
    ) -> Result<(Answer, Vec<Uint8Array>), EngineError> {
        let start = now();
        report.phase("Loading the model");
        let (session, device) = chosen.open(pack).await?;
        let seconds = OpenSeconds { download, load: now() - start };
        let summary = summary(&session, device, seconds);
        self.current = None;
        self.gallery = None;
        self.video = None;
        self.hands = Hands::of(&session, folder);
        self.session = Some(session);
        device::let_go();
        Ok((Answer::PackOpened(summary), Vec::new()))
    }

    async fn trace_photo(
        &mut self,
        name: String,
        framing: Framing,
        buffers: Vec<Uint8Array>,
        report: &Reporter,
    ) -> Answered {
        let start = now();
        report.phase("Reading the photo");
        let bytes = buffers.first().map(Uint8Array::to_vec).unwrap_or_default();
        let photo = media::decode(&name, &bytes).await.map_err(said)?;
        drop(bytes);
        let decode = now() - start;
        let (traced, encode) = run_model(self.session()?, &photo, framing, report).await?;
        self.current = Some(Current { name, photo, traced });
        self.photo_traced(framing, TraceSeconds { decode, encode })
    }

    async fn reframe(&mut self, framing: Framing, report: &Reporter) -> Answered {
        let (session, Current { photo, traced, .. }) = self.both_mut()?;
        let (new, encode) = run_model(session, photo, framing, report).await?;
        *traced = new;
        self.photo_traced(framing, TraceSeconds { decode: 0.0, encode })
    }

    /// What the page is told of the current photo.
    fn photo_traced(&mut self, framing: Framing, seconds: TraceSeconds) -> Answered {
        let (session, Current { name, photo, traced }) = self.both_mut()?;
        let (preview, rgba) = media::preview(photo, PREVIEW).map_err(said)?;
        let summary = PhotoSummary {
            name: name.clone(),
            photo: photo.size,
            preview,
            framing,
            crop_in_photo: traced.frame.crop_in_photo(),
            grid: traced.trace.grid,
            residual: session.decompose(traced).residual(),
            seconds,
        };
        Ok((Answer::PhotoTraced(summary), vec![Uint8Array::from(&rgba[..])]))
    }

    async fn attribute(&mut self, phrases: &[String], templates: bool, ablation: &Ablation) -> Answered {
        let (session, current) = self.both()?;
        let units = session.embed(phrases, templates).await.map_err(said)?;
        let attribution = session.attribute(&current.traced, phrases, &units, ablation).map_err(said)?;
        Ok((Answer::Attributed(attribution), Vec::new()))
    }

    /// `phrases`: none, one, or one and what it is held against.
    async fn head_map(&mut self, layer: usize, head: usize, phrases: Vec<String>, templates: bool) -> Answered {
        let (session, current) = self.both()?;
        let units = session.embed(&phrases, templates).await.map_err(said)?;
        let text = units.into_iter().reduce(|text, other| zero_shot::difference(&text, &other));
        let traced = &current.traced;
        let map = session.head_map(traced, layer, head, text.as_deref()).map_err(said)?;
        let answer = Answer::HeadMap { grid: traced.trace.grid, crop_in_photo: traced.frame.crop_in_photo() };
        Ok((answer, vec![wire::buffer_of_f32(&map)]))
    }

    async fn segment(
        &mut self,
        phrase: &str,
        against: &[String],
        background: bool,
        ablation: &Ablation,
    ) -> Result<(SoftMap, &Traced), String> {
        let (session, current) = self.both()?;
        let mut texts = vec![phrase.to_owned()];
        texts.extend(Session::contrast(phrase, against, background));
        let units = session.embed(&texts, false).await.map_err(said)?;
        let (text, contrast) = units.split_first().ok_or_else(|| said(EngineError::NoPhoto))?;
        let map = session.segment(&current.traced, text, contrast, ablation).map_err(said)?;
        Ok((map, &current.traced))
    }

    fn session(&self) -> Result<&Session, String> {
        self.session.as_ref().ok_or_else(|| said(EngineError::NoPack))
    }

    fn session_mut(&mut self) -> Result<&mut Session, String> {
        self.session.as_mut().ok_or_else(|| said(EngineError::NoPack))
    }

    fn both(&mut self) -> Result<(&mut Session, &Current), String> {
        self.both_mut().map(|(session, current)| (session, &*current))
    }

    fn both_mut(&mut self) -> Result<(&mut Session, &mut Current), String> {
        let session = self.session.as_mut().ok_or_else(|| said(EngineError::NoPack))?;
        let current = self.current.as_mut().ok_or_else(|| said(EngineError::NoPhoto))?;
        Ok((session, current))
    }
}

/// The pack in the folder `url`, and the seconds that it took to come.
async fn fetched(url: &str, report: &Reporter) -> Result<(Pack, f64), String> {
    let start = now();
    let pack = fetch::pack(url, |done, total| report.bytes("Fetching the model", done, total));
    Ok((pack.await.map_err(said)?, now() - start))
}

async fn choose(preference: DevicePreference, report: &Reporter) -> Result<Chosen, String> {
    report.phase("Choosing a device");
    device::choose(preference).await.map_err(said)
}

/// Shows the model a photo; the answer has the seconds that it took.
async fn run_model(
    session: &Session,
    photo: &Photo,
    framing: Framing,
    report: &Reporter,
) -> Result<(Traced, f64), String> {
    let start = now();
    report.phase("Running the model");
    let traced = session.trace(photo, framing).await.map_err(said)?;
    Ok((traced, now() - start))
}

fn summary(session: &Session, device: DeviceSummary, seconds: OpenSeconds) -> PackSummary {
    let manifest = session.manifest();
    let vision = &manifest.model.vision;
    PackSummary {
        name: manifest.name.clone(),
        description: manifest.description.clone(),
        licence: manifest.licence.clone(),
        layers: vision.layers,
        heads: vision.heads,
        width: vision.width,
        patch: vision.patch,
        image_size: vision.image_size,
        embedding: manifest.model.embedding,
        has_text: session.has_text(),
        bytes: manifest.bytes(),
        weights: manifest.weights_hash().to_owned(),
        model: manifest.model_hash(),
        stored_as: convert::stored_as(manifest.quantisation),
        storages: convert::storages(manifest),
        memory: convert::memory(manifest),
        unkept: None,
        parameters: manifest.parameters(),
        statistics_images: session.statistics().map_or(0, Statistics::images),
        pool_lines: session.pool().map_or(0, |pool| pool.lines.len()),
        device,
        seconds,
    }
}
