//! The worker's part in videos: the open one, its frames on demand, and the answers to what is asked of them.

use std::collections::BTreeMap;

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::hands::{Key, Prepared, Trouble};
use super::report::{Reporter, now, said};
use super::{Answered, Engine};
use crate::ablate::Ablation;
use crate::geometry::{CropFromPhoto, Framing};
use crate::media::video::Video;
use crate::media::{self, Photo};
use crate::protocol::sampling::{self, ModelSize, Sampling};
use crate::protocol::video::{
    FrameObjects, FrameSeconds, FrameSummary, MasksOf, PropagatedFrame, Run, SampledVideo, SeedKind, TrackLabels,
    VideoAnswer, VideoSource, VideoSummary, VideoTask,
};
use crate::protocol::{AHEAD, Answer};
use crate::protocol::{file_stem, wire};
use crate::segment::SoftMap;
use crate::session::video::export::{self, FrameMasks, Masks, ObjectMask};
use crate::session::video::follow::Follower;
use crate::session::video::study::{self, StudiedFrame, Study};
use crate::session::{EngineError, Session};
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
    async fn open(source: VideoSource, files: Vec<Blob>) -> Result<(Self, VideoSummary), String> {
        match source {
            VideoSource::Pictures { names, times } => {
                let (Some(first), Some(blob)) = (names.first(), files.first()) else {
                    return Err("there are no pictures: choose some".to_owned());
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
                let blob = files.into_iter().next().ok_or("there is no file: choose one")?;
                let video = Video::open(&name, blob).await.map_err(said)?;
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

    async fn frame_at(&mut self, time: f64) -> Result<Photo, String> {
        match self {
            // Between two frames' times, whichever way they were rounded.
            Self::File { video, .. } => video.frame_at((time * 1e6).round() as i64).await.map_err(said),
            Self::Pictures { names, blobs, times } => {
                let index = times.partition_point(|at| *at <= time + 1e-6).saturating_sub(1);
                let (Some(name), Some(blob)) = (names.get(index), blobs.get(index)) else {
                    return Err("this picture is not there any more: open the pictures again".to_owned());
                };
                picture(name, blob).await
            }
        }
    }
}

async fn picture(name: &str, blob: &Blob) -> Result<Photo, String> {
    let buffer = JsFuture::from(blob.array_buffer()).await;
    let buffer =
        buffer.map_err(|_gone| format!("{name} cannot be read: it may have been moved; open it again"))?;
    media::decode(name, &Uint8Array::new(&buffer).to_vec()).await.map_err(said)
}

impl OpenVideo {
    async fn photo(&mut self, index: usize) -> Result<&Photo, String> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != index) {
            let time = self.times.get(index).ok_or("this frame is not among those that were chosen")?;
            // Let the old one go first.
            self.last = None;
            let photo = self.reel.frame_at(*time).await?;
            self.last = Some((index, photo));
        }
        self.last.as_ref().map(|(_, photo)| photo).ok_or_else(|| "the frame is gone: ask for it again".to_owned())
    }

    /// A frame, decoded and framed.
    async fn prepared(&mut self, session: &Session, index: usize, framing: Framing) -> Result<Prepared, Trouble> {
        let photo = self.photo(index).await.map_err(Trouble::Picture)?;
        let (frame, crop) = session.crop(photo, framing).map_err(|err| Trouble::Model(said(err)))?;
        Ok(Prepared { frame, crop, thumbnail: Vec::new() })
    }

    fn study(&self) -> Result<&Study, String> {
        self.study.as_ref().ok_or_else(|| "choose the frames to look at first".to_owned())
    }
}

impl OpenVideo {
    /// The masks of all frames that have any.
    fn masks(&self, of: MasksOf) -> Result<Vec<FrameMasks>, String> {
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

impl Engine {
    pub(super) async fn answer_video(&mut self, task: VideoTask, files: Vec<Blob>, report: &Reporter) -> Answered {
        match task {
            VideoTask::Open { source, .. } => self.open_video(source, files).await,
            VideoTask::Sample { sampling, .. } => self.sample_video(sampling),
            VideoTask::TraceFrame { index, ahead, .. } => self.trace_frame(index, ahead).await,
            VideoTask::Retrack { heads, .. } => self.retrack(heads),
            VideoTask::ScoreFrames { phrases, templates, .. } => self.score_frames(&phrases, templates).await,
            VideoTask::SplitScores { phrase, templates, .. } => self.split_scores(phrase, templates).await,
            VideoTask::SegmentFrame { index, phrase, against, background, .. } => {
                self.segment_frame(index, phrase, &against, background).await
            }
            VideoTask::Propagate { run, index, .. } => self.propagate(&run, index).await,
            VideoTask::ForgetMasks { .. } => self.forget_masks(),
            VideoTask::LabelTracks { count, .. } => self.label_tracks(count, report).await,
            VideoTask::UseStatistics { .. } => self.use_video_statistics(),
            VideoTask::ExportJson { of, names, .. } => self.export_json(of, &names),
            VideoTask::ExportMasks { of, .. } => self.export_masks(of, report),
        }
    }

    async fn open_video(&mut self, source: VideoSource, files: Vec<Blob>) -> Answered {
        let (reel, summary) = Reel::open(source, files).await?;
        let answer = VideoAnswer::Opened(summary.clone());
        let (times, study, follower, last) = (Vec::new(), None, Follower::default(), None);
        self.video = Some(OpenVideo { reel, summary, times, study, follower, last });
        self.hands.forget();
        plain(answer)
    }

    fn sample_video(&mut self, sampling: Sampling) -> Answered {
        self.hands.forget();
        let (session, video) = self.both_of_video()?;
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
        let bytes = sampling::memory(model, grid, times.len()).map_err(said)?;
        video.study = Some(Study::new(session, sampling, Vec::new()));
        video.follower = Follower::default();
        video.last = None;
        video.times.clone_from(&times);
        plain(VideoAnswer::Sampled(SampledVideo { times, sampling, grid, bytes }))
    }

    async fn trace_frame(&mut self, index: usize, ahead: usize) -> Answered {
        let (Some(session), Some(video)) = (&self.session, &mut self.video) else {
            return Err("open a video first".to_owned());
        };
        let study = video.study()?;
        if let Some(known) = study.frame(index) {
            return frame_traced(known, study.heads.clone(), FrameSeconds::default(), false);
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
        let looked = self.hands.look(session, &line, prepare).await.map_err(Trouble::words)?;
        let encode = now() - start - decode;
        let (traced, by_hand) = (looked.traced, looked.by_hand);
        let features = looked.features.ok_or("the frame's patches are missing: ask for it again")?;
        let study = video.study.as_mut().ok_or("choose the frames to look at first")?;
        study.push(session, index, &traced, &features).map_err(said)?;
        let track = now() - start - decode - encode;
        let frame = study.frame(index).ok_or("the frame is gone: ask for it again")?;
        frame_traced(frame, study.heads.clone(), FrameSeconds { decode, encode, track }, by_hand)
    }

    fn retrack(&mut self, heads: Vec<usize>) -> Answered {
        let (_, video) = self.both_of_video()?;
        let study = video.study.as_mut().ok_or("choose the frames to look at first")?;
        study.retrack(heads).map_err(said)?;
        let frames = study.frames.iter().map(|frame| objects_of(&frame.tracked)).collect();
        let tracks: Vec<f32> =
            study.frames.iter().flat_map(|frame| frame.tracked.tracks.iter().copied()).collect();
        with_floats(VideoAnswer::Retracked { frames }, &tracks)
    }

    async fn score_frames(&mut self, phrases: &[String], templates: bool) -> Answered {
        let session = self.session_mut()?;
        let units = session.embed(phrases, templates).await.map_err(said)?;
        let (_, video) = self.both_of_video()?;
        let study = video.study()?;
        with_floats(VideoAnswer::Scored { frames: study.frames.len() }, &study.scores(&units))
    }

    async fn split_scores(&mut self, phrase: String, templates: bool) -> Answered {
        let session = self.session_mut()?;
        let units = session.embed(&[phrase], templates).await.map_err(said)?;
        let (session, video) = self.both_of_video()?;
        let study = video.study()?;
        let direction = session.direction(units.first().map_or(&[], Vec::as_slice));
        let parts = study.parts(&session.model().readout, &direction);
        with_floats(VideoAnswer::Split { frames: study.frames.len() }, &parts)
    }

    async fn segment_frame(
        &mut self,
        index: usize,
        phrase: String,
        against: &[String],
        background: bool,
    ) -> Answered {
        let mut texts = vec![phrase.clone()];
        texts.extend(Session::contrast(&phrase, against, background));
        let units = self.session_mut()?.embed(&texts, false).await.map_err(said)?;
        let (session, video) = self.both_of_video()?;
        let framing = video.study()?.sampling.framing;
        let photo = video.photo(index).await?;
        let traced = session.trace(photo, framing).await.map_err(said)?;
        let (text, contrast) = units.split_first().ok_or("type a phrase first")?;
        let map = session.segment(&traced, text, contrast, &Ablation::default()).map_err(said)?;
        let SoftMap { size, threshold, is_empty, values } = map;
        let crop_in_frame = traced.frame.crop_in_photo();
        with_floats(VideoAnswer::FrameSegmented { size, crop_in_frame, threshold, empty: is_empty }, &values)
    }

    async fn propagate(&mut self, run: &Run, index: usize) -> Answered {
        let start = now();
        let scores = self.phrase_scores(run, index).await?;
        let (session, video) = self.both_of_video()?;
        let (frame, features) = fine_features(session, video, run.short_side, index).await?;
        let masks = video.follower.step(run, index, (frame, &features), &scores).map_err(said)?;
        let values = masks.values.clone();
        let answer = PropagatedFrame {
            index,
            grid: masks.grid,
            crop_in_frame: frame.crop_in_photo(),
            objects: (1..masks.channels as u32).collect(),
            seconds: now() - start,
        };
        with_floats(VideoAnswer::Propagated(answer), &values)
    }

    /// The patches' scores of the phrases that seed a frame, each against common backgrounds.
    async fn phrase_scores(&mut self, run: &Run, index: usize) -> Result<BTreeMap<String, Vec<f64>>, String> {
        let mut scores = BTreeMap::new();
        for seed in run.seeds.iter().filter(|seed| seed.frame == index) {
            let SeedKind::Phrase(phrase) = &seed.kind else { continue };
            let mut texts = vec![phrase.clone()];
            texts.extend(Session::contrast(phrase, &[], true));
            let units = self.session_mut()?.embed(&texts, false).await.map_err(said)?;
            let (session, video) = self.both_of_video()?;
            let framing = Framing::Frame { short_side: run.short_side };
            let traced = session.trace(video.photo(index).await?, framing).await.map_err(said)?;
            let (text, contrast) = units.split_first().ok_or("type a phrase first")?;
            scores.insert(phrase.clone(), session.patch_scores(&traced, text, contrast));
        }
        Ok(scores)
    }

    /// The texts of the pool that speak most for each object, on the frame where it stands out most.
    async fn label_tracks(&mut self, count: usize, report: &Reporter) -> Answered {
        let (session, video) = self.both_of_video()?;
        if session.pool().is_none() {
            return Err(said(EngineError::NoPool));
        }
        let mut tellings = video.study()?.tellings();
        tellings.sort_by_key(|(_object, index)| *index);
        let total = tellings.len();
        let mut tracks = Vec::with_capacity(total);
        let mut at_hand = None;
        for (done, (object, index)) in tellings.into_iter().enumerate() {
            report.items("Describing the objects", done, total);
            let framing = video.study()?.sampling.framing;
            if at_hand.as_ref().is_none_or(|(of, _)| *of != index) {
                let traced = session.trace(video.photo(index).await?, framing).await.map_err(said)?;
                at_hand = Some((index, traced));
            }
            let (Some((_, traced)), Some(pool)) = (&at_hand, session.pool()) else { continue };
            let vector = video.study()?.object_vector(session, traced, index, object);
            let best =
                vector.map(|vector| study::best_texts(&vector, &pool.embeddings, count)).unwrap_or_default();
            let labels = best.into_iter().map(|(line, score)| (pool.lines[line].clone(), score)).collect();
            tracks.push(TrackLabels { object: object.0 as u32, labels });
        }
        plain(VideoAnswer::TracksLabelled { tracks })
    }

    fn use_video_statistics(&mut self) -> Answered {
        let (_, video) = self.both_of_video()?;
        let statistics = video.study()?.statistics().clone();
        let images = statistics.images();
        if images < 2 {
            return Err("statistics need two frames at least: look at more of the video first".to_owned());
        }
        self.session_mut()?.use_statistics(Some(statistics));
        Ok((Answer::StatisticsReady { images }, Vec::new()))
    }

    fn forget_masks(&mut self) -> Answered {
        let (_, video) = self.both_of_video()?;
        video.follower.masks.clear();
        plain(VideoAnswer::MasksForgotten)
    }

    fn export_json(&mut self, of: MasksOf, names: &[(u32, String)]) -> Answered {
        let (_, video) = self.both_of_video()?;
        let frames = video.masks(of)?;
        let names = if of == MasksOf::Tracks { names } else { &[] };
        let file = export::json(&video.summary.name, names, &frames).map_err(said)?;
        file_of(video.file_name(of, "json"), "application/json", &file)
    }

    fn export_masks(&mut self, of: MasksOf, report: &Reporter) -> Answered {
        report.phase("Writing the masks");
        let (_, video) = self.both_of_video()?;
        let frames = video.masks(of)?;
        let file = export::png_zip(&frames).map_err(said)?;
        file_of(video.file_name(of, "zip"), "application/zip", &file)
    }

    fn both_of_video(&mut self) -> Result<(&Session, &mut OpenVideo), String> {
        let session = self.session.as_ref().ok_or_else(|| said(EngineError::NoPack))?;
        let video = self.video.as_mut().ok_or("open a video first")?;
        Ok((session, video))
    }
}

/// A frame's features at the resolution of a propagation: as kept, or computed now.
async fn fine_features(
    session: &Session,
    video: &mut OpenVideo,
    short_side: usize,
    index: usize,
) -> Result<(CropFromPhoto, Features), String> {
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
    let featured = study::fine_features(session, photo, short_side).await.map_err(said)?;
    video.follower.keep(short_side, index, featured.frame, &featured.features);
    Ok((featured.frame, featured.features))
}

fn frame_traced(frame: &StudiedFrame, heads: Vec<usize>, seconds: FrameSeconds, by_hand: bool) -> Answered {
    let summary = FrameSummary {
        index: frame.index,
        grid: frame.frame.grid(),
        crop_in_frame: frame.frame.crop_in_photo(),
        heads,
        objects: objects_of(&frame.tracked),
        seconds,
        by_hand,
    };
    let buffers = vec![wire::buffer_of_f32(&frame.tracked.tracks), wire::buffer_of_f32(frame.attention())];
    Ok((Answer::Video(VideoAnswer::FrameTraced(summary)), buffers))
}

fn masks_of_tracks(frame: &StudiedFrame) -> Vec<ObjectMask> {
    let tracks = frame.tracked.tracks.chunks(frame.frame.grid().len().max(1));
    let objects = frame.tracked.objects.iter().zip(tracks);
    objects.map(|(object, track)| ObjectMask { object: object.0 as u32, mask: study::above_mean(track) }).collect()
}

fn objects_of(tracked: &TrackedFrame) -> FrameObjects {
    FrameObjects {
        objects: tracked.objects.iter().map(|object| object.0 as u32).collect(),
        is_cut: tracked.is_cut,
    }
}

fn file_of(name: String, kind: &str, bytes: &[u8]) -> Answered {
    let answer = VideoAnswer::File { name, kind: kind.to_owned() };
    Ok((Answer::Video(answer), vec![Uint8Array::from(bytes)]))
}

fn plain(answer: VideoAnswer) -> Answered {
    Ok((Answer::Video(answer), Vec::new()))
}

fn with_floats(answer: VideoAnswer, values: &[f32]) -> Answered {
    Ok((Answer::Video(answer), vec![wire::buffer_of_f32(values)]))
}
