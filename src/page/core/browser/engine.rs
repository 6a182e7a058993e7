//! What the page asks of the worker. Where the answers go is in [`super::answers`].
//!
//! Views change [`State`]; effects here turn each change into wanted work; the [`Queue`] sees to it that the
//! worker has one piece at a time, the latest of its kind.

use std::collections::VecDeque;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::{spawn_local, tick};
use leptos::web_sys::{Blob, File};

use crate::geometry::Framing;
use crate::page::common::browser::dom;
use crate::page::core::browser::client::{Client, Report};
use crate::page::core::browser::state::{EngineState, Notice, Origin, State, StatisticsOf};
use crate::page::core::queue::{Kind, Queue};
use crate::page::gallery::browser::requests::GalleryFiles;
use crate::page::photo::phrase_list;
use crate::page::photo::raster::HeadMapKind;
use crate::page::shell::address::{Address, ModelAddress};
use crate::page::shell::browser::beforehand;
use crate::page::shell::browser::history::{Wishes, is_kept_here_only};
use crate::page::shell::browser::samples;
use crate::protocol::wire::Attachments;
use crate::protocol::{
    Answer, Attribute, DevicePreference, ExportMask, LabelAllHeads, LabelHead, LoadModel, MapHead, ModelSource,
    OpenPack, Reframe, Segment, StatisticsSource, Storage, Task, Told, TracePhoto, UsePool, UseStatistics,
    sentence,
};
use crate::text::units;

/// Texts to ask for per head.
const LABELS: usize = 10;

/// The texts that come with headlamp.
const DEFAULT_POOL: &str = "packs/default/pool.txt";

/// What travels with a request.
#[derive(Default)]
pub(in crate::page) struct Freight {
    buffers: Vec<Uint8Array>,
    /// Files that the worker reads itself.
    files: Vec<Blob>,
    /// The photo that the buffers were read from, so that it can be read again.
    pub(in crate::page) source: Option<Source>,
}

impl Freight {
    pub(in crate::page) fn of_files(files: Vec<Blob>) -> Self {
        Self { files, ..Self::default() }
    }
}

/// What travelled with the request under way.
#[derive(Default)]
pub(in crate::page) struct UnderWay {
    pub source: Option<Source>,
    pub files: Vec<Blob>,
}

/// How the open model was opened, so that another worker can open it too.
#[derive(Clone)]
pub(in crate::page) struct Opened {
    pub task: Task,
    pub files: Vec<Blob>,
}

/// A photo that can be read again.
#[derive(Clone)]
pub(in crate::page) struct Source {
    pub name: String,
    pub blob: Blob,
    pub origin: Origin,
}

#[derive(Default)]
pub(in crate::page) struct Inner {
    client: Option<Client>,
    is_listening: bool,
    pub(in crate::page) queue: Queue<Freight>,
    pub(in crate::page) under_way: UnderWay,
    /// The last model that went well.
    pub(in crate::page) opened: Option<Opened>,
    /// The last photo that went well.
    pub(in crate::page) last_source: Option<Source>,
    /// Photos of the person's machine that Back and Forward may lead to, the latest last.
    pub(in crate::page) machine_photos: VecDeque<Source>,
    /// What an address asks for, until there is something to do it to.
    pub(in crate::page) wishes: Option<Wishes>,
    /// The threshold of an address, until its segmentation has come.
    pub(in crate::page) wished_threshold: Option<Option<f32>>,
    /// The mask that the page around an embedded one wants.
    pub(in crate::page) sent_mask: Option<Uint8Array>,
    /// What of an address cannot be had, until everything else of it is there.
    pub(in crate::page) unheard: Vec<String>,
    pub(in crate::page) own_pool: Vec<String>,
    /// Grows with every photo that is opened, so that of two slow ones the latter wins.
    openings: u32,
    /// Grows with every trace, attribution and segmentation.
    pub(in crate::page) stamp: u32,
    /// Number of the open video, as it is sampled; and of the one being opened.
    pub(in crate::page) reel: u32,
    pub(in crate::page) opening_reel: u32,
    /// Runs of masks with a lower number were forgotten.
    pub(in crate::page) started_over: u32,
    pub(in crate::page) gallery: GalleryFiles,
    /// When the worker was last heard or given work, in milliseconds of the page's clock.
    pub(in crate::page) heard: f64,
    /// How often the device was lost.
    pub(in crate::page) losses: u32,
}

/// A handle on the engine, for views.
#[derive(Clone, Copy)]
pub struct Engine {
    pub(in crate::page) state: State,
    pub(in crate::page) inner: StoredValue<Inner, LocalStorage>,
}

impl Engine {
    pub fn new(state: State) -> Self {
        let engine = Self { state, inner: StoredValue::new_local(Inner::default()) };
        engine.follow_state();
        engine.follow_video();
        engine.follow_gallery();
        engine.watch();
        engine
    }

    /// Starts a worker, ending any other, and opens the model that was open; at first the one that the address names.
    pub fn start(self) {
        // None where the model came from a file: no server has it.
        let model = self.state.model.get_untracked();
        let folder = model.as_ref().and_then(folder_to_fetch);
        let client = Client::start(folder, move |report| self.hear(report));
        self.inner.update_value(|inner| {
            inner.queue.clear();
            inner.is_listening = false;
        });
        self.state.engine.set(EngineState::Opening);
        self.state.traced.set(None);
        self.state.notice.set(None);
        self.state.progress.set(None);
        self.state.statistics_of.set(StatisticsOf::Pack);
        match client {
            Ok(client) => self.inner.update_value(|inner| inner.client = Some(client)),
            Err(err) => return self.stop(sentence(&err.to_string())),
        }
        match self.inner.with_value(|inner| inner.opened.clone()) {
            Some(opened) => self.open_again(opened),
            None => self.open_model(model.unwrap_or_default()),
        }
        if let Some(sample) = self.first_sample() {
            beforehand::show(self, self.state, sample);
        }
    }

    /// The sample that is the first photo, where one is.
    fn first_sample(self) -> Option<&'static samples::Sample> {
        match self.wished_photo() {
            None => samples::SAMPLES.first().filter(|_| !self.state.is_embedded),
            Some(Origin::Url(url)) => samples::SAMPLES.iter().find(|sample| sample.url() == url),
            Some(Origin::Machine(_)) => None,
        }
    }

    /// Opens a model just as it was opened before, on the device that is wanted now.
    fn open_again(self, Opened { mut task, files }: Opened) {
        if let Task::OpenPack(OpenPack { device, .. }) | Task::LoadModel(LoadModel { device, .. }) = &mut task {
            *device = self.device_preference();
        }
        self.want(task, Freight::of_files(files));
    }

    /// Opens the model at an address in place of any other.
    pub fn open_model(self, model: ModelAddress) {
        match model {
            ModelAddress::Folder(folder) => self.open_kept(folder),
            ModelAddress::Hub(repository) => {
                let source = ModelSource::Hub { repository, hub: None };
                self.load_model(source, Vec::new(), Storage::default(), Told::default());
            }
        }
    }

    /// Opens a photo that the user chose, dropped or pasted.
    pub fn open_photo(self, name: String, blob: Blob) {
        // Drawn rather than counted: an entry of the browser's history outlives this page, and leads to no photo of
        // the next.
        let origin = Origin::Machine((js_sys::Math::random() * f64::from(u32::MAX)) as u32);
        self.open_source(Source { name, blob, origin });
    }

    /// Opens a photo that was open before.
    pub(in crate::page) fn open_source(self, source: Source) {
        self.open(source.name.clone(), async move { Ok(source) });
    }

    /// Opens one of the samples.
    pub fn open_sample(self, sample: &'static samples::Sample) {
        beforehand::show(self, self.state, sample);
        self.open_address(sample.url());
    }

    /// Opens the picture at an address.
    pub fn open_address(self, url: String) {
        let name = units::file_of_url(&url);
        self.open(name.clone(), async move {
            let blob = dom::fetch(&name, &url).await?;
            Ok(Source { name, blob, origin: Origin::Url(url) })
        });
    }

    /// Shows the model more or less of the photo.
    pub fn frame(self, framing: Framing) {
        self.state.framing.set(framing);
        let mut waits = false;
        self.inner.update_value(|inner| {
            // A photo that waits is traced as wanted now.
            if let Some(Task::TracePhoto(TracePhoto { framing: waiting, .. })) =
                inner.queue.waiting_mut(Kind::Photo)
            {
                *waiting = framing;
                waits = true;
            }
        });
        if !waits && self.state.traced.get_untracked().is_some() {
            self.want(Reframe { framing }, Freight::default());
        }
    }

    /// Opens published weights in place of the model.
    pub fn load_model(self, source: ModelSource, files: Vec<File>, storage: Storage, told: Told) {
        if let ModelSource::Hub { hub: Some(hub), .. } = &source
            && let Some(sentence) = dom::refusal(hub)
        {
            return self.complain(Kind::Pack, sentence);
        }
        let files = files.into_iter().map(Blob::from).collect();
        let task = LoadModel { source, storage, told, device: self.device_preference() };
        self.want(task, Freight { files, ..Freight::default() });
    }

    /// Opens a kept pack in place of the model.
    pub fn open_kept(self, folder: String) {
        if let Some(sentence) = dom::refusal(&folder) {
            // At the start there is no other model to go on with.
            return match self.state.engine.get_untracked() {
                EngineState::Open => {
                    self.drop_wishes();
                    self.complain(Kind::Pack, sentence);
                }
                EngineState::Opening | EngineState::Failed => self.stop(sentence),
            };
        }
        self.want(OpenPack { url: folder, device: self.device_preference() }, Freight::default());
    }

    /// Labels heads with the texts of the default pack, for a model that brings none.
    pub fn use_default_pool(self) {
        self.while_reading(async move {
            let text = async {
                let blob = dom::fetch("pool.txt", DEFAULT_POOL).await?;
                dom::bytes_of("pool.txt", &blob).await
            };
            match text.await {
                Ok(bytes) => self.use_pool(&String::from_utf8_lossy(&bytes.to_vec())),
                Err(err) => self.complain(Kind::Pool, sentence(&err.to_string())),
            }
        });
    }

    /// Labels heads from these lines; from the pack's own pool where there are none.
    pub fn use_pool(self, text: &str) {
        self.want(UsePool { lines: phrase_list::lines(text).collect() }, Freight::default());
    }

    /// Takes head statistics from elsewhere.
    pub fn use_statistics(self, source: StatisticsSource) {
        self.want(UseStatistics { source }, Freight::default());
    }

    /// Takes head statistics from a file that headlamp wrote.
    pub fn use_statistics_file(self, file: File) {
        self.while_reading(async move {
            match dom::bytes_of(&file.name(), &file).await {
                Ok(bytes) => {
                    let freight = Freight { buffers: vec![bytes], ..Freight::default() };
                    self.want(UseStatistics { source: StatisticsSource::File }, freight);
                }
                Err(err) => self.complain(Kind::Statistics, err.to_string()),
            }
        });
    }

    /// Saves the segmentation on screen as a PNG of the photo's own size.
    pub fn export_mask(self) {
        let (chosen, threshold) = (self.state.chosen.get_untracked(), untrack(|| self.state.threshold_in_use()));
        if let Some((phrase, threshold)) = chosen.zip(threshold) {
            let (against, background) = untrack(|| self.against(&phrase));
            let ablation = untrack(|| self.state.ablation_in_use());
            let task = ExportMask { phrase, against, background, ablation, threshold };
            self.want(task, Freight::default());
        }
    }

    fn open(self, name: String, source: impl Future<Output = Result<Source, dom::ReadError>> + 'static) {
        self.inner.update_value(|inner| inner.openings += 1);
        let opening = self.inner.with_value(|inner| inner.openings);
        self.while_reading(async move {
            let read = async {
                let source = source.await?;
                let bytes = dom::bytes_of(&name, &source.blob).await?;
                Ok::<_, dom::ReadError>((source, bytes))
            };
            match read.await {
                // A later one has been opened meanwhile.
                _ if self.inner.with_value(|inner| inner.openings) != opening => {}
                Ok((source, bytes)) => {
                    let task =
                        TracePhoto { name: source.name.clone(), framing: self.state.framing.get_untracked() };
                    self.want(task, Freight { buffers: vec![bytes], source: Some(source), ..Freight::default() });
                }
                Err(err) => self.complain(Kind::Photo, sentence(&err.to_string())),
            }
        });
    }

    pub(in crate::page) fn while_reading(self, work: impl Future<Output = ()> + 'static) {
        self.state.reading.update(|reading| *reading += 1);
        spawn_local(async move {
            work.await;
            self.state.reading.update(|reading| *reading -= 1);
        });
    }

    /// Saves every head's texts, as JSON and as Markdown.
    pub fn export_labels(self) {
        self.want(LabelAllHeads { count: LABELS }, Freight::default());
    }

    /// What a phrase is segmented against: the rival alone, else as the user has it.
    pub(in crate::page) fn against(self, phrase: &str) -> (Vec<String>, bool) {
        if let Some(rival) = self.state.rival.get() {
            return (vec![rival], false);
        }
        let others = match self.state.against_others.get() {
            true => self.state.phrases.with(|phrases| phrases.others(phrase)),
            false => Vec::new(),
        };
        (others, self.state.background.get())
    }

    /// Wants the work that the state calls for, whenever that changes.
    fn follow_state(self) {
        let state = self.state;
        let want_or_not = move |kind, task: Option<Task>| match task {
            Some(task) => self.want(task, Freight::default()),
            None => self.withdraw(kind),
        };
        Effect::new(move || {
            let (phrases, templates) = (state.phrases.get().as_slice().to_vec(), state.templates.get());
            if phrases.is_empty() {
                state.scores.set(None);
            }
            let task = state.traced.get().filter(|_| !phrases.is_empty() && state.has_text());
            let ablation = state.ablation_in_use();
            want_or_not(Kind::Scores, task.map(|_| Attribute { phrases, templates, ablation }.into()));
        });
        Effect::new(move || {
            let chosen = state.chosen.get().filter(|_| state.has_text());
            if chosen.is_none() {
                state.segmentation.set(None);
            }
            let task = state.traced.get().zip(chosen).map(|(_, phrase)| {
                let (against, background) = self.against(&phrase);
                Segment { phrase, against, background, ablation: state.ablation_in_use() }.into()
            });
            want_or_not(Kind::Segmentation, task);
        });
        Effect::new(move || {
            let task = state.traced.get().zip(state.head.get()).and_then(|(_, (layer, head))| {
                Some(match state.map_kind.get() {
                    HeadMapKind::Attention => {
                        MapHead { layer, head, phrase: None, rather_than: None, templates: false }
                    }
                    HeadMapKind::Contribution => {
                        let (phrase, rather_than) = (Some(state.chosen.get()?), state.rival.get());
                        MapHead { layer, head, phrase, rather_than, templates: state.templates.get() }
                    }
                })
            });
            // A worker that is started anew makes it again.
            if task.is_none() && state.traced.with_untracked(Option::is_some) {
                state.head_map.set(None);
            }
            want_or_not(Kind::HeadMap, task.map(Task::from));
        });
        Effect::new(move || {
            state.label_source.track();
            let head = state.head.get().filter(|_| state.has_statistics() && state.has_text());
            let task = head.map(|(layer, head)| LabelHead { layer, head, count: LABELS }.into());
            want_or_not(Kind::Labels, task);
        });
    }

    pub(in crate::page) fn want(self, task: impl Into<Task>, freight: Freight) {
        self.inner.update_value(|inner| inner.queue.want(task.into(), freight));
        self.post_soon();
    }

    pub(in crate::page) fn withdraw(self, kind: Kind) {
        self.inner.update_value(|inner| {
            inner.queue.withdraw(kind);
        });
        self.show_work();
    }

    /// Posts the next piece of work after all effects of the current change have had their say: what one of
    /// them replaces is never posted.
    fn post_soon(self) {
        self.show_work();
        spawn_local(async move {
            tick().await;
            self.post_next();
            self.show_work();
        });
    }

    fn post_next(self) {
        let mut failure = None;
        self.inner.update_value(|inner| {
            let Some(client) = inner.client.as_ref().filter(|_| inner.is_listening) else { return };
            let Some((request, freight)) = inner.queue.start_next() else { return };
            let Freight { buffers, files, source } = freight;
            inner.under_way = UnderWay { source, files: files.clone() };
            inner.heard = js_sys::Date::now();
            failure = client.post(&request, &Attachments { buffers, files }).err();
        });
        if let Some(err) = failure {
            self.stop(sentence(&err.to_string()));
        }
    }

    fn show_work(self) {
        let busy_with =
            self.inner.with_value(|inner| inner.queue.busy_with().map(|task| (task.kind(), task.status())));
        if self.state.busy_with.get_untracked() != busy_with {
            self.state.busy_with.set(busy_with);
        }
    }

    fn hear(self, report: Report) {
        self.inner.update_value(|inner| inner.heard = js_sys::Date::now());
        match report {
            Report::Listening => {
                self.inner.update_value(|inner| inner.is_listening = true);
                self.post_soon();
            }
            Report::Stopped { sentence } => self.stop(sentence),
            Report::Answered { id, answer: Answer::Progress(progress), .. } => {
                if self.inner.with_value(|inner| inner.queue.is_under_way(id)) {
                    self.state.progress.set(Some(progress));
                }
            }
            Report::Answered { id, answer, buffers } => {
                let finished = self.inner.try_update_value(|inner| inner.queue.finish(id)).flatten();
                if let Some(finished) = finished {
                    self.state.progress.set(None);
                    self.take(finished, answer, &buffers);
                    self.post_soon();
                }
            }
        }
    }

    /// The worker is of no more use.
    fn stop(self, sentence: String) {
        self.inner.update_value(|inner| {
            inner.queue.clear();
            inner.is_listening = false;
        });
        self.state.engine.set(EngineState::Failed);
        self.state.progress.set(None);
        self.state.notice.set(Some(Notice { about: Some(Kind::Pack), sentence, offers_restart: true }));
        self.show_work();
    }

    /// Shows a failure that leaves the engine running.
    pub fn complain(self, about: Kind, sentence: String) {
        self.state.notice.set(Some(Notice { about: Some(about), sentence, offers_restart: false }));
    }
}

/// How many of `count` pieces of work that are next to tell the engine of; none where the address wants no further
/// workers.
pub(in crate::page) fn ahead(count: usize) -> usize {
    if Address::parse(&dom::query()).0.hands { count } else { 0 }
}

/// The folder of a model's pack, where some server has it that may be asked.
fn folder_to_fetch(model: &ModelAddress) -> Option<&str> {
    match model {
        ModelAddress::Folder(folder) if !is_kept_here_only(model) && dom::refusal(folder).is_none() => {
            Some(folder)
        }
        _ => None,
    }
}

/// The device that the address asks for.
pub(in crate::page) fn asked_for() -> DevicePreference {
    Address::parse(&dom::query()).0.device
}
