//! WebM and Matroska (RFC 9559): the headers.
//!
//! `matroska-demuxer` reads what tracks there are. It is given the headers alone: its own walk over a file reads
//! every frame to find the next, and follows the file's pointers wherever they lead, round in circles too.

use std::io::{Cursor, Read, Seek};

use matroska_demuxer::{DisplayUnit, MatroskaFile, TrackEntry, TrackType, Video};

use super::VideoError;
use super::codec::{self, Codec};
use super::index::{Container, Found, Index, Shape, Tick, Turn};
use super::webm_blocks::{Blocks, blocks};
use super::window::Window;
use crate::geometry::Size;

/// Identifiers of the elements that matter, with their length marks as the file has them.
pub(super) const EBML: u32 = 0x1A45_DFA3;
pub(super) const SEGMENT: u32 = 0x1853_8067;
pub(super) const CLUSTER: u32 = 0x1F43_B675;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;

const LARGEST_HEADER: u64 = 4 << 20;

/// The most elements walked over for the headers.
const MAX_ELEMENTS: usize = 2_000_000;

/// An element: its identifier, where its content starts, and its size, none where the file does not say.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub id: u32,
    pub start: u64,
    pub size: Option<u64>,
}

impl Element {
    /// The element at `position`; none at the file's end, and where there is nothing that could be one.
    pub fn at<R: Read + Seek>(window: &mut Window<R>, position: u64) -> std::io::Result<Option<Self>> {
        Ok(Self::parse(window.at(position, 12)?).map(|(id, size, header)| {
            let start = position + header as u64;
            Self { id, start, size }
        }))
    }

    fn parse(bytes: &[u8]) -> Option<(u32, Option<u64>, usize)> {
        let length = bytes.first()?.leading_zeros() as usize + 1;
        if length > 4 {
            return None;
        }
        let id = bytes.get(..length)?.iter().fold(0, |id, &byte| id << 8 | u32::from(byte));
        let (size, more) = variable(&bytes[length..])?;
        Some((id, size, length + more))
    }

    /// Where the element ends, at the latest at `end`.
    pub fn end(&self, end: u64) -> u64 {
        self.size.map_or(end, |size| self.start.saturating_add(size).min(end))
    }
}

/// A number of variable length, and how many bytes it takes; none of its bits set but the mark's are "unknown".
pub(super) fn variable(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let marked = bytes.get(..length)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let mask = (1_u64 << (7 * length)) - 1;
    let number = marked & mask;
    Some(((number != mask).then_some(number), length))
}

/// Lists what is in a WebM or Matroska file.
pub(super) fn index<R: Read + Seek>(name: &str, window: &mut Window<R>) -> Result<Index, VideoError> {
    let damaged = || VideoError::Damaged { name: name.to_owned() };
    let headers = Headers::find(name, window)?;
    let file = MatroskaFile::open(Cursor::new(headers.alone())).map_err(|_err| damaged())?;
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
                // By their own rate, frames last as long as it says where a block does not.
                let usual = track.default_duration().map_or(0, |nanos| nanos.get() / scale);
                for sample in samples.iter_mut().filter(|sample| sample.duration == 0) {
                    sample.duration = u32::try_from(usual).unwrap_or(0);
                }
                let is_cut_off = headers.is_cut_off || blocks.is_cut_off;
                let found = Found { container: Container::WebM, codec, shape, tick, samples, is_cut_off };
                return Index::new(name, found, window.length());
            }
            Err(err) => refusal = err,
        }
    }
    Err(refusal)
}

/// Where the headers are, and the frames.
pub(super) struct Headers {
    ebml: Vec<u8>,
    info: Vec<u8>,
    tracks: Vec<u8>,
    /// Where the segment's elements start and end.
    pub segment: std::ops::Range<u64>,
    /// Whether the file ends before the segment does.
    pub is_cut_off: bool,
}

impl Headers {
    fn find<R: Read + Seek>(name: &str, window: &mut Window<R>) -> Result<Self, VideoError> {
        let unreadable = |_err| VideoError::Unreadable { name: name.to_owned() };
        let damaged = || VideoError::Damaged { name: name.to_owned() };
        let cut_off = || VideoError::CutOff { name: name.to_owned() };
        let length = window.length();
        let ebml = Element::at(window, 0).map_err(unreadable)?.ok_or_else(damaged)?;
        let segment_at = ebml.end(length);
        let segment = Element::at(window, segment_at).map_err(unreadable)?.ok_or_else(cut_off)?;
        if segment.id != SEGMENT {
            return Err(damaged());
        }
        let mut whole = |from: u64, to: u64| {
            window.whole(from, to.saturating_sub(from), LARGEST_HEADER).map_err(unreadable)?.ok_or_else(damaged)
        };
        let ebml = whole(0, segment_at)?;
        let is_cut_off = segment.size.is_some() && segment.end(u64::MAX) > length;
        let segment = segment.start..segment.end(length);
        let (mut info, mut tracks) = (None, None);
        let mut at = segment.start;
        for _ in 0..MAX_ELEMENTS {
            let Some(element) = Element::at(window, at).map_err(unreadable)? else { break };
            if at >= segment.end || (element.size.is_none() && element.id != CLUSTER) {
                break;
            }
            let end = element.end(u64::MAX);
            let content = match element.id {
                INFO => &mut info,
                TRACKS => &mut tracks,
                // Where clusters do not say how long they are, the headers are before them.
                CLUSTER if element.size.is_none() => break,
                _ => {
                    at = end;
                    continue;
                }
            };
            let bytes = window.whole(at, end - at, LARGEST_HEADER).map_err(unreadable)?;
            *content = Some(bytes.ok_or_else(cut_off)?);
            if info.is_some() && tracks.is_some() {
                break;
            }
            at = end;
        }
        let (info, tracks) = (info.ok_or_else(cut_off)?, tracks.ok_or_else(cut_off)?);
        Ok(Self { ebml, info, tracks, segment, is_cut_off })
    }

    /// A file of nothing but these headers and one empty cluster.
    fn alone(&self) -> Vec<u8> {
        /// One byte that says that a segment's size is not known, and one that an element is empty.
        const UNKNOWN: u8 = 0xFF;
        const EMPTY: u8 = 0x80;
        let mut bytes = self.ebml.clone();
        bytes.extend(SEGMENT.to_be_bytes());
        bytes.push(UNKNOWN);
        bytes.extend(&self.info);
        bytes.extend(&self.tracks);
        bytes.extend(CLUSTER.to_be_bytes());
        bytes.push(EMPTY);
        bytes
    }
}

fn codec_of(name: &str, track: &TrackEntry, blocks: &Blocks) -> Result<Codec, VideoError> {
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
        other => return Err(VideoError::Codec { name: name.to_owned(), codec: codec::foreign(other) }),
    };
    codec.ok_or_else(|| VideoError::Damaged { name: name.to_owned() })
}

/// How the frames are shown: the display size is in pixels, or just a proportion.
fn shape_of(video: &Video) -> Option<Shape> {
    /// No codec has larger frames.
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
    Some(Shape { coded, pixel_aspect, turn: Turn::None })
}
