//! The table of all tasks. The table generates the enums [`Task`] and [`Answer`], which are sent.
//!
//! To add a task: define its struct in the feature's file, add a row to [`tasks!`] below (and one to [`answers!`] if
//! its answer is new), handle it in `worker/`, and show the answer in the page.

use serde::{Deserialize, Serialize};

use super::completeness::{Completeness, MeasureCompleteness};
use super::cues::{CueReport, FindCues};
use super::gallery::{
    AddToGallery, ClearGallery, FindOutlyingPictures, GalleryOpened, GalleryRanked, GalleryStored, OpenGallery,
    PictureAdded, RankGallery, ReadThumbnails, StoreGallery, Thumbnails,
};
use super::heads::{
    AllHeadLabels, EmbedPool, HeadLabels, HeadMap, HeadNaming, LabelAllHeads, LabelHead, MapHeads, NameHeads,
    PoolProgress, StatisticsReady, UsePool, UseStatistics,
};
use super::model::{LoadModel, OpenPack, PackSummary, SaveModel, SavedModel};
use super::photo::{
    Attribute, Attribution, ExportMask, MaskPng, PhotoSummary, Reframe, Segment, Segmented, TracePhoto,
};
use super::task_kind::TaskKind;
use super::task_progress::TaskProgress;
use super::video::{
    ExportJson, ExportMasks, ExportedFile, ForgetMasks, FrameSegmented, FrameSummary, FramesScored, LabelTracks,
    MasksForgotten, OpenVideo, Propagate, PropagatedFrame, Retrack, Retracked, SampleVideo, SampledVideo,
    ScoreFrames, ScoresSplit, SegmentFrame, SplitScores, TraceFrame, TracksLabelled, UseVideoStatistics,
    VideoSummary,
};

/// A unit of work that the page sends to the worker.
pub trait Work: Into<Task> + Clone + 'static {
    /// The type of the worker's answer.
    type Answer: Into<Answer> + TryFrom<Answer, Error = UnexpectedAnswer>;
    /// The place in the request queue: the priority, and which waiting request a newer one replaces.
    const KIND: TaskKind;
    /// The status line while the work is under way.
    const STATUS: &'static str;
}

/// An answer whose type does not belong to its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the worker's answer does not fit the request: reload the page")]
pub struct UnexpectedAnswer;

/// Defines the enums of tasks from rows of
/// `name on the wire (struct) -> answer, kind, status line;`
macro_rules! tasks {
    (
        Task { $($variant:ident($(#[$serde:meta])? $task:ident) -> $answer:ident, $kind:ident, $status:literal;)* }
        VideoTask { $($of_video:ident($video_task:ident) -> $video_answer:ident, $video_kind:ident, $video_status:literal;)* }
    ) => {
        /// Every task, in the form that is sent.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Task {
            $($variant($(#[$serde])? $task),)*
            Video(VideoTask),
        }

        /// Every task about a video, in the form that is sent.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum VideoTask {
            $($of_video($video_task),)*
        }

        impl Task {
            /// Returns [`Work::KIND`] of the task.
            pub fn kind(&self) -> TaskKind {
                match self {
                    $(Self::$variant(_) => <$task as Work>::KIND,)*
                    Self::Video(task) => task.kind(),
                }
            }

            /// Returns [`Work::STATUS`] of the task.
            pub fn status(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$task as Work>::STATUS,)*
                    Self::Video(task) => task.status(),
                }
            }
        }

        impl VideoTask {
            /// Returns the number of the video that the task is about.
            pub fn video(&self) -> u32 {
                match self {
                    $(Self::$of_video(task) => task.video,)*
                }
            }

            /// Returns [`Work::KIND`] of the task.
            pub fn kind(&self) -> TaskKind {
                match self {
                    $(Self::$of_video(_) => <$video_task as Work>::KIND,)*
                }
            }

            /// Returns [`Work::STATUS`] of the task.
            pub fn status(&self) -> &'static str {
                match self {
                    $(Self::$of_video(_) => <$video_task as Work>::STATUS,)*
                }
            }
        }

        $(
            impl Work for $task {
                type Answer = $answer;
                const KIND: TaskKind = TaskKind::$kind;
                const STATUS: &'static str = $status;
            }

            impl From<$task> for Task {
                fn from(task: $task) -> Self {
                    Self::$variant(task)
                }
            }
        )*

        $(
            impl Work for $video_task {
                type Answer = $video_answer;
                const KIND: TaskKind = TaskKind::$video_kind;
                const STATUS: &'static str = $video_status;
            }

            impl From<$video_task> for Task {
                fn from(task: $video_task) -> Self {
                    Self::Video(VideoTask::$of_video(task))
                }
            }
        )*
    };
}

/// Defines the enums of answers from rows of `name on the wire (struct);`
macro_rules! answers {
    (
        Answer { $($variant:ident($(#[$serde:meta])? $answer:ident);)* }
        VideoAnswer { $($of_video:ident($(#[$video_serde:meta])? $video_answer:ident);)* }
    ) => {
        /// Everything that the worker sends: answers, progress and failures.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Answer {
            /// The work continues; more messages with the same number follow.
            Progress(TaskProgress),
            /// The work failed, and nothing else is lost. The sentence says what to do.
            Failed { message: String },
            /// The device that the model runs on does not answer any more. A new worker can try this device again, or
            /// use the CPU.
            DeviceLost,
            $($variant($(#[$serde])? $answer),)*
            Video(VideoAnswer),
        }

        /// Every answer about a video.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum VideoAnswer {
            $($of_video($(#[$video_serde])? $video_answer),)*
        }

        $(
            impl From<$answer> for Answer {
                fn from(answer: $answer) -> Self {
                    Self::$variant(answer)
                }
            }

            impl TryFrom<Answer> for $answer {
                type Error = UnexpectedAnswer;

                fn try_from(answer: Answer) -> Result<Self, UnexpectedAnswer> {
                    match answer {
                        Answer::$variant(answer) => Ok(answer),
                        _ => Err(UnexpectedAnswer),
                    }
                }
            }
        )*

        $(
            impl From<$video_answer> for Answer {
                fn from(answer: $video_answer) -> Self {
                    Self::Video(VideoAnswer::$of_video(answer))
                }
            }

            impl TryFrom<Answer> for $video_answer {
                type Error = UnexpectedAnswer;

                fn try_from(answer: Answer) -> Result<Self, UnexpectedAnswer> {
                    match answer {
                        Answer::Video(VideoAnswer::$of_video(answer)) => Ok(answer),
                        _ => Err(UnexpectedAnswer),
                    }
                }
            }
        )*
    };
}

// A task or answer without fields is sent as its name only, hence `serde(skip)`.
tasks! {
    Task {
        OpenPack(OpenPack) -> PackSummary, Pack, "Opening the model…";
        LoadModel(LoadModel) -> PackSummary, Pack, "Opening the model…";
        SaveModel(#[serde(skip)] SaveModel) -> SavedModel, SavedModel, "Collecting the model's files…";
        TracePhoto(TracePhoto) -> PhotoSummary, Photo, "Running the model on the photo…";
        Reframe(Reframe) -> PhotoSummary, Photo, "Running the model on the photo…";
        Attribute(Attribute) -> Attribution, Scores, "Scoring the phrases…";
        Segment(Segment) -> Segmented, Segmentation, "Segmenting…";
        ExportMask(ExportMask) -> MaskPng, Mask, "Writing the mask…";
        HeadMap(MapHeads) -> HeadMap, HeadMap, "Mapping the head…";
        LabelHead(LabelHead) -> HeadLabels, Labels, "Labelling the head…";
        LabelAllHeads(LabelAllHeads) -> AllHeadLabels, AllLabels, "Labelling every head…";
        NameHeads(#[serde(skip)] NameHeads) -> HeadNaming, HeadNames, "Naming the heads…";
        UsePool(UsePool) -> PoolProgress, Pool, "Reading the texts…";
        EmbedPool(#[serde(skip)] EmbedPool) -> PoolProgress, PoolPart, "Preparing the texts…";
        UseStatistics(UseStatistics) -> StatisticsReady, Statistics, "Reading the images…";
        OpenGallery(#[serde(skip)] OpenGallery) -> GalleryOpened, Gallery, "Opening the gallery…";
        AddToGallery(AddToGallery) -> PictureAdded, GalleryPicture, "Looking at the gallery's pictures…";
        StoreGallery(#[serde(skip)] StoreGallery) -> GalleryStored, GalleryStoring, "Saving the gallery…";
        Thumbnails(ReadThumbnails) -> Thumbnails, Thumbnails, "Opening the gallery…";
        RankGallery(RankGallery) -> GalleryRanked, Ranking, "Sorting the gallery…";
        OutlyingPictures(FindOutlyingPictures) -> GalleryRanked, OutlyingPictures, "Searching the gallery…";
        ClearGallery(#[serde(skip)] ClearGallery) -> GalleryOpened, Gallery, "Opening the gallery…";
        FindCues(FindCues) -> CueReport, Cues, "Looking for heads that follow the nuisance…";
        MeasureCompleteness(MeasureCompleteness) -> Completeness, Completeness, "Measuring completeness…";
    }
    VideoTask {
        Open(OpenVideo) -> VideoSummary, Video, "Opening the video…";
        Sample(SampleVideo) -> SampledVideo, Sampling, "Opening the video…";
        TraceFrame(TraceFrame) -> FrameSummary, Frame, "Running the model on the video's frames…";
        Retrack(Retrack) -> Retracked, Retrack, "Following the objects…";
        ScoreFrames(ScoreFrames) -> FramesScored, FrameScores, "Scoring the frames…";
        SplitScores(SplitScores) -> ScoresSplit, SplitScores, "Scoring the frames…";
        SegmentFrame(SegmentFrame) -> FrameSegmented, FrameSegmentation, "Segmenting the frame…";
        Propagate(Propagate) -> PropagatedFrame, Propagation, "Propagating the masks…";
        ForgetMasks(ForgetMasks) -> MasksForgotten, Forgetting, "Removing the masks…";
        LabelTracks(LabelTracks) -> TracksLabelled, TrackLabels, "Naming the objects…";
        UseStatistics(UseVideoStatistics) -> StatisticsReady, Statistics, "Reading the images…";
        ExportJson(ExportJson) -> ExportedFile, VideoExport, "Writing the file…";
        ExportMasks(ExportMasks) -> ExportedFile, VideoExport, "Writing the file…";
    }
}

answers! {
    Answer {
        PackOpened(PackSummary);
        SavedModel(SavedModel);
        PhotoTraced(PhotoSummary);
        Attributed(Attribution);
        Segmented(Segmented);
        MaskPng(#[serde(skip)] MaskPng);
        HeadMap(HeadMap);
        HeadLabels(HeadLabels);
        AllHeadLabels(AllHeadLabels);
        HeadNaming(HeadNaming);
        PoolProgress(PoolProgress);
        StatisticsReady(StatisticsReady);
        GalleryOpened(GalleryOpened);
        PictureAdded(PictureAdded);
        GalleryStored(#[serde(skip)] GalleryStored);
        Thumbnails(#[serde(skip)] Thumbnails);
        GalleryRanked(GalleryRanked);
        Cues(CueReport);
        Completeness(Completeness);
    }
    VideoAnswer {
        Opened(VideoSummary);
        Sampled(SampledVideo);
        FrameTraced(FrameSummary);
        Retracked(Retracked);
        Scored(FramesScored);
        Split(ScoresSplit);
        FrameSegmented(FrameSegmented);
        Propagated(PropagatedFrame);
        MasksForgotten(#[serde(skip)] MasksForgotten);
        TracksLabelled(TracksLabelled);
        File(ExportedFile);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Grid, PhotoRect};
    use crate::protocol::Request;

    fn json(message: impl Serialize) -> String {
        serde_json::to_string(&message).unwrap()
    }

    #[test]
    fn tasks_keep_their_form_on_the_wire() {
        let framing = crate::geometry::Framing::WholePhoto;
        let request = Request { id: 3, task: Reframe { framing }.into() };
        assert_eq!(json(request), r#"{"id":3,"task":{"Reframe":{"framing":"WholePhoto"}}}"#);
        assert_eq!(json(Task::from(OpenGallery)), r#""OpenGallery""#);
        assert_eq!(json(Task::from(ForgetMasks { video: 7 })), r#"{"Video":{"ForgetMasks":{"video":7}}}"#);
        let read: Task = serde_json::from_str(r#""StoreGallery""#).unwrap();
        assert_eq!(read, StoreGallery.into());
    }

    #[test]
    fn answers_keep_their_form_on_the_wire() {
        assert_eq!(json(Answer::from(MaskPng)), r#""MaskPng""#);
        assert_eq!(json(Answer::from(MasksForgotten)), r#"{"Video":"MasksForgotten"}"#);
        let statistics = StatisticsReady { images: 2, not_stored: None };
        assert_eq!(json(Answer::from(statistics)), r#"{"StatisticsReady":{"images":2,"not_stored":null}}"#);
        let read: Answer = serde_json::from_str(r#"{"Video":"MasksForgotten"}"#).unwrap();
        assert_eq!(MasksForgotten::try_from(read), Ok(MasksForgotten));
    }

    #[test]
    fn an_answer_of_another_type_is_refused() {
        let crop_in_photo = PhotoRect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
        let map = HeadMap { grid: Grid { rows: 1, columns: 1 }, crop_in_photo };
        assert_eq!(HeadMap::try_from(Answer::from(map.clone())), Ok(map.clone()));
        assert_eq!(StatisticsReady::try_from(Answer::from(map)), Err(UnexpectedAnswer));
        assert_eq!(Retracked::try_from(Answer::DeviceLost), Err(UnexpectedAnswer));
    }
}
