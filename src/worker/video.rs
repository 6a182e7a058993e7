//! The worker's part in videos: the open one, its frames on demand, and the answers to what is asked of them.

use std::collections::BTreeMap;

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::error::WorkerError;
use super::hands::{Key, PieceError, Prepared};
use super::report::{Reporter, now};
use super::{Handled, Reply, Worker};
use crate::ablate::Ablation;
use crate::foreground;
use crate::geometry::{CropFromPhoto, Framing};
use crate::media::video::Video;
use crate::media::{self, Photo};
use crate::protocol::sampling::{self, ModelSize, Sampling};
use crate::protocol::video::{
    ExportJson, ExportMasks, ExportedFile, ForgetMasks, FrameObjects, FrameSeconds, FrameSegmented, FrameSummary,
    FramesScored, LabelTracks, MasksForgotten, MasksOf, OpenVideo as OpenVideoTask, Propagate, PropagatedFrame,
    Retrack, Retracked, Run, SampleVideo, SampledVideo, ScoreFrames, ScoresSplit, SeedKind, SegmentFrame,
    SplitScores, TraceFrame, TrackLabels, TracksLabelled, UseVideoStatistics, VideoSource, VideoSummary,
};
use crate::protocol::{AHEAD, StatisticsReady, wire};
use crate::segment::SoftMap;
use crate::session::video::export::{self, FrameMasks, Masks, ObjectMask};
use crate::session::video::follow::Follower;
use crate::session::video::study::{self, StudiedFrame, Study};
use crate::session::{EngineError, Session};
use crate::text::units::file_stem;
use crate::track::{Features, TrackedFrame};

/// An open video, and what has been made of it.
pub(super) struct OpenVideo {
    reel: Reel,
    summary: VideoSummary,
    /// Seconds from which each sampled frame is shown.
    times: Vec<f64>,
    study: Option<Study>,
    follower: Follower,
    /// The photo decoded last, as one frame is often asked for more than once.
    last: Option<(usize, Photo)>,
}

/// Where frames come from.
enum Reel {
    File { video: Box<Video>, times: Vec<f64> },
    Pictures { names: Vec<String>, blobs: Vec<Blob>, times: Vec<f64> },
}

impl Reel {
    async fn open(source: VideoSource, files: Vec<Blob>) -> Result<(Self, VideoSummary), WorkerError> {
        match source {
            VideoSource::Pictures { names, times } => {
                let (Some(first), Some(blob)) = (names.first(), files.first()) else {
                    return Err(WorkerError::NoPictures);
                };
                let photo = picture(first, blob).await?;
                let apart = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max).max(0.04);
                let summary = VideoSummary {
                    name: first.clone(),
                    size: photo.size,
                    duration: times.last().copied().unwrap_or_default() + apart,
                    frames: names.len(),
                    rate: 1.0 / apart,
                    coding: "pictures".to_owned(),
                };
                Ok((Self::Pictures { names, blobs: files, times }, summary))
            }
            VideoSource::File { name } => {
                let blob = files.into_iter().next().ok_or(WorkerError::NoFile)?;
                let video = Video::open(&name, blob).await?;
                let info = video.info();
                let times: Vec<f64> = info.times.iter().map(|micros| *micros as f64 / 1e6).collect();
                let ending = if info.is_cut_off { ", cut off" } else { "" };
                let summary = VideoSummary {
                    name,
                    size: info.size,
                    duration: info.duration as f64 / 1e6,
                    frames: times.len(),
                    rate: info.rate,
                    coding: format!("{} in {}{ending}", info.codec, info.container),
                };
                Ok((Self::File { video: Box::new(video), times }, summary))
            }
        }
    }

    /// The seconds from which frames are shown that are to be looked at.
    fn sample(&self, sampling: &Sampling, duration: f64) -> Vec<f64> {
        match self {
            Self::File { times, .. } | Self::Pictures { times, .. } => {
                sampling.pick(times, duration).into_iter().map(|at| times[at]).collect()
            }
        }
    }

    async fn frame_at(&mut self, time: f64) -> Result<Photo, WorkerError> {
        match self {
            // Between two frames' times, whichever way they were rounded.
            Self::File { video, .. } => Ok(video.frame_at((time * 1e6).round() as i64).await?),
            Self::Pictures { names, blobs, times } => {
                let index = times.partition_point(|at| *at <= time + 1e-6).saturating_sub(1);
                let (Some(name), Some(blob)) = (names.get(index), blobs.get(index)) else {
                    return Err(WorkerError::PictureGone);
                };
                picture(name, blob).await
            }
        }
    }
}

async fn picture(name: &str, blob: &Blob) -> Result<Photo, WorkerError> {
    let buffer = JsFuture::from(blob.array_buffer()).await;
    let buffer = buffer.map_err(|_gone| WorkerError::FrameUnreadable(name.to_owned()))?;
    Ok(media::decode(name, &Uint8Array::new(&buffer).to_vec()).await?)
}

impl OpenVideo {
    async fn photo(&mut self, index: usize) -> Result<&Photo, WorkerError> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != index) {
            let time = self.times.get(index).ok_or(WorkerError::NotSampled)?;
            // Let the old one go first.
            self.last = None;
            let photo = self.reel.frame_at(*time).await?;
            self.last = Some((index, photo));
        }
        self.last.as_ref().map(|(_, photo)| photo).ok_or(WorkerError::FrameGone)
    }

    /// A frame, decoded and framed.
    async fn prepared(
        &mut self,
        session: &Session,
        index: usize,
        framing: Framing,
    ) -> Result<Prepared, PieceError> {
        let photo = self.photo(index).await.map_err(PieceError::Picture)?;
        let (frame, crop) = session.crop(photo, framing).map_err(|err| PieceError::Model(err.into()))?;
        Ok(Prepared { frame, crop, thumbnail: Vec::new() })
    }

    fn study(&self) -> Result<&Study, WorkerError> {
        self.study.as_ref().ok_or(WorkerError::NoFrames)
    }
}

impl OpenVideo {
    /// The masks of all frames that have any.
    fn masks(&self, of: MasksOf) -> Result<Vec<FrameMasks>, WorkerError> {
        let of_frame = |index: usize, frame: CropFromPhoto, masks: Masks| {
            let time = self.times.get(index).copied().unwrap_or_default();
            FrameMasks { index, time, frame, masks }
        };
        Ok(match of {
            MasksOf::Tracks => {
                let frames = self.study()?.frames.iter();
                frames.map(|at| of_frame(at.index, at.frame, Masks::Patches(masks_of_tracks(at)))).collect()
            }
            MasksOf::Propagation => {
                let masks = self.follower.masks.iter();
                masks.map(|(index, (frame, soft))| of_frame(*index, *frame, Masks::Soft(soft.clone()))).collect()
            }
        })
    }

    fn file_name(&self, of: MasksOf, ending: &str) -> String {
        let what = if of == MasksOf::Tracks { "tracks" } else { "masks" };
        format!("{}.{ending}", file_stem(&format!("{} {what}", self.summary.name)))
    }
}

impl Worker {
    pub(super) async fn open_video(&mut self, task: OpenVideoTask, files: Vec<Blob>) -> Handled<OpenVideoTask> {
        let (reel, summary) = Reel::open(task.source, files).await?;
        let answer = summary.clone();
        let (times, study, follower, last) = (Vec::new(), None, Follower::default(), None);
        self.video = Some(OpenVideo { reel, summary, times, study, follower, last });
        self.hands.forget();
        Ok(Reply::plain(answer))
    }

    pub(super) fn sample_video(&mut self, SampleVideo { sampling, .. }: SampleVideo) -> Handled<SampleVideo> {
        self.hands.forget();
        let (session, video) = self.with_video()?;
        let times = video.reel.sample(&sampling, video.summary.duration);
        let config = &session.model().config.vision;
        let model = ModelSize {
            layers: config.layers,
            heads: config.heads,
            width: config.width,
            patch: config.patch,
            image_size: config.image_size,
            embedding: session.model().config.embedding,
        };
        let grid = model.grid(video.summary.size, sampling.framing);
        let bytes = sampling::memory(model, grid, times.len())?;
        video.study = Some(Study::new(session, sampling, Vec::new()));
        video.follower = Follower::default();
        video.last = None;
        video.times.clone_from(&times);
        Ok(Reply::plain(SampledVideo { times, sampling, grid, bytes }))
    }

    pub(super) async fn trace_frame(&mut self, task: TraceFrame) -> Handled<TraceFrame> {
        let TraceFrame { index, ahead, .. } = task;
        let (Some(session), Some(video)) = (&self.session, &mut self.video) else {
            return Err(WorkerError::NoVideo);
        };
        let study = video.study()?;
        if let Some(known) = study.frame(index) {
            return Ok(frame_traced(known, study.heads.clone(), FrameSeconds::default()));
        }
        let framing = study.sampling.framing;
        let is_new = |index: &usize| study.frame(*index).is_none();
        let frames: Vec<usize> = (index..video.times.len()).filter(is_new).take(1 + ahead.min(AHEAD)).collect();
        let line: Vec<Key> = frames.iter().copied().map(Key::Frame).collect();
        let start = now();
        let mut decode = 0.0;
        let prepare = async |place: usize| {
            let start = now();
            let prepared = video.prepared(session, frames[place], framing).await;
            decode += now() - start;
            prepared
        };
        let looked = self.hands.look(session, &line, prepare).await?;
        let encode = now() - start - decode;
        let features = looked.features.ok_or(WorkerError::NoPatches)?;
        let study = video.study.as_mut().ok_or(WorkerError::NoFrames)?;
        study.push(session, index, &looked.traced, &features)?;
        let track = now() - start - decode - encode;
        let frame = study.frame(index).ok_or(WorkerError::FrameGone)?;
        Ok(frame_traced(frame, study.heads.clone(), FrameSeconds { decode, encode, track }))
    }

    pub(super) fn retrack(&mut self, Retrack { heads, .. }: Retrack) -> Handled<Retrack> {
        let (_, video) = self.with_video()?;
        let study = video.study.as_mut().ok_or(WorkerError::NoFrames)?;
        study.retrack(heads)?;
        let frames = study.frames.iter().map(|frame| objects_of(&frame.tracked)).collect();
        let tracks: Vec<f32> =
            study.frames.iter().flat_map(|frame| frame.tracked.tracks.iter().copied()).collect();
        Ok(Reply::with_floats(Retracked { frames }, &tracks))
    }

    pub(super) async fn score_frames(&mut self, task: ScoreFrames) -> Handled<ScoreFrames> {
        let units = self.session_mut()?.embed(&task.phrases, task.templates).await?;
        let (_, video) = self.with_video()?;
        let study = video.study()?;
        Ok(Reply::with_floats(FramesScored { frames: study.frames.len() }, &study.scores(&units)))
    }

    pub(super) async fn split_scores(&mut self, task: SplitScores) -> Handled<SplitScores> {
        let units = self.session_mut()?.embed(&[task.phrase], task.templates).await?;
        let (session, video) = self.with_video()?;
        let study = video.study()?;
        let direction = session.direction(units.first().map_or(&[], Vec::as_slice));
        let parts = study.parts(&session.model().readout, &direction);
        Ok(Reply::with_floats(ScoresSplit { frames: study.frames.len() }, &parts))
    }

    pub(super) async fn segment_frame(&mut self, task: SegmentFrame) -> Handled<SegmentFrame> {
        let SegmentFrame { index, phrase, against, background, .. } = task;
        let mut texts = vec![phrase.clone()];
        texts.extend(Session::contrast(&phrase, &against, background));
        let units = self.session_mut()?.embed(&texts, false).await?;
        let (session, video) = self.with_video()?;
        let framing = video.study()?.sampling.framing;
        let photo = video.photo(index).await?;
        let traced = session.trace(photo, framing).await?;
        let (text, contrast) = units.split_first().ok_or(WorkerError::NoPhrase)?;
        let map = session.segment(&traced, text, contrast, &Ablation::default())?;
        let SoftMap { size, threshold, is_empty, values } = map;
        let crop_in_frame = traced.frame.crop_in_photo();
        Ok(Reply::with_floats(FrameSegmented { size, crop_in_frame, threshold, empty: is_empty }, &values))
    }

    pub(super) async fn propagate(&mut self, Propagate { run, index, .. }: Propagate) -> Handled<Propagate> {
        let start = now();
        let scores = self.phrase_scores(&run, index).await?;
        let (session, video) = self.with_video()?;
        let (frame, features) = fine_features(session, video, run.short_side, index).await?;
        let masks = video.follower.step(&run, index, (frame, &features), &scores)?;
        let answer = PropagatedFrame {
            index,
            grid: masks.grid,
            crop_in_frame: frame.crop_in_photo(),
            objects: (1..masks.channels as u32).collect(),
            seconds: now() - start,
        };
        Ok(Reply::with_floats(answer, &masks.values))
    }

    /// The patches' scores of the phrases that seed a frame, each against common backgrounds.
    async fn phrase_scores(&mut self, run: &Run, index: usize) -> Result<BTreeMap<String, Vec<f64>>, WorkerError> {
        let mut scores = BTreeMap::new();
        for seed in run.seeds.iter().filter(|seed| seed.frame == index) {
            let SeedKind::Phrase(phrase) = &seed.kind else { continue };
            let mut texts = vec![phrase.clone()];
            texts.extend(Session::contrast(phrase, &[], true));
            let units = self.session_mut()?.embed(&texts, false).await?;
            let (session, video) = self.with_video()?;
            let framing = Framing::Frame { short_side: run.short_side };
            let traced = session.trace(video.photo(index).await?, framing).await?;
            let (text, contrast) = units.split_first().ok_or(WorkerError::NoPhrase)?;
            scores.insert(phrase.clone(), session.patch_scores(&traced, text, contrast));
        }
        Ok(scores)
    }

    /// Finds the texts of the pool that score highest for each object, on the frame where the object stands out most.
    pub(super) async fn label_tracks(&mut self, task: LabelTracks, report: &Reporter) -> Handled<LabelTracks> {
        let (session, video) = self.with_video()?;
        let pool = session.pool().ok_or(EngineError::NoPool)?;
        let mut tellings = video.study()?.tellings();
        tellings.sort_by_key(|(_object, index)| *index);
        let total = tellings.len();
        let mut tracks = Vec::with_capacity(total);
        let mut at_hand = None;
        for (done, (object, index)) in tellings.into_iter().enumerate() {
            report.items("Describing the objects", done, total);
            let framing = video.study()?.sampling.framing;
            if at_hand.as_ref().is_none_or(|(of, _)| *of != index) {
                let traced = session.trace(video.photo(index).await?, framing).await?;
                at_hand = Some((index, traced));
            }
            let Some((_, traced)) = &at_hand else { continue };
            let vector = video.study()?.object_vector(session, traced, index, object);
            let best =
                vector.map(|vector| study::best_texts(&vector, &pool.embeddings, task.count)).unwrap_or_default();
            let labels = best.into_iter().map(|(line, score)| (pool.lines[line].clone(), score)).collect();
            tracks.push(TrackLabels { object: object.0 as u32, labels });
        }
        Ok(Reply::plain(TracksLabelled { tracks }))
    }

    pub(super) fn use_video_statistics(&mut self, _: UseVideoStatistics) -> Handled<UseVideoStatistics> {
        let (_, video) = self.with_video()?;
        let statistics = video.study()?.statistics().clone();
        let images = statistics.images();
        if images < 2 {
            return Err(WorkerError::FewFrames);
        }
        self.session_mut()?.use_statistics(Some(statistics));
        Ok(Reply::plain(StatisticsReady { images }))
    }

    pub(super) fn forget_masks(&mut self, _: ForgetMasks) -> Handled<ForgetMasks> {
        let (_, video) = self.with_video()?;
        video.follower.masks.clear();
        Ok(Reply::plain(MasksForgotten))
    }

    pub(super) fn export_json(&mut self, ExportJson { of, names, .. }: &ExportJson) -> Handled<ExportJson> {
        let (_, video) = self.with_video()?;
        let frames = video.masks(*of)?;
        let names = if *of == MasksOf::Tracks { &names[..] } else { &[] };
        let file = export::json(&video.summary.name, names, &frames)?;
        Ok(file_of(video.file_name(*of, "json"), "application/json", &file))
    }

    pub(super) fn export_masks(&mut self, task: ExportMasks, report: &Reporter) -> Handled<ExportMasks> {
        report.phase("Writing the masks");
        let (_, video) = self.with_video()?;
        let frames = video.masks(task.of)?;
        let file = export::png_zip(&frames)?;
        Ok(file_of(video.file_name(task.of, "zip"), "application/zip", &file))
    }

    /// The open model and the open video.
    fn with_video(&mut self) -> Result<(&Session, &mut OpenVideo), WorkerError> {
        let session = self.session.as_ref().ok_or(EngineError::NoPack)?;
        let video = self.video.as_mut().ok_or(WorkerError::NoVideo)?;
        Ok((session, video))
    }
}

/// A frame's features at the resolution of a propagation: as kept, or computed now.
async fn fine_features(
    session: &Session,
    video: &mut OpenVideo,
    short_side: usize,
    index: usize,
) -> Result<(CropFromPhoto, Features), WorkerError> {
    let config = &session.model().config.vision;
    let framing = Framing::Frame { short_side };
    let size = video.summary.size;
    let wanted = CropFromPhoto::new(size, framing, config.image_size, config.patch, config.long_side);
    // Where the tracks were made of the very same crop, its features are at hand.
    if let Some(known) = video.study()?.frame(index).filter(|known| known.frame == wanted) {
        return Ok((wanted, known.kept.features()));
    }
    if let Some(known) = video.follower.known(short_side, index) {
        return Ok(known);
    }
    let photo = video.photo(index).await?;
    let featured = study::fine_features(session, photo, short_side).await?;
    video.follower.keep(short_side, index, featured.frame, &featured.features);
    Ok((featured.frame, featured.features))
}

fn frame_traced(frame: &StudiedFrame, heads: Vec<usize>, seconds: FrameSeconds) -> Reply<FrameSummary> {
    let summary = FrameSummary {
        index: frame.index,
        grid: frame.frame.grid(),
        crop_in_frame: frame.frame.crop_in_photo(),
        heads,
        objects: objects_of(&frame.tracked),
        seconds,
    };
    let buffers = vec![wire::buffer_of_f32(&frame.tracked.tracks), wire::buffer_of_f32(frame.attention())];
    Reply { answer: summary, buffers }
}

fn masks_of_tracks(frame: &StudiedFrame) -> Vec<ObjectMask> {
    let tracks = frame.tracked.tracks.chunks(frame.frame.grid().len().max(1));
    let objects = frame.tracked.objects.iter().zip(tracks);
    objects
        .map(|(object, track)| ObjectMask { object: object.0 as u32, mask: foreground::above_mean(track) })
        .collect()
}

fn objects_of(tracked: &TrackedFrame) -> FrameObjects {
    FrameObjects {
        objects: tracked.objects.iter().map(|object| object.0 as u32).collect(),
        is_cut: tracked.is_cut,
    }
}

fn file_of(name: String, kind: &str, bytes: &[u8]) -> Reply<ExportedFile> {
    Reply::with_bytes(ExportedFile { name, kind: kind.to_owned() }, bytes)
}
