//! The open model, and the requests that open another model.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::web_sys::{Blob, File};

use super::label_sources::LabelSources;
use crate::page::common::browser::dom;
use crate::page::core::browser::core::{Core, Outcome, WorkerState};
use crate::page::model::address::ModelAddress;
use crate::page::model::published::{self, KNOWN_MODELS};
use crate::page::model::stored_files::StoredPack;
use crate::protocol::wire::Attachments;
use crate::protocol::{
    DevicePreference, LoadModel, ModelSettings, ModelSource, OpenPack, PackSummary, SaveModel, Storage, TaskKind,
    UnexpectedAnswer,
};

/// Where the next model that the person chooses opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// In place of the open model.
    #[default]
    InPlace,
    /// Beside the open model, in a worker of its own.
    Beside,
}

/// A request that opens a model. It is stored, so that another worker can open the same model.
#[derive(Clone)]
pub enum Opening {
    Pack(OpenPack),
    Weights { task: LoadModel, files: Vec<Blob> },
}

impl Opening {
    /// Returns the request that opens the model at an address, on the CPU or the GPU.
    pub fn of_address(address: ModelAddress) -> Self {
        let (device, room) = (DevicePreference::default(), None);
        match address {
            ModelAddress::Folder(url) => Self::Pack(OpenPack { url, device, room }),
            ModelAddress::Hub(repository) => {
                let source = ModelSource::Hub { repository, hub: None };
                let (storage, settings) = (Storage::default(), ModelSettings::default());
                Self::Weights { task: LoadModel { source, storage, settings, device, room }, files: Vec::new() }
            }
        }
    }

    /// Returns the same request for a model that may take `room` bytes of memory.
    pub fn within(mut self, room: Option<u64>) -> Self {
        match &mut self {
            Self::Pack(task) => task.room = room,
            Self::Weights { task, .. } => task.room = room,
        }
        self
    }

    /// Returns a sentence that says why the page may not fetch the model, or `None` if the page may.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Pack(OpenPack { url, .. }) => dom::refusal(url),
            Self::Weights { task, .. } => match &task.source {
                ModelSource::Hub { hub: Some(hub), .. } => dom::refusal(hub),
                ModelSource::Hub { .. } | ModelSource::Files { .. } => None,
            },
        }
    }

    /// Returns the same request for another device.
    fn on(mut self, preference: DevicePreference) -> Self {
        match &mut self {
            Self::Pack(task) => task.device = preference,
            Self::Weights { task, .. } => task.device = preference,
        }
        self
    }

    /// Returns whether the browser stores the model, so that opening it fetches no weights.
    fn is_stored(&self, model: ModelState) -> bool {
        match self {
            Self::Weights {
                task: LoadModel { source: ModelSource::Hub { repository, .. }, storage, .. }, ..
            } => untrack(|| model.is_stored(repository, *storage)),
            _ => false,
        }
    }

    /// Returns the address from which somebody else can open the model; `None` for files from the person's own disk.
    pub fn address(&self) -> Option<ModelAddress> {
        match self {
            Self::Pack(OpenPack { url, .. }) => {
                let folder = url.strip_prefix(&dom::base()).unwrap_or(url);
                Some(ModelAddress::Folder(folder.to_owned()))
            }
            Self::Weights { task, .. } => match &task.source {
                ModelSource::Hub { repository, hub: None } => Some(ModelAddress::Hub(repository.clone())),
                ModelSource::Hub { .. } | ModelSource::Files { .. } => None,
            },
        }
    }
}

/// A function that receives the model that has been opened, and whether it is another model than before.
type OpenedHook = Rc<dyn Fn(PackSummary, bool)>;

#[derive(Default)]
struct Inner {
    /// The request that opened the open model.
    opened: Option<Opening>,
    when_opened: Option<OpenedHook>,
    when_refused: Option<Rc<dyn Fn()>>,
    /// Opens a model beside the open one.
    open_beside: Option<Rc<dyn Fn(Opening)>>,
}

/// The open model.
#[derive(Clone, Copy)]
pub struct ModelState {
    pub core: Core,
    pub pack: RwSignal<Option<PackSummary>>,
    /// The address of the open model; `None` for files from the person's own disk.
    pub address: RwSignal<Option<ModelAddress>>,
    /// The packs that the browser stores.
    pub stored: RwSignal<Vec<StoredPack>>,
    /// The speed at which a published model was fetched and converted in this visit, in bytes per second.
    pub fetch_speed: RwSignal<Option<f64>>,
    /// The sources of the labels of its heads.
    pub label_sources: LabelSources,
    /// Where the next model that the person chooses opens.
    pub destination: RwSignal<Destination>,
    /// The device that the page's address asks for.
    device: DevicePreference,
    inner: StoredValue<Inner, LocalStorage>,
}

impl ModelState {
    pub fn new(core: Core, address: Option<ModelAddress>, device: DevicePreference) -> Self {
        let pack = RwSignal::new(None);
        Self {
            core,
            pack,
            address: RwSignal::new(address),
            stored: RwSignal::default(),
            fetch_speed: RwSignal::default(),
            label_sources: LabelSources::new(core, pack),
            destination: RwSignal::default(),
            device,
            inner: StoredValue::new_local(Inner::default()),
        }
    }

    /// Calls `hook` with each model that has been opened, and with whether it is another model than before.
    pub fn when_opened(self, hook: impl Fn(PackSummary, bool) + 'static) {
        self.inner.update_value(|inner| inner.when_opened = Some(Rc::new(hook)));
    }

    /// Calls `hook` when a model could not be opened and the previous model stays open.
    pub fn when_refused(self, hook: impl Fn() + 'static) {
        self.inner.update_value(|inner| inner.when_refused = Some(Rc::new(hook)));
    }

    /// Sets the function that opens a model beside the open one.
    pub fn open_beside_with(self, open: impl Fn(Opening) + 'static) {
        self.inner.update_value(|inner| inner.open_beside = Some(Rc::new(open)));
    }

    /// Shows a model that has been opened as the open one.
    pub fn show(self, pack: PackSummary) {
        self.pack.set(Some(pack));
        self.core.worker.set(WorkerState::Open);
    }

    /// Returns the size of the model's grid of heads: the layers, and the heads of each layer.
    pub fn extent(self) -> Option<(usize, usize)> {
        self.pack.with(|pack| pack.as_ref().map(|pack| (pack.layers, pack.heads)))
    }

    /// Returns whether the model scores phrases. A self-supervised model without texts does not.
    pub fn has_text(self) -> bool {
        self.pack.with(|pack| pack.as_ref().is_none_or(|pack| pack.has_text))
    }

    /// Returns whether there are statistics to label heads from, and means to replace switched-off parts by.
    pub fn has_statistics(self) -> bool {
        self.label_sources.has_statistics()
    }

    /// Returns whether there are statistics and a pool of texts, so that heads have texts.
    pub fn can_label_heads(self) -> bool {
        self.has_text() && self.has_statistics() && self.label_sources.has_pool()
    }

    /// Starts a worker, which replaces the previous one. Opens the model that was open or, at the start, the model of
    /// the address.
    pub fn start(self) {
        // `None` if the model came from a file: no server has it.
        let address = self.address.get_untracked();
        if !self.core.start(address.as_ref().and_then(folder_to_fetch)) {
            return;
        }
        match self.inner.with_value(|inner| inner.opened.clone()) {
            Some(opened) => self.ask_to_open(opened),
            None => self.open(address.unwrap_or_default()),
        }
    }

    /// Opens the model at an address instead of the open one.
    pub fn open(self, address: ModelAddress) {
        match address {
            ModelAddress::Folder(folder) => self.open_folder(folder),
            ModelAddress::Hub(_) => self.ask_to_open(Opening::of_address(address)),
        }
    }

    /// Opens the pack in a folder instead of the open model.
    pub fn open_folder(self, folder: String) {
        if let Some(sentence) = dom::refusal(&folder) {
            // At the start there is no other model to continue with.
            return match self.core.worker.get_untracked() {
                WorkerState::Open => {
                    self.refuse();
                    self.core.complain(TaskKind::Pack, sentence);
                }
                WorkerState::Opening | WorkerState::Failed => self.core.stop(sentence),
            };
        }
        self.ask_to_open(Opening::of_address(ModelAddress::Folder(folder)));
    }

    /// Opens the model at an address as the person has chosen: in place of the open model, or beside it.
    pub fn open_chosen(self, address: ModelAddress) {
        match self.destination.get_untracked() {
            Destination::InPlace => self.open(address),
            Destination::Beside => self.open_beside(Opening::of_address(address)),
        }
    }

    /// Opens a model beside the open one. The person's next model opens in its place again.
    pub fn open_beside(self, opening: Opening) {
        self.destination.set(Destination::InPlace);
        if let Some(open) = self.inner.with_value(|inner| inner.open_beside.clone()) {
            open(opening);
        }
    }

    /// Opens published weights as the person has chosen: in place of the open model, or beside it.
    pub fn load(self, source: ModelSource, files: Vec<File>, storage: Storage, settings: ModelSettings) {
        if let ModelSource::Hub { hub: Some(hub), .. } = &source
            && let Some(sentence) = dom::refusal(hub)
        {
            return self.core.complain(TaskKind::Pack, sentence);
        }
        let (device, room) = (DevicePreference::default(), None);
        let task = LoadModel { source, storage, settings, device, room };
        let opening = Opening::Weights { task, files: files.into_iter().map(Blob::from).collect() };
        match self.destination.get_untracked() {
            Destination::InPlace => self.ask_to_open(opening),
            Destination::Beside => self.open_beside(opening),
        }
    }

    /// Opens a saved model as the person has chosen: in place of the open model, or beside it.
    pub fn open_archive(self, file: File) {
        let source = ModelSource::Files { names: vec![file.name()] };
        self.load(source, vec![file], Storage::default(), ModelSettings::default());
    }

    /// Saves the open model as one file, with the statistics and the pool that are in use.
    pub fn save(self) {
        self.core.ask_for_file(SaveModel, |saved, file| dom::save(&saved.name, file));
    }

    /// Returns the device that the address asks for, or the CPU after a GPU was lost twice.
    fn device_preference(self) -> DevicePreference {
        match self.core.losses() {
            0 | 1 => self.device,
            _ => DevicePreference::Cpu,
        }
    }

    /// Returns whether the browser stores a model of a hub in this precision.
    pub fn is_stored(self, repository: &str, storage: Storage) -> bool {
        let is_it = |pack: &StoredPack| {
            pack.is_whole && pack.stored_as == Some(storage) && pack.source.as_deref() == Some(repository)
        };
        self.stored.with(|stored| stored.iter().any(is_it))
    }

    /// Measures the speed at which a known model was fetched, unless the browser had it stored before.
    fn measure_fetch(self, opening: &Opening, was_stored: bool, seconds: f64) {
        if let Opening::Weights { task: LoadModel { source: ModelSource::Hub { repository, .. }, .. }, .. } =
            opening
            && !was_stored
            && let Some(model) = KNOWN_MODELS.iter().find(|model| model.repository == repository)
            && let Some(speed) = published::speed(model.bytes(), seconds)
        {
            self.fetch_speed.set(Some(speed));
        }
    }

    /// Asks the worker to open a model, on the device that the page's address names.
    pub fn ask_to_open(self, opening: Opening) {
        let opening = opening.on(self.device_preference());
        let (opened, was_stored) = (opening.clone(), opening.is_stored(self));
        let on_end = move |outcome: Outcome<PackSummary>| {
            if let Ok((pack, _buffers)) = &outcome {
                self.measure_fetch(&opened, was_stored, pack.seconds.download);
            }
            self.take(opened, outcome)
        };
        match opening {
            Opening::Pack(task) => self.core.ask_for_outcome(task, Attachments::default(), on_end),
            Opening::Weights { task, files } => {
                let attachments = Attachments { files, ..Attachments::default() };
                self.core.ask_for_outcome(task, attachments, on_end);
            }
        }
    }

    fn take(self, opening: Opening, outcome: Outcome<PackSummary>) -> Result<(), UnexpectedAnswer> {
        let is_open = self.core.worker.get_untracked() == WorkerState::Open;
        match outcome {
            Ok((pack, _buffers)) => {
                self.address.set(opening.address());
                self.inner.update_value(|inner| inner.opened = Some(opening));
                // A new worker opens the model that is on screen. If it cannot, the person may open another model.
                let is_other = |open: &PackSummary| open.model != pack.model;
                let is_other = is_open || self.pack.with_untracked(|open| open.as_ref().is_some_and(is_other));
                if let Some(hook) = self.inner.with_value(|inner| inner.when_opened.clone()) {
                    hook(pack, is_other);
                }
            }
            // At the start there is no other model to continue with.
            Err(message) if !is_open => self.core.fail(message),
            Err(message) => {
                self.refuse();
                self.core.complain(TaskKind::Pack, message);
            }
        }
        Ok(())
    }

    fn refuse(self) {
        if let Some(hook) = self.inner.with_value(|inner| inner.when_refused.clone()) {
            hook();
        }
    }
}

/// Returns the folder of a model's pack, if the page may fetch the pack from a server.
fn folder_to_fetch(model: &ModelAddress) -> Option<&str> {
    match model {
        ModelAddress::Folder(folder) if !model.is_on_this_machine_only() && dom::refusal(folder).is_none() => {
            Some(folder)
        }
        _ => None,
    }
}
