//! The helper workers of the main worker. The main worker starts them when enough images are announced, and
//! sends them these images. If a helper is missing, the main worker computes the image itself.
//!
//! An image is a picture of the gallery or a frame of the video. The main worker decodes it, a helper or the
//! main worker runs the tower on its crop, and the main worker does the rest. Therefore the results are the same
//! numbers in the same order, no matter which worker ran the tower.

use std::collections::BTreeMap;

use async_channel::{Receiver, Sender};
use js_sys::{Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use super::error::WorkerError;
use super::helper;
use super::nested_worker::NestedWorker;
use super::progress::scope;
use crate::geometry::CropFromPhoto;
use crate::model::{Backend, Crop};
use crate::protocol::GalleryEntry;
use crate::protocol::wire::{self, Attachments};
use crate::session::helpers::how_many;
use crate::session::helpers::messages::{HelperMessage, HelperRequest, HelperSetup, OutputShape, TowerOutput};
use crate::session::helpers::schedule::Schedule;
use crate::session::{Session, Traced};
use crate::track::Features;

/// Helpers are started when the list has more images than this. To start a helper takes about as long as a few
/// pictures.
const WORTH_IT: usize = 4;

/// The main worker waits this long for a helper, in milliseconds.
const PATIENCE: i32 = 30_000;

/// The identity of an image: a picture of the gallery or a frame of the video.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ImageKey {
    Picture(GalleryEntry),
    /// A frame of the open video, by its index among the sampled frames.
    Frame(usize),
}

/// An image, decoded and cropped for the tower.
pub(super) struct PreparedImage {
    pub frame: CropFromPhoto,
    pub crop: Crop,
    /// A picture's thumbnail; empty for a frame.
    pub thumbnail: Vec<u8>,
}

/// The output of the tower for an image.
pub(super) struct ComputedImage {
    pub traced: Traced,
    /// A frame's features.
    pub features: Option<Features>,
    /// A picture's thumbnail; empty for a frame.
    pub thumbnail: Vec<u8>,
}

/// Why an image has no output of the tower.
pub(super) enum ImageError {
    /// The picture cannot be used. The next picture may be usable.
    Picture(WorkerError),
    /// The model failed.
    Model(WorkerError),
}

impl From<ImageError> for WorkerError {
    fn from(err: ImageError) -> Self {
        match err {
            ImageError::Picture(err) | ImageError::Model(err) => err,
        }
    }
}

/// The data of an image that stays in the main worker while a helper has its crop.
struct ImageContext {
    frame: CropFromPhoto,
    thumbnail: Vec<u8>,
}

/// The result of an image. A helper's arrays stay in JavaScript's memory until the image is requested.
enum ImageResult {
    Helper { context: ImageContext, shape: OutputShape, arrays: Vec<Uint8Array> },
    Own(Result<ComputedImage, ImageError>),
}

enum HelperEvent {
    /// A helper's message, or `None` when the helper failed.
    Message(u32, Option<JsValue>),
    /// The main worker has waited long enough for a job.
    Overdue(u32),
}

/// The helper workers for the open model.
pub(super) struct Helpers {
    /// `None` if no helper can serve the model.
    setup: Option<HelperSetup>,
    workers: BTreeMap<u32, NestedWorker>,
    last_helper: u32,
    /// A helper that failed is not started again. If all helpers have ended because they were idle, they may be
    /// started again.
    are_started: bool,
    schedule: Schedule<ImageKey, ImageContext, ImageResult>,
    events: (Sender<HelperEvent>, Receiver<HelperEvent>),
}

impl Default for Helpers {
    fn default() -> Self {
        let (workers, schedule) = (BTreeMap::new(), Schedule::default());
        let events = async_channel::unbounded();
        Self { setup: None, workers, last_helper: 0, are_started: false, schedule, events }
    }
}

impl Helpers {
    /// Prepares helpers for a model whose pack is stored in `folder`. Only a model on the CPU has helpers.
    pub(super) fn of(session: &Session, folder: Option<String>) -> Self {
        let manifest = session.manifest();
        let weights = manifest.file(crate::checkpoint::pack::WEIGHTS).cloned();
        let is_on_cpu = matches!(session.backend(), Backend::Kernels);
        let setup = folder.zip(weights).filter(|_| is_on_cpu).map(|(folder, weights)| {
            let (vision, embedding) = (manifest.model.vision.clone(), manifest.model.embedding);
            HelperSetup { folder, weights, vision, embedding }
        });
        Self { setup, ..Self::default() }
    }

    /// Computes the first image of a list, or waits for the helper that computes it, and assigns the next images to
    /// helpers. `prepare` decodes the image at an index of the list.
    pub(super) async fn compute(
        &mut self,
        session: &Session,
        list: &[ImageKey],
        mut prepare: impl AsyncFnMut(usize) -> Result<PreparedImage, ImageError>,
    ) -> Result<ComputedImage, ImageError> {
        self.schedule.keep_only(list);
        if list.len() > WORTH_IT {
            self.start();
        }
        self.compute_first(session, list, &mut prepare).await
    }

    async fn compute_first(
        &mut self,
        session: &Session,
        list: &[ImageKey],
        prepare: &mut impl AsyncFnMut(usize) -> Result<PreparedImage, ImageError>,
    ) -> Result<ComputedImage, ImageError> {
        let first = list.first().ok_or(ImageError::Model(WorkerError::NothingToRun))?;
        loop {
            while let Ok(event) = self.events.1.try_recv() {
                self.handle(event);
            }
            if let Some(computed) = self.schedule.take(first).and_then(ImageResult::computed) {
                self.assign(list, prepare).await;
                return computed;
            }
            let Some(job) = self.schedule.job_of(first) else {
                // The first image is decoded before the others: frames are decoded in order.
                let prepared = prepare(0).await?;
                self.assign(list, prepare).await;
                return run(session, first, prepared).await;
            };
            self.assign(list, prepare).await;
            match self.next(list) {
                // Computes the next image while a helper computes the first one.
                Some(place) => {
                    let computed = match prepare(place).await {
                        Ok(prepared) => run(session, &list[place], prepared).await,
                        Err(err) => Err(err),
                    };
                    self.schedule.keep(list[place].clone(), ImageResult::Own(computed));
                }
                None => self.wait(job).await,
            }
        }
    }

    /// Returns the index of the next image to start; the first image is requested already.
    fn next(&self, list: &[ImageKey]) -> Option<usize> {
        self.schedule.next(list.get(1..)?).map(|place| place + 1)
    }

    /// Assigns the next images of a list to the idle helpers.
    async fn assign(
        &mut self,
        list: &[ImageKey],
        prepare: &mut impl AsyncFnMut(usize) -> Result<PreparedImage, ImageError>,
    ) {
        while let Some((helper, place)) = self.schedule.idle().zip(self.next(list)) {
            let image = list[place].clone();
            match prepare(place).await {
                Ok(PreparedImage { frame, crop, thumbnail }) => {
                    let (size, wants_patches) = (crop.size, wants_patches(&image));
                    let job = self.schedule.assign(helper, image, ImageContext { frame, thumbnail });
                    let floats = vec![wire::buffer_of_f32(&crop.values)];
                    self.post(helper, &HelperRequest::Run { job, size, wants_patches }, floats);
                }
                Err(err) => self.schedule.keep(image, ImageResult::Own(Err(err))),
            }
        }
    }

    /// Waits for a helper's message, or until a job is overdue.
    async fn wait(&mut self, job: u32) {
        let events = self.events.0.clone();
        let overdue = Closure::once_into_js(move || {
            let _sent = events.try_send(HelperEvent::Overdue(job));
        });
        let overdue: Function = overdue.unchecked_into();
        let timer = scope().set_timeout_with_callback_and_timeout_and_arguments_0(&overdue, PATIENCE);
        if timer.is_err() {
            return self.handle(HelperEvent::Overdue(job));
        }
        if let Ok(event) = self.events.1.recv().await {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: HelperEvent) {
        match event {
            HelperEvent::Message(helper, Some(message)) => match wire::unwrap(&message) {
                Ok((message, Attachments { buffers, .. })) => self.take(helper, message, buffers),
                Err(_other) => self.lose(helper),
            },
            HelperEvent::Message(helper, None) => self.lose(helper),
            HelperEvent::Overdue(job) => {
                if let Some(helper) = self.schedule.helper_of(job) {
                    self.lose(helper);
                }
            }
        }
    }

    fn take(&mut self, helper: u32, message: HelperMessage, arrays: Vec<Uint8Array>) {
        match message {
            HelperMessage::Listening => {
                if let Some(setup) = self.setup.clone() {
                    self.post(helper, &HelperRequest::SetUp(setup), Vec::new());
                }
            }
            HelperMessage::Ready => self.schedule.is_ready(helper),
            // No other helper can load the tower either.
            HelperMessage::Unable => {
                self.setup = None;
                self.lose(helper);
            }
            HelperMessage::Gone => {
                self.lose(helper);
                self.are_started = !self.workers.is_empty();
            }
            HelperMessage::Done { job, shape } => {
                self.schedule.finish(helper, job, |context| ImageResult::Helper { context, shape, arrays });
            }
        }
    }

    /// Starts the helpers, unless they were started.
    fn start(&mut self) {
        let Some(setup) = self.setup.as_ref().filter(|_| !self.are_started) else { return };
        self.are_started = true;
        let tower = setup.vision.tensors(setup.embedding);
        let size = |shape: &[usize]| shape.iter().map(|length| *length as u64).product::<u64>();
        let parameters = tower.iter().map(|tensor| size(&tensor.shape)).sum();
        for _helper in 0..how_many(cores(), memory(), parameters) {
            self.last_helper += 1;
            let (helper, events) = (self.last_helper, self.events.0.clone());
            let listener = move |message| {
                // The channel is never closed nor full.
                let _sent = events.try_send(HelperEvent::Message(helper, message));
            };
            if let Some(worker) = NestedWorker::start(helper::NAME, listener) {
                self.schedule.start(helper);
                self.workers.insert(helper, worker);
            }
        }
    }

    fn post(&mut self, helper: u32, request: &HelperRequest, buffers: Vec<Uint8Array>) {
        let Some(worker) = self.workers.get(&helper) else { return };
        let payload = wire::wrap(request, &Attachments::of(buffers));
        if !payload.is_ok_and(|payload| worker.post(&payload)) {
            self.lose(helper);
        }
    }

    fn lose(&mut self, helper: u32) {
        self.schedule.lose(helper);
        self.workers.remove(&helper);
    }

    /// Drops all results that were computed ahead.
    pub(super) fn forget(&mut self) {
        self.schedule.keep_only(&[]);
    }
}

impl ImageResult {
    /// Returns `None` if a helper's arrays do not have the shape of the tower's output.
    fn computed(self) -> Option<Result<ComputedImage, ImageError>> {
        match self {
            Self::Own(computed) => Some(computed),
            Self::Helper { context, shape, arrays } => {
                let output = TowerOutput::of_arrays(shape, arrays.iter().map(wire::f32_of_buffer))?;
                Some(Ok(computed(context, output)))
            }
        }
    }
}

/// Runs the main worker's own tower on an image.
async fn run(session: &Session, image: &ImageKey, prepared: PreparedImage) -> Result<ComputedImage, ImageError> {
    let PreparedImage { frame, crop, thumbnail } = prepared;
    let output = TowerOutput::run(&session.model().vision, &crop, wants_patches(image)).await;
    let output = output.map_err(|err| ImageError::Model(err.into()))?;
    Ok(computed(ImageContext { frame, thumbnail }, output))
}

fn computed(context: ImageContext, output: TowerOutput) -> ComputedImage {
    let (ImageContext { frame, thumbnail }, TowerOutput { trace, features }) = (context, output);
    ComputedImage { traced: Traced { frame, trace }, features, thumbnail }
}

/// Returns whether the patches are needed: tracking needs the patches of a frame, and the gallery does not need the
/// patches of a picture.
fn wants_patches(image: &ImageKey) -> bool {
    matches!(image, ImageKey::Frame(_))
}

fn cores() -> usize {
    scope().navigator().hardware_concurrency() as usize
}

/// Returns the machine's memory in GB, if the browser reveals it.
fn memory() -> Option<f64> {
    Reflect::get(&scope().navigator(), &"deviceMemory".into()).ok()?.as_f64()
}
