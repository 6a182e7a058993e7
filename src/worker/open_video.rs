//! The open video: its decoded frames, and all results for it.

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::error::WorkerError;
use super::helpers::{ImageError, PreparedImage};
use crate::foreground;
use crate::geometry::{CropFromPhoto, Framing};
use crate::media::video::Video;
use crate::media::{self, Photo};
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{MasksOf, VideoSource, VideoSummary};
use crate::session::Session;
use crate::session::video::export::{FrameMasks, Masks, ObjectMask};
use crate::session::video::propagation::MaskPropagation;
use crate::session::video::study::{StudiedFrame, Study};
use crate::text::units::file_stem;

/// An open video, with all results for it.
pub(super) struct OpenVideo {
    pub(super) source: FrameSource,
    pub(super) summary: VideoSummary,
    /// The start of each sampled frame, in seconds.
    pub(super) times: Vec<f64>,
    pub(super) study: Option<Study>,
    pub(super) propagation: MaskPropagation,
    /// The frame that was decoded last. One frame is often requested more than once.
    pub(super) last: Option<(usize, Photo)>,
}

/// The source of the frames. `times` are the starts of all frames, in seconds.
pub(super) enum FrameSource {
    File { video: Box<Video>, times: Vec<f64> },
    Pictures { names: Vec<String>, blobs: Vec<Blob>, times: Vec<f64> },
}

impl FrameSource {
    /// Opens a video file or pictures. Also returns the summary for the page.
    pub(super) async fn open(source: VideoSource, files: Vec<Blob>) -> Result<(Self, VideoSummary), WorkerError> {
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

    /// Returns the starts of the sampled frames, in seconds.
    pub(super) fn sample(&self, sampling: &Sampling, duration: f64) -> Vec<f64> {
        match self {
            Self::File { times, .. } | Self::Pictures { times, .. } => {
                sampling.pick(times, duration).into_iter().map(|at| times[at]).collect()
            }
        }
    }

    /// Decodes the frame that starts at `time`, in seconds.
    pub(super) async fn frame_at(&mut self, time: f64) -> Result<Photo, WorkerError> {
        match self {
            // The time is rounded, because a decoder's times are whole microseconds.
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

/// Decodes a picture.
async fn picture(name: &str, blob: &Blob) -> Result<Photo, WorkerError> {
    let buffer = JsFuture::from(blob.array_buffer()).await;
    let buffer = buffer.map_err(|_gone| WorkerError::FrameUnreadable(name.to_owned()))?;
    Ok(media::decode(name, &Uint8Array::new(&buffer).to_vec()).await?)
}

impl OpenVideo {
    /// Decodes a sampled frame.
    pub(super) async fn photo(&mut self, index: usize) -> Result<&Photo, WorkerError> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != index) {
            let time = self.times.get(index).ok_or(WorkerError::NotSampled)?;
            // Free the old frame first.
            self.last = None;
            let photo = self.source.frame_at(*time).await?;
            self.last = Some((index, photo));
        }
        self.last.as_ref().map(|(_, photo)| photo).ok_or(WorkerError::FrameGone)
    }

    /// Decodes and frames a sampled frame.
    pub(super) async fn prepared(
        &mut self,
        session: &Session,
        index: usize,
        framing: Framing,
    ) -> Result<PreparedImage, ImageError> {
        let photo = self.photo(index).await.map_err(ImageError::Picture)?;
        let (frame, crop) = session.crop(photo, framing).map_err(|err| ImageError::Model(err.into()))?;
        Ok(PreparedImage { frame, crop, thumbnail: Vec::new() })
    }

    /// Returns the results for the frames that are done.
    pub(super) fn study(&self) -> Result<&Study, WorkerError> {
        self.study.as_ref().ok_or(WorkerError::NoFrames)
    }

    /// Returns the masks of all frames that have masks.
    pub(super) fn masks(&self, of: MasksOf) -> Result<Vec<FrameMasks>, WorkerError> {
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
                let masks = self.propagation.masks.iter();
                masks.map(|(index, (frame, soft))| of_frame(*index, *frame, Masks::Soft(soft.clone()))).collect()
            }
        })
    }

    /// Returns the name of a file of masks.
    pub(super) fn file_name(&self, of: MasksOf, ending: &str) -> String {
        let what = if of == MasksOf::Tracks { "tracks" } else { "masks" };
        format!("{}.{ending}", file_stem(&format!("{} {what}", self.summary.name)))
    }
}

/// Returns the mask of each track on a frame.
fn masks_of_tracks(frame: &StudiedFrame) -> Vec<ObjectMask> {
    let tracks = frame.tracked.tracks.chunks(frame.frame.grid().len().max(1));
    let objects = frame.tracked.objects.iter().zip(tracks);
    objects
        .map(|(object, track)| ObjectMask { object: object.0 as u32, mask: foreground::above_mean(track) })
        .collect()
}
