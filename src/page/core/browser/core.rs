//! The page's side of the worker. Features send their requests through [`Core`]. It posts one request at a time, and
//! passes each answer to the feature that asked.

use std::rc::Rc;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::{spawn_local, tick};
use leptos::web_sys::Blob;

use super::client::{Client, WorkerReport};
use crate::page::core::queue::{FinishedRequest, RequestQueue};
use crate::protocol::wire::Attachments;
use crate::protocol::{Answer, Task, TaskKind, TaskProgress, UnexpectedAnswer, Work, sentence};

/// Whether the worker has an open model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkerState {
    #[default]
    Opening,
    Open,
    Failed,
}

/// A message to the person, most often about a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The kind of work that failed. A success of the same kind removes the notice. `None`: the notice stays until
    /// it is dismissed.
    pub about: Option<TaskKind>,
    pub sentence: String,
    /// Whether to offer a restart of the worker.
    pub offers_restart: bool,
}

/// The request under way, or the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkUnderWay {
    pub kind: TaskKind,
    /// The status line ([`Work::STATUS`]).
    pub status: &'static str,
}

/// The end of a request: its answer with the buffers that came with it, or a sentence about its failure.
pub type Outcome<A> = Result<(A, Vec<Uint8Array>), String>;

/// A function that receives the outcome of a request.
type OnEnd = Box<dyn FnOnce(Result<(Answer, Attachments), String>) -> Result<(), UnexpectedAnswer>>;

type Hook = Rc<dyn Fn()>;

/// The data that the queue stores with a request.
pub(super) struct WaitingRequest {
    attachments: Attachments,
    on_end: OnEnd,
}

#[derive(Default)]
pub(super) struct CoreInner {
    client: Option<Client>,
    is_listening: bool,
    pub(super) queue: RequestQueue<WaitingRequest>,
    /// Receives the outcome of the request under way.
    on_end: Option<OnEnd>,
    /// The last number of [`Core::next_number`].
    number: u32,
    /// When the worker last reported or got work, in milliseconds of the page's clock.
    pub(super) last_contact: f64,
    /// How often the device was lost.
    pub(super) losses: u32,
    pub(super) restart: Option<Hook>,
    when_starting: Vec<Hook>,
    pub(super) when_device_lost: Vec<Hook>,
}

/// A handle on the worker, for features and views.
#[derive(Clone, Copy)]
pub struct Core {
    pub worker: RwSignal<WorkerState>,
    pub busy_with: RwSignal<Option<WorkUnderWay>>,
    /// The number of files that the page is fetching or reading.
    pub reading: RwSignal<u32>,
    pub progress: RwSignal<Option<TaskProgress>>,
    pub notice: RwSignal<Option<Notice>>,
    /// Whether helper workers may start on requests that are announced ahead.
    uses_helpers: bool,
    pub(super) inner: StoredValue<CoreInner, LocalStorage>,
}

impl Core {
    /// Makes the core without a worker; [`Core::start`] starts one.
    pub fn new(uses_helpers: bool) -> Self {
        let core = Self {
            worker: RwSignal::default(),
            busy_with: RwSignal::default(),
            reading: RwSignal::default(),
            progress: RwSignal::default(),
            notice: RwSignal::default(),
            uses_helpers,
            inner: StoredValue::new_local(CoreInner::default()),
        };
        core.watch();
        core
    }

    /// Runs `hook` whenever a worker is started.
    pub fn when_starting(self, hook: impl Fn() + 'static) {
        self.inner.update_value(|inner| inner.when_starting.push(Rc::new(hook)));
    }

    /// Runs `hook` whenever the device was lost, before the requests are forgotten and the worker is started again.
    pub fn when_device_lost(self, hook: impl Fn() + 'static) {
        self.inner.update_value(|inner| inner.when_device_lost.push(Rc::new(hook)));
    }

    /// Sets the function by which [`Core::restart`] starts a worker and opens its model.
    pub fn restart_with(self, restart: impl Fn() + 'static) {
        self.inner.update_value(|inner| inner.restart = Some(Rc::new(restart)));
    }

    /// Starts another worker with the same model.
    pub fn restart(self) {
        if let Some(restart) = self.inner.with_value(|inner| inner.restart.clone()) {
            restart();
        }
    }

    /// Starts a worker. Ends the previous worker and drops all requests. The worker's loader fetches the pack in
    /// `folder` immediately. Returns whether a worker was started.
    pub fn start(self, folder: Option<&str>) -> bool {
        let client = Client::start(folder, move |report| self.handle_report(report));
        self.forget_requests();
        self.inner.update_value(|inner| inner.is_listening = false);
        self.worker.set(WorkerState::Opening);
        for hook in self.inner.with_value(|inner| inner.when_starting.clone()) {
            hook();
        }
        self.notice.set(None);
        self.progress.set(None);
        match client {
            Ok(client) => {
                self.inner.update_value(|inner| inner.client = Some(client));
                true
            }
            Err(err) => {
                self.stop(sentence(&err.to_string()));
                false
            }
        }
    }

    /// Asks for work. `take` receives the answer and its buffers; a failure becomes a notice. A newer request of the
    /// same kind replaces a waiting one, and the answer to a replaced request is dropped.
    pub fn ask<T: Work>(
        self,
        task: T,
        take: impl FnOnce(T::Answer, &[Uint8Array]) -> Result<(), UnexpectedAnswer> + 'static,
    ) {
        self.ask_with(task, Attachments::default(), take);
    }

    /// Asks for work as [`Core::ask`] does, with buffers and files that travel with the request.
    pub fn ask_with<T: Work>(
        self,
        task: T,
        attachments: Attachments,
        take: impl FnOnce(T::Answer, &[Uint8Array]) -> Result<(), UnexpectedAnswer> + 'static,
    ) {
        self.ask_for_outcome(task, attachments, move |outcome| match outcome {
            Ok((answer, buffers)) => take(answer, &buffers),
            Err(message) => {
                self.complain(T::KIND, message);
                Ok(())
            }
        });
    }

    /// Asks for work as [`Core::ask_with`] does; `on_end` also receives a failure, even if a newer request of the same
    /// kind waits.
    pub fn ask_for_outcome<T: Work>(
        self,
        task: T,
        attachments: Attachments,
        on_end: impl FnOnce(Outcome<T::Answer>) -> Result<(), UnexpectedAnswer> + 'static,
    ) {
        self.want(
            task.into(),
            attachments,
            Box::new(move |outcome| match outcome {
                Ok((answer, attachments)) => on_end(Ok((answer.try_into()?, attachments.buffers))),
                Err(message) => on_end(Err(message)),
            }),
        );
    }

    /// Asks for work whose answer is a file. A failure becomes a notice.
    pub fn ask_for_file<T: Work>(self, task: T, take: impl FnOnce(T::Answer, &Blob) + 'static) {
        self.want(
            task.into(),
            Attachments::default(),
            Box::new(move |outcome| {
                match outcome {
                    Ok((answer, attachments)) => {
                        take(answer.try_into()?, attachments.files.first().ok_or(UnexpectedAnswer)?);
                    }
                    Err(message) => self.complain(T::KIND, message),
                }
                Ok(())
            }),
        );
    }

    fn want(self, task: Task, attachments: Attachments, on_end: OnEnd) {
        // The replaced request is dropped after the borrow has ended: a closure may own anything.
        let _replaced =
            self.inner.try_update_value(|inner| inner.queue.add(task, WaitingRequest { attachments, on_end }));
        self.post_soon();
    }

    /// Removes the waiting request of a kind. A request under way continues.
    pub fn withdraw(self, kind: TaskKind) {
        let _withdrawn = self.inner.try_update_value(|inner| inner.queue.withdraw(kind));
        self.show_work();
    }

    /// Changes the waiting request of a kind. Returns the result of `change`, or `None` if no request of this kind
    /// waits.
    pub fn change_waiting<R>(self, kind: TaskKind, change: impl FnOnce(&mut Task) -> R) -> Option<R> {
        self.inner.try_update_value(|inner| inner.queue.waiting_mut(kind).map(change)).flatten()
    }

    /// Returns whether a request of a kind waits.
    pub fn is_waiting(self, kind: TaskKind) -> bool {
        self.change_waiting(kind, |_task| ()).is_some()
    }

    /// Returns whether a request of a kind waits or is under way.
    pub fn has(self, kind: TaskKind) -> bool {
        self.inner.with_value(|inner| inner.queue.has(kind))
    }

    /// Returns the kind of the request under way.
    pub fn under_way(self) -> Option<TaskKind> {
        self.inner.with_value(|inner| inner.queue.under_way())
    }

    /// Returns how many of the `count` next requests to announce: 0 if the page's address switches the helper workers
    /// off.
    pub fn ahead(self, count: usize) -> usize {
        if self.uses_helpers { count } else { 0 }
    }

    /// Returns a new number, larger than all earlier ones.
    pub fn next_number(self) -> u32 {
        self.inner.update_value(|inner| inner.number += 1);
        self.inner.with_value(|inner| inner.number)
    }

    /// Runs `work`. Until `work` ends, the page shows that it is reading a file.
    pub fn while_reading(self, work: impl Future<Output = ()> + 'static) {
        self.reading.update(|reading| *reading += 1);
        spawn_local(async move {
            work.await;
            self.reading.update(|reading| *reading -= 1);
        });
    }

    /// Shows a failure that leaves the worker running.
    pub fn complain(self, about: TaskKind, sentence: String) {
        self.notice.set(Some(Notice { about: Some(about), sentence, offers_restart: false }));
    }

    /// Reports that no model is open, and drops all requests. The worker still takes requests.
    pub fn fail(self, sentence: String) {
        self.worker.set(WorkerState::Failed);
        self.forget_requests();
        self.notice.set(Some(Notice { about: Some(TaskKind::Pack), sentence, offers_restart: true }));
    }

    /// Reports that the worker has stopped, and drops all requests. The worker takes no requests any more.
    pub fn stop(self, sentence: String) {
        self.inner.update_value(|inner| inner.is_listening = false);
        self.fail(sentence);
        self.progress.set(None);
        self.show_work();
    }

    /// Returns whether a worker was started and not closed.
    pub fn is_running(self) -> bool {
        self.inner.with_value(|inner| inner.client.is_some())
    }

    /// Ends the worker, which frees its memory, and drops all requests. [`Core::start`] starts another worker.
    pub fn close(self) {
        let _ended = self.inner.try_update_value(|inner| {
            inner.is_listening = false;
            inner.client.take()
        });
        self.forget_requests();
        self.worker.set(WorkerState::Opening);
        self.notice.set(None);
        self.progress.set(None);
        self.show_work();
    }

    /// Returns the worker's state in one word: opening, ready, busy or failed.
    pub fn phase(self) -> &'static str {
        match self.worker.get() {
            WorkerState::Opening => "opening",
            WorkerState::Failed => "failed",
            WorkerState::Open
                if self.busy_with.get().is_some_and(|busy| !busy.kind.is_background())
                    || self.reading.get() > 0 =>
            {
                "busy"
            }
            WorkerState::Open => "ready",
        }
    }

    fn forget_requests(self) {
        let _forgotten = self.inner.try_update_value(|inner| (inner.queue.clear(), inner.on_end.take()));
    }

    /// Posts the next request after all effects of the current change have run, so that a request that an effect
    /// replaces is never posted.
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
            let Some((request, asked)) = inner.queue.start_next() else { return };
            inner.on_end = Some(asked.on_end);
            inner.last_contact = js_sys::Date::now();
            failure = client.post(&request, &asked.attachments).err();
        });
        if let Some(err) = failure {
            self.stop(sentence(&err.to_string()));
        }
    }

    fn show_work(self) {
        let busy_with = self.inner.with_value(|inner| {
            inner.queue.busy_with().map(|task| WorkUnderWay { kind: task.kind(), status: task.status() })
        });
        if self.busy_with.get_untracked() != busy_with {
            self.busy_with.set(busy_with);
        }
    }

    fn handle_report(self, report: WorkerReport) {
        self.inner.update_value(|inner| inner.last_contact = js_sys::Date::now());
        match report {
            WorkerReport::Listening => {
                self.inner.update_value(|inner| inner.is_listening = true);
                self.post_soon();
            }
            WorkerReport::Stopped { sentence } => self.stop(sentence),
            WorkerReport::Answered { id, answer: Answer::Progress(progress), .. } => {
                if self.inner.with_value(|inner| inner.queue.is_under_way(id)) {
                    self.progress.set(Some(progress));
                }
            }
            WorkerReport::Answered { id, answer, attachments } => {
                let finished = self.inner.try_update_value(|inner| {
                    let finished = inner.queue.finish(id)?;
                    Some((finished, inner.on_end.take()?))
                });
                if let Some((finished, on_end)) = finished.flatten() {
                    self.progress.set(None);
                    self.hand_over(&finished, on_end, answer, attachments);
                    self.post_soon();
                }
            }
        }
    }

    /// Passes the outcome of a request to the feature that asked.
    fn hand_over(self, finished: &FinishedRequest, on_end: OnEnd, answer: Answer, attachments: Attachments) {
        let kind = finished.task.kind();
        let outcome = match answer {
            Answer::DeviceLost => return self.recover(),
            Answer::Failed { message } => Err(message),
            // A photo or model is the worker's current one from now on, even if another one waits. Other superseded
            // answers are dropped.
            _ if finished.superseded && !matches!(kind, TaskKind::Photo | TaskKind::Pack) => return,
            answer => Ok((answer, attachments)),
        };
        let is_success = outcome.is_ok();
        match on_end(outcome) {
            Ok(()) if is_success => self.settle_notice(kind),
            Ok(()) => {}
            Err(err) => self.complain(kind, sentence(&err.to_string())),
        }
    }

    /// Removes the notice about a kind of work that has now succeeded. A photo that succeeds removes the notice about
    /// any kind.
    fn settle_notice(self, kind: TaskKind) {
        let is_settled =
            |notice: &Notice| notice.about.is_some_and(|about| about == kind || kind == TaskKind::Photo);
        if self.notice.with_untracked(|notice| notice.as_ref().is_some_and(is_settled)) {
            self.notice.set(None);
        }
    }
}

/// Returns the floats of the buffer at `index`.
///
/// # Errors
/// If there is no such buffer.
pub fn floats_of(buffers: &[Uint8Array], index: usize) -> Result<Vec<f32>, UnexpectedAnswer> {
    buffers.get(index).map(crate::protocol::wire::f32_of_buffer).ok_or(UnexpectedAnswer)
}

/// Returns the `count` floats of one buffer.
///
/// # Errors If the buffer has another number of floats.
pub fn exactly_floats(buffers: &[Uint8Array], index: usize, count: usize) -> Result<Vec<f32>, UnexpectedAnswer> {
    floats_of(buffers, index)
        .and_then(|values| if values.len() == count { Ok(values) } else { Err(UnexpectedAnswer) })
}

/// Returns the `count` bytes of one buffer.
///
/// # Errors If the buffer has another number of bytes.
pub fn exactly_bytes(buffers: &[Uint8Array], index: usize, count: usize) -> Result<Vec<u8>, UnexpectedAnswer> {
    let bytes = buffers.get(index).map(Uint8Array::to_vec).ok_or(UnexpectedAnswer)?;
    if bytes.len() == count { Ok(bytes) } else { Err(UnexpectedAnswer) }
}
