//! The requests about videos.

use std::collections::BTreeMap;

use web_sys::Blob;

use super::error::WorkerError;
use super::helpers::ImageKey;
use super::open_video::{FrameSource, OpenVideo};
use super::progress::{ProgressReporter, now};
use super::state::{Handled, Reply, Worker};
use crate::ablate::Ablation;
use crate::geometry::{CropFromPhoto, Framing};
use crate::protocol::sampling::{self, ModelSize};
use crate::protocol::video::{
    ExportJson, ExportMasks, ExportedFile, ForgetMasks, FrameObjects, FrameSeconds, FrameSegmented, FrameSummary,
    FramesScored, LabelTracks, MasksForgotten, MasksOf, OpenVideo as OpenVideoTask, Propagate, PropagatedFrame,
    PropagationRun, Retrack, Retracked, SampleVideo, SampledVideo, ScoreFrames, ScoresSplit, SeedKind,
    SegmentFrame, SplitScores, TraceFrame, TrackLabels, TracksLabelled, UseVideoStatistics,
};
use crate::protocol::{AHEAD, StatisticsSource, UseStatistics, wire};
use crate::segment::SoftMap;
use crate::session::video::export;
use crate::session::video::propagation::MaskPropagation;
use crate::session::video::study::{self, StudiedFrame, Study};
use crate::session::{Session, SessionError};
use crate::track::{Features, TrackedFrame};

impl Worker {
    pub(super) async fn open_video(&mut self, task: OpenVideoTask, files: Vec<Blob>) -> Handled<OpenVideoTask> {
        let (source, summary) = FrameSource::open(task.source, files).await?;
        let answer = summary.clone();
        let (times, study, propagation, last) = (Vec::new(), None, MaskPropagation::default(), None);
        self.video = Some(OpenVideo { source, summary, times, study, propagation, last });
        self.helpers.forget();
        Ok(Reply::plain(answer))
    }

    pub(super) fn sample_video(&mut self, SampleVideo { sampling, .. }: SampleVideo) -> Handled<SampleVideo> {
        self.helpers.forget();
        let (session, video) = self.with_video()?;
        let times = video.source.sample(&sampling, video.summary.duration);
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
        video.propagation = MaskPropagation::default();
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
        let list: Vec<ImageKey> = frames.iter().copied().map(ImageKey::Frame).collect();
        let start = now();
        let mut decode = 0.0;
        let prepare = async |place: usize| {
            let start = now();
            let prepared = video.prepared(session, frames[place], framing).await;
            decode += now() - start;
            prepared
        };
        let computed = self.helpers.compute(session, &list, prepare).await?;
        let encode = now() - start - decode;
        let features = computed.features.ok_or(WorkerError::NoPatches)?;
        let study = video.study.as_mut().ok_or(WorkerError::NoFrames)?;
        study.push(session, index, &computed.traced, &features)?;
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
        let masks = video.propagation.step(&run, index, (frame, &features), &scores)?;
        let answer = PropagatedFrame {
            index,
            grid: masks.grid,
            crop_in_frame: frame.crop_in_photo(),
            objects: (1..masks.channels as u32).collect(),
            seconds: now() - start,
        };
        Ok(Reply::with_floats(answer, &masks.values))
    }

    /// Returns the patches' scores of each phrase that seeds the frame, against common backgrounds.
    async fn phrase_scores(
        &mut self,
        run: &PropagationRun,
        index: usize,
    ) -> Result<BTreeMap<String, Vec<f64>>, WorkerError> {
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

    /// Finds the texts of the pool that score highest for each object, on the frame where the object's track has the
    /// highest peak.
    pub(super) async fn label_tracks(
        &mut self,
        task: LabelTracks,
        report: &ProgressReporter,
    ) -> Handled<LabelTracks> {
        let (session, video) = self.with_video()?;
        let pool = session.pool().ok_or(SessionError::NoPool)?;
        let mut clearest = video.study()?.clearest_frames();
        clearest.sort_by_key(|(_object, index)| *index);
        let total = clearest.len();
        let mut tracks = Vec::with_capacity(total);
        let mut traced_frame = None;
        for (done, (object, index)) in clearest.into_iter().enumerate() {
            report.items("Describing the objects", done, total);
            let framing = video.study()?.sampling.framing;
            if traced_frame.as_ref().is_none_or(|(of, _)| *of != index) {
                let traced = session.trace(video.photo(index).await?, framing).await?;
                traced_frame = Some((index, traced));
            }
            let Some((_, traced)) = &traced_frame else { continue };
            let vector = video.study()?.object_vector(session, traced, index, object);
            let best =
                vector.map(|vector| study::best_texts(&vector, &pool.embeddings, task.count)).unwrap_or_default();
            let labels = best.into_iter().map(|(line, score)| (pool.texts.texts[line].clone(), score)).collect();
            tracks.push(TrackLabels { object: object.0 as u32, labels });
        }
        Ok(Reply::plain(TracksLabelled { tracks }))
    }

    pub(super) async fn use_video_statistics(&mut self, _: UseVideoStatistics) -> Handled<UseVideoStatistics> {
        self.with_video()?;
        self.use_statistics(UseStatistics { source: StatisticsSource::Video }, &[]).await
    }

    pub(super) fn forget_masks(&mut self, _: ForgetMasks) -> Handled<ForgetMasks> {
        let (_, video) = self.with_video()?;
        video.propagation.masks.clear();
        Ok(Reply::plain(MasksForgotten))
    }

    pub(super) fn export_json(&mut self, ExportJson { of, names, .. }: &ExportJson) -> Handled<ExportJson> {
        let (_, video) = self.with_video()?;
        let frames = video.masks(*of)?;
        let names = if *of == MasksOf::Tracks { &names[..] } else { &[] };
        let file = export::json(&video.summary.name, names, &frames)?;
        Ok(file_of(video.file_name(*of, "json"), "application/json", &file))
    }

    pub(super) fn export_masks(&mut self, task: ExportMasks, report: &ProgressReporter) -> Handled<ExportMasks> {
        report.phase("Writing the masks");
        let (_, video) = self.with_video()?;
        let frames = video.masks(task.of)?;
        let file = export::png_zip(&frames)?;
        Ok(file_of(video.file_name(task.of, "zip"), "application/zip", &file))
    }
}

/// Returns a frame's features at the resolution of a propagation: the stored features, or else newly computed ones.
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
    // If the tracks were computed on the same crop, the tokens of its last block are stored.
    let reads_last = session.manifest().propagation_layer() + 1 == config.layers;
    let is_same = |known: &&StudiedFrame| reads_last && known.frame == wanted;
    if let Some(known) = video.study()?.frame(index).filter(is_same) {
        return Ok((wanted, known.stored.features()));
    }
    if let Some(known) = video.propagation.stored_features(short_side, index) {
        return Ok(known);
    }
    let photo = video.photo(index).await?;
    let featured = study::fine_features(session, photo, short_side).await?;
    video.propagation.store_features(short_side, index, featured.frame, &featured.features);
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
    Reply::with_buffers(summary, buffers)
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
