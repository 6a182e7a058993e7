//! The engine's hands: it starts them when there is work ahead, hands pieces of it out, and does without them
//! where there are none.
//!
//! A piece of work is a picture of the gallery or a frame of the video. The engine decodes it, a hand or the
//! engine runs the tower over its crop, and the engine does the rest: the same numbers in the same order, whoever
//! ran what.

use std::collections::BTreeMap;

use async_channel::{Receiver, Sender};
use js_sys::{Function, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use super::error::WorkerError;
use super::hand;
use super::nested::Nested;
use super::report::scope;
use crate::geometry::CropFromPhoto;
use crate::model::{Backend, Crop, VisionTransformer};
use crate::protocol::GalleryEntry;
use crate::protocol::wire::{self, Attachments};
use crate::session::hands::ahead::Ahead;
use crate::session::hands::how_many;
use crate::session::hands::order::{Lesson, Order, Report, Seen, Shape};
use crate::session::{Session, Traced};
use crate::track::Features;

/// Hands are started when so many pieces wait behind the one that is asked for: starting them takes about as long
/// as a few pictures.
const WORTH_IT: usize = 4;

/// The engine waits for a hand no longer than this, in milliseconds.
const PATIENCE: i32 = 30_000;

/// What a piece of work is known by.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Picture(GalleryEntry),
    /// Of the open video, as it is sampled.
    Frame(usize),
}

/// A piece of work, ready for the tower.
pub(super) struct Prepared {
    pub frame: CropFromPhoto,
    pub crop: Crop,
    /// Of a picture.
    pub thumbnail: Vec<u8>,
}

/// A piece of work that has been through the tower.
pub(super) struct Looked {
    pub traced: Traced,
    /// Of a frame.
    pub features: Option<Features>,
    /// Of a picture.
    pub thumbnail: Vec<u8>,
}

/// Why a piece of work was not done.
pub(super) enum PieceError {
    /// The picture cannot be used; the next one may be.
    Picture(WorkerError),
    /// The model failed.
    Model(WorkerError),
}

impl From<PieceError> for WorkerError {
    fn from(err: PieceError) -> Self {
        match err {
            PieceError::Picture(err) | PieceError::Model(err) => err,
        }
    }
}

/// What is kept beside a piece while a hand has it: all of [`Prepared`] but the crop.
struct Kept {
    frame: CropFromPhoto,
    thumbnail: Vec<u8>,
}

/// What came of a piece. A hand's arrays stay where they came until somebody asks for them.
enum Outcome {
    ByHand { kept: Kept, shape: Shape, arrays: Vec<Uint8Array> },
    Own(Result<Looked, PieceError>),
}

enum Heard {
    /// A hand's message; none when the hand failed.
    Said(u32, Option<JsValue>),
    /// The engine has waited long enough for an order.
    Overdue(u32),
}

/// The hands for the open model.
pub(super) struct Hands {
    /// None where there are no hands for it.
    lesson: Option<Lesson>,
    workers: BTreeMap<u32, Nested>,
    last_hand: u32,
    /// One that fails is not started again; when all have gone of their own accord, they may be.
    are_started: bool,
    ahead: Ahead<Key, Kept, Outcome>,
    tell: Sender<Heard>,
    heard: Receiver<Heard>,
}

impl Default for Hands {
    fn default() -> Self {
        let (tell, heard) = async_channel::unbounded();
        let (workers, ahead) = (BTreeMap::new(), Ahead::default());
        Self { lesson: None, workers, last_hand: 0, are_started: false, ahead, tell, heard }
    }
}

impl Hands {
    /// For a model whose pack is kept in `folder`, if it is. Hands are for the CPU: a GPU has its own.
    pub(super) fn of(session: &Session, folder: Option<String>) -> Self {
        let manifest = session.manifest();
        let weights = manifest.file(crate::checkpoint::pack::WEIGHTS).cloned();
        let is_on_cpu = matches!(session.backend(), Backend::Kernels);
        let lesson = folder.zip(weights).filter(|_| is_on_cpu).map(|(folder, weights)| {
            let (vision, embedding) = (manifest.model.vision.clone(), manifest.model.embedding);
            Lesson { folder, weights, vision, embedding }
        });
        Self { lesson, ..Self::default() }
    }

    /// Looks at the first piece of a line, or has a hand do it, and gives hands the next ones. `prepare` decodes
    /// the piece at a place in the line.
    pub(super) async fn look(
        &mut self,
        session: &Session,
        line: &[Key],
        mut prepare: impl AsyncFnMut(usize) -> Result<Prepared, PieceError>,
    ) -> Result<Looked, PieceError> {
        self.ahead.attend_to(line);
        if line.len() > WORTH_IT {
            self.start();
        }
        self.look_at_first(session, line, &mut prepare).await
    }

    async fn look_at_first(
        &mut self,
        session: &Session,
        line: &[Key],
        prepare: &mut impl AsyncFnMut(usize) -> Result<Prepared, PieceError>,
    ) -> Result<Looked, PieceError> {
        let first = line.first().ok_or_else(|| PieceError::Model(WorkerError::NothingToRun))?;
        loop {
            while let Ok(heard) = self.heard.try_recv() {
                self.hear(heard);
            }
            if let Some(looked) = self.ahead.take(first).and_then(Outcome::looked) {
                self.hand_out(line, prepare).await;
                return looked;
            }
            let Some(order) = self.ahead.order_of(first) else {
                // Decoded first, as frames are decoded in order.
                let prepared = prepare(0).await?;
                self.hand_out(line, prepare).await;
                return run(session, first, prepared).await;
            };
            self.hand_out(line, prepare).await;
            match self.next(line) {
                // While a hand is at the first.
                Some(place) => {
                    let looked = match prepare(place).await {
                        Ok(prepared) => run(session, &line[place], prepared).await,
                        Err(err) => Err(err),
                    };
                    self.ahead.keep(line[place].clone(), Outcome::Own(looked));
                }
                None => self.wait(order).await,
            }
        }
    }

    /// Where in the line the next piece is for somebody; the first is asked for already.
    fn next(&self, line: &[Key]) -> Option<usize> {
        self.ahead.next(line.get(1..)?).map(|place| place + 1)
    }

    /// Gives the next pieces of a line to the hands that have nothing to do.
    async fn hand_out(
        &mut self,
        line: &[Key],
        prepare: &mut impl AsyncFnMut(usize) -> Result<Prepared, PieceError>,
    ) {
        while let Some((hand, place)) = self.ahead.idle().zip(self.next(line)) {
            let key = line[place].clone();
            match prepare(place).await {
                Ok(Prepared { frame, crop, thumbnail }) => {
                    let (size, wants_patches) = (crop.size, wants_patches(&key));
                    let order = self.ahead.hand_out(hand, key, Kept { frame, thumbnail });
                    let floats = vec![wire::buffer_of_f32(&crop.values)];
                    self.post(hand, &Order::Run { order, size, wants_patches }, floats);
                }
                Err(err) => self.ahead.keep(key, Outcome::Own(Err(err))),
            }
        }
    }

    /// Until a hand says something, or has been at an order for too long.
    async fn wait(&mut self, order: u32) {
        let tell = self.tell.clone();
        let overdue = Closure::once_into_js(move || {
            let _sent = tell.try_send(Heard::Overdue(order));
        });
        let overdue: Function = overdue.unchecked_into();
        let timer = scope().set_timeout_with_callback_and_timeout_and_arguments_0(&overdue, PATIENCE);
        if timer.is_err() {
            return self.hear(Heard::Overdue(order));
        }
        if let Ok(heard) = self.heard.recv().await {
            self.hear(heard);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Said(hand, Some(message)) => match wire::unwrap(&message) {
                Ok((report, Attachments { buffers, .. })) => self.take(hand, report, buffers),
                Err(_other) => self.lose(hand),
            },
            Heard::Said(hand, None) => self.lose(hand),
            Heard::Overdue(order) => {
                if let Some(hand) = self.ahead.hand_at(order) {
                    self.lose(hand);
                }
            }
        }
    }

    fn take(&mut self, hand: u32, report: Report, arrays: Vec<Uint8Array>) {
        match report {
            Report::Listening => {
                if let Some(lesson) = self.lesson.clone() {
                    self.post(hand, &Order::Learn(lesson), Vec::new());
                }
            }
            Report::Ready => self.ahead.is_ready(hand),
            // Nor is any other hand able to.
            Report::Unable => {
                self.lesson = None;
                self.lose(hand);
            }
            Report::Gone => {
                self.lose(hand);
                self.are_started = !self.workers.is_empty();
            }
            Report::Done { order, shape } => {
                self.ahead.finish(hand, order, |kept| Outcome::ByHand { kept, shape, arrays });
            }
        }
    }

    /// Starts as many hands as there may be, unless that was done.
    fn start(&mut self) {
        let Some(lesson) = self.lesson.as_ref().filter(|_| !self.are_started) else { return };
        self.are_started = true;
        let tower = lesson.vision.tensors(lesson.embedding);
        let size = |shape: &[usize]| shape.iter().map(|length| *length as u64).product::<u64>();
        let parameters = tower.iter().map(|tensor| size(&tensor.shape)).sum();
        for _hand in 0..how_many(cores(), memory(), parameters) {
            self.last_hand += 1;
            let (hand, tell) = (self.last_hand, self.tell.clone());
            let hear = move |message| {
                // The channel is never closed nor full.
                let _sent = tell.try_send(Heard::Said(hand, message));
            };
            if let Some(worker) = Nested::start(hand::NAME, hear) {
                self.ahead.start(hand);
                self.workers.insert(hand, worker);
            }
        }
    }

    fn post(&mut self, hand: u32, order: &Order, buffers: Vec<Uint8Array>) {
        let Some(worker) = self.workers.get(&hand) else { return };
        let payload = wire::wrap(order, &Attachments::of(buffers));
        if !payload.is_ok_and(|payload| worker.post(&payload)) {
            self.lose(hand);
        }
    }

    fn lose(&mut self, hand: u32) {
        self.ahead.lose(hand);
        self.workers.remove(&hand);
    }

    /// Forgets what was done ahead.
    pub(super) fn forget(&mut self) {
        self.ahead.attend_to(&[]);
    }
}

impl Outcome {
    /// None where a hand's arrays are not those of a picture's way through the tower.
    fn looked(self) -> Option<Result<Looked, PieceError>> {
        match self {
            Self::Own(looked) => Some(looked),
            Self::ByHand { kept, shape, arrays } => {
                let seen = Seen::of_arrays(shape, arrays.iter().map(wire::f32_of_buffer))?;
                Some(Ok(looked(kept, seen)))
            }
        }
    }
}

/// Runs the engine's own tower over a piece.
async fn run(session: &Session, key: &Key, prepared: Prepared) -> Result<Looked, PieceError> {
    let Prepared { frame, crop, thumbnail } = prepared;
    let seen = Seen::run(&session.model().vision, &crop, wants_patches(key)).await;
    let seen = seen.map_err(|err| PieceError::Model(err.into()))?;
    Ok(looked(Kept { frame, thumbnail }, seen))
}

fn looked(kept: Kept, seen: Seen) -> Looked {
    let (Kept { frame, thumbnail }, Seen { trace, features }) = (kept, seen);
    Looked { traced: Traced { frame, trace }, features, thumbnail }
}

/// A frame's patches are tracked.
fn wants_patches(key: &Key) -> bool {
    matches!(key, Key::Frame(_))
}

fn cores() -> usize {
    scope().navigator().hardware_concurrency() as usize
}

/// In GB, where the browser tells.
fn memory() -> Option<f64> {
    Reflect::get(&scope().navigator(), &"deviceMemory".into()).ok()?.as_f64()
}
