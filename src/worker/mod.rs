//! The browser's compute worker. It takes the page's requests one after another and answers each request.
//!
//! The worker is a thin layer over [`Session`]. It adds the current photo, the gallery, the video, progress reports,
//! and the transferred buffers. A request that fails changes nothing. To cancel, the page ends the worker.

mod allocator;
mod archive;
mod completeness;
mod cues;
mod download;
mod error;
mod fetch;
mod gallery;
mod gallery_files;
mod heads;
mod helper;
mod helpers;
mod import;
mod kept_labels;
mod load_model;
mod nested_worker;
mod open;
mod open_video;
mod pack_store;
mod photo;
mod pool;
mod progress;
mod save_model;
mod state;
mod summary;
mod video;

use async_channel::Receiver;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{Blob, MessageEvent};

pub use self::allocator::ReportingAllocator;

use self::error::WorkerError;
use self::progress::{ProgressReporter, post, scope};
use self::state::{Reply, Worker};
use crate::protocol::wire::{self, Attachments};
use crate::protocol::{Answer, GREETING, Request, Response, Task, VideoTask, sentence};
use crate::session::device;

/// Converts a typed reply to the form that is sent.
fn wired<A: Into<Answer>>(handled: Result<Reply<A>, WorkerError>) -> Result<Reply<Answer>, WorkerError> {
    handled.map(|Reply { answer, attachments }| Reply { answer: answer.into(), attachments })
}

/// Serves the page, or the main worker if this worker is its helper, until this worker ends.
pub fn listen() {
    let messages = messages();
    wasm_bindgen_futures::spawn_local(async move {
        match scope().name() == helper::NAME {
            true => helper::serve(messages).await,
            false => serve(messages).await,
        }
    });
}

/// Returns the messages that are posted to this worker.
fn messages() -> Receiver<JsValue> {
    let (post, messages) = async_channel::unbounded();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        // The channel is never closed nor full.
        let _sent = post.try_send(event.data());
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    allocator::explain_end();
    messages
}

/// Greets the page and takes its requests.
async fn serve(messages: Receiver<JsValue>) {
    ProgressReporter::new(GREETING).phase("Ready");
    let mut worker = Worker::default();
    while let Ok(message) = messages.recv().await {
        worker.serve(&message).await;
    }
}

impl Worker {
    async fn serve(&mut self, message: &JsValue) {
        let (Request { id, task }, attachments) = match wire::unwrap(message) {
            Ok(request) => request,
            // Without its number, the request cannot be answered. The page receives an error event of the worker.
            Err(err) => wasm_bindgen::throw_str(&err.to_string()),
        };
        let reporter = ProgressReporter::new(id);
        allocator::forget_failure();
        let Reply { answer, attachments } = match self.answer(task, attachments, &reporter).await {
            Ok(reply) => reply,
            Err(err) => Reply::plain(self.failure(&err).await),
        };
        post(&Response { id, answer }, attachments);
    }

    /// Returns the answer for work that failed, either because the device was lost or because of the work itself. Only
    /// this function turns an error into a sentence.
    async fn failure(&self, err: &WorkerError) -> Answer {
        match &self.session {
            Some(session) if !device::works(session.backend()).await => Answer::DeviceLost,
            _ => Answer::Failed { message: sentence(&err.to_string()) },
        }
    }

    /// Passes a task to its handler, one row per task. Each handler returns [`state::Handled`].
    async fn answer(
        &mut self,
        task: Task,
        attachments: Attachments,
        report: &ProgressReporter,
    ) -> Result<Reply<Answer>, WorkerError> {
        let Attachments { buffers, files } = attachments;
        match task {
            Task::OpenPack(task) => wired(self.open_pack(task, report).await),
            Task::LoadModel(task) => wired(self.load_model(task, &files, report).await),
            Task::SaveModel(task) => wired(self.save_model(task).await),
            Task::TracePhoto(task) => wired(self.trace_photo(task, buffers, report).await),
            Task::Reframe(task) => wired(self.reframe(task, report).await),
            Task::Attribute(task) => wired(self.attribute(task).await),
            Task::Segment(task) => wired(self.segment(task).await),
            Task::ExportMask(task) => wired(self.export_mask(task).await),
            Task::HeadMap(task) => wired(self.map_heads(task).await),
            Task::LabelHead(task) => wired(self.label_head(task)),
            Task::LabelAllHeads(task) => wired(self.label_all_heads(task, report)),
            Task::NameHeads(task) => wired(self.name_heads(task)),
            Task::UsePool(task) => wired(self.use_pool(task).await),
            Task::EmbedPool(task) => wired(self.embed_pool(task).await),
            Task::UseStatistics(task) => wired(self.use_statistics(task, &buffers).await),
            Task::OpenGallery(task) => wired(self.open_gallery(task).await),
            Task::AddToGallery(task) => wired(self.add_to_gallery(task, &files).await),
            Task::StoreGallery(task) => wired(self.store_gallery(task)),
            Task::Thumbnails(task) => wired(self.read_thumbnails(task)),
            Task::RankGallery(task) => wired(self.rank_gallery(task).await),
            Task::OutlyingPictures(task) => wired(self.find_outlying_pictures(&task)),
            Task::ClearGallery(task) => wired(self.clear_gallery(task)),
            Task::FindCues(task) => wired(self.find_cues(task).await),
            Task::MeasureCompleteness(task) => wired(self.measure_completeness(task, report).await),
            Task::Video(task) => self.answer_video(task, files, report).await,
        }
    }

    /// Passes a task about a video to its handler.
    async fn answer_video(
        &mut self,
        task: VideoTask,
        files: Vec<Blob>,
        report: &ProgressReporter,
    ) -> Result<Reply<Answer>, WorkerError> {
        match task {
            VideoTask::Open(task) => wired(self.open_video(task, files).await),
            VideoTask::Sample(task) => wired(self.sample_video(task)),
            VideoTask::TraceFrame(task) => wired(self.trace_frame(task).await),
            VideoTask::Retrack(task) => wired(self.retrack(task)),
            VideoTask::ScoreFrames(task) => wired(self.score_frames(task).await),
            VideoTask::SplitScores(task) => wired(self.split_scores(task).await),
            VideoTask::SegmentFrame(task) => wired(self.segment_frame(task).await),
            VideoTask::Propagate(task) => wired(self.propagate(task).await),
            VideoTask::ForgetMasks(task) => wired(self.forget_masks(task)),
            VideoTask::LabelTracks(task) => wired(self.label_tracks(task, report).await),
            VideoTask::UseStatistics(task) => wired(self.use_video_statistics(task).await),
            VideoTask::ExportJson(task) => wired(self.export_json(&task)),
            VideoTask::ExportMasks(task) => wired(self.export_masks(task, report)),
        }
    }
}
