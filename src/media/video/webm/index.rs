//! Reads a WebM or Matroska file's frame list from its headers and blocks.

use std::io::{Cursor, Read, Seek};

use matroska_demuxer::{DisplayUnit, MatroskaFile, TrackEntry, TrackType, Video};

use super::blocks::{TrackBlocks, blocks};
use super::headers::Headers;
use crate::geometry::Size;
use crate::media::video::codec::{self, Codec};
use crate::media::video::error::VideoError;
use crate::media::video::file_window::FileWindow;
use crate::media::video::sample::{Container, FrameShape, Tick, Turn};
use crate::media::video::video_index::{ParsedTrack, VideoIndex};

/// Reads the frame list of a WebM or Matroska file.
///
/// # Errors
/// [`VideoError`] if the file cannot be read, or has no video track that can be decoded.
pub(in crate::media::video) fn index<R: Read + Seek>(
    name: &str,
    window: &mut FileWindow<R>,
) -> Result<VideoIndex, VideoError> {
    let damaged = || VideoError::Damaged { name: name.to_owned() };
    let headers = Headers::find(name, window)?;
    let file = MatroskaFile::open(Cursor::new(headers.as_file())).map_err(|_err| damaged())?;
    let scale = file.info().timestamp_scale().get();
    let videos = file.tracks().iter().filter(|track| track.track_type() == TrackType::Video);
    let mut refusal = VideoError::NoPictures { name: name.to_owned() };
    for track in videos {
        let Some(video) = track.video() else { continue };
        let blocks = blocks(name, window, &headers, track)?;
        match codec_of(name, track, &blocks) {
            Ok(codec) => {
                let shape = shape_of(video).ok_or_else(damaged)?;
                let tick = Tick { numerator: scale, denominator: 1_000_000_000 };
                let mut samples = blocks.samples;
                // If a block has no duration, its frame has the track's default duration.
                let usual = track.default_duration().map_or(0, |nanos| nanos.get() / scale);
                for sample in samples.iter_mut().filter(|sample| sample.duration == 0) {
                    sample.duration = u32::try_from(usual).unwrap_or(0);
                }
                let is_cut_off = headers.is_cut_off || blocks.is_cut_off;
                let parsed = ParsedTrack { container: Container::WebM, codec, shape, tick, samples, is_cut_off };
                return VideoIndex::new(name, parsed, window.length());
            }
            Err(err) => refusal = err,
        }
    }
    Err(refusal)
}

/// Returns the codec of a track.
///
/// # Errors
/// [`VideoError`] if the track is encrypted, has a codec that no browser decodes, or is damaged.
fn codec_of(name: &str, track: &TrackEntry, blocks: &TrackBlocks) -> Result<Codec, VideoError> {
    if track.content_encodings().is_some_and(|encodings| !encodings.is_empty()) {
        return Err(VideoError::Protected { name: name.to_owned() });
    }
    let record = track.codec_private().unwrap_or_default();
    let codec = match track.codec_id() {
        "V_VP8" => Some(Codec::vp8()),
        "V_VP9" => blocks.first_key.as_deref().and_then(Codec::vp9_from_frame),
        "V_AV1" => Codec::av1(record),
        "V_MPEG4/ISO/AVC" => Codec::avc("avc1", record),
        "V_MPEGH/ISO/HEVC" => Codec::hevc("hvc1", record),
        other => return Err(VideoError::Codec { name: name.to_owned(), codec: codec::unsupported_name(other) }),
    };
    codec.ok_or_else(|| VideoError::Damaged { name: name.to_owned() })
}

/// Returns the shape of the frames. The display size is either in pixels or only a proportion. `None` if the frames
/// are too large.
fn shape_of(video: &Video) -> Option<FrameShape> {
    /// The longest side of a frame in any codec, in pixels.
    const LONGEST: u64 = 65_535;
    let (width, height) = (video.pixel_width().get(), video.pixel_height().get());
    if width > LONGEST || height > LONGEST {
        return None;
    }
    let known = !matches!(video.display_unit(), Some(DisplayUnit::Unknown));
    let displayed = (video.display_width(), video.display_height());
    let pixel_aspect = match displayed {
        (Some(across), Some(down)) if known => {
            let cropped = |side: u64, a: Option<u64>, b: Option<u64>| {
                side.saturating_sub(a.unwrap_or(0)).saturating_sub(b.unwrap_or(0)).max(1) as f64
            };
            let width = cropped(width, video.pixel_crop_left(), video.pixel_crop_right());
            let height = cropped(height, video.pixel_crop_top(), video.pixel_crop_bottom());
            (across.get() as f64 / down.get() as f64) / (width / height)
        }
        _ => 1.0,
    };
    let pixel_aspect = if (0.1..=10.0).contains(&pixel_aspect) { pixel_aspect } else { 1.0 };
    let coded = Size { width: width as usize, height: height as usize };
    Some(FrameShape { coded, pixel_aspect, turn: Turn::None })
}
