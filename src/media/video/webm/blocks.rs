//! Walks over WebM's clusters and lists the blocks of a track. It reads only a few bytes of each block.

use std::io::{Read, Seek};

use matroska_demuxer::TrackEntry;

use super::elements::{CLUSTER, Element, variable};
use super::headers::Headers;
use crate::media::video::codec::FrameVisibility;
use crate::media::video::error::VideoError;
use crate::media::video::file_window::FileWindow;
use crate::media::video::sample::{MAX_SAMPLES, Sample};

const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const BLOCK_DURATION: u32 = 0x9B;
const REFERENCE_BLOCK: u32 = 0xFB;

/// The most elements that the walk visits: frames, and the elements between them.
const MAX_ELEMENTS: usize = 10 * MAX_SAMPLES;

/// The blocks of one track.
#[derive(Default)]
pub(super) struct TrackBlocks {
    /// The samples in decoding order, with times in the file's ticks.
    pub samples: Vec<Sample>,
    /// The first bytes of the first key frame.
    pub first_key: Option<Vec<u8>>,
    /// Whether the file ends within a block or before a block.
    pub is_cut_off: bool,
}

/// The number of first bytes of a frame that identify its codec's settings.
const HEAD: u64 = 16;

impl TrackBlocks {
    /// Adds a sample whose first bytes are `head`.
    fn add(&mut self, sample: Sample, head: &[u8]) {
        if sample.is_key && self.first_key.is_none() {
            self.first_key = Some(head.to_vec());
        }
        self.samples.push(sample);
    }
}

/// The block group that the walk is in.
#[derive(Default)]
struct BlockGroup {
    block: Option<Sample>,
    /// The first bytes of the block's frame.
    head: Vec<u8>,
    duration: u32,
    /// Whether the frame refers to another frame. Then it is not a key frame.
    refers: bool,
    /// The position of the group's end in the file.
    end: u64,
}

/// Finds the blocks of a track.
///
/// # Errors
/// [`VideoError::Unreadable`]; [`VideoError::TooLong`] if there are more than [`MAX_SAMPLES`].
pub(super) fn blocks<R: Read + Seek>(
    name: &str,
    window: &mut FileWindow<R>,
    headers: &Headers,
    track: &TrackEntry,
) -> Result<TrackBlocks, VideoError> {
    let unreadable = |_err| VideoError::Unreadable { name: name.to_owned() };
    let visibility = FrameVisibility::of_codec(track.codec_id());
    let track = track.track_number().get();
    let mut walk = ClusterWalk {
        blocks: TrackBlocks::default(),
        track,
        visibility,
        cluster_time: 0,
        group: BlockGroup::default(),
    };
    let mut at = headers.segment.start;
    for _ in 0..MAX_ELEMENTS {
        if at >= headers.segment.end {
            walk.leave_group();
            return Ok(walk.blocks);
        }
        let Some(element) = Element::at(window, at).map_err(unreadable)? else { break };
        at = match walk.step(window, element).map_err(unreadable)? {
            Some(next) => next,
            None => break,
        };
        if walk.blocks.samples.len() > MAX_SAMPLES {
            return Err(VideoError::TooLong { name: name.to_owned() });
        }
    }
    // The bytes here are not an element. All frames before them are whole.
    walk.leave_group();
    walk.blocks.is_cut_off = true;
    Ok(walk.blocks)
}

/// A walk over the clusters.
struct ClusterWalk {
    blocks: TrackBlocks,
    /// The number of the track.
    track: u64,
    visibility: FrameVisibility,
    /// The time of the current cluster, in ticks.
    cluster_time: i64,
    group: BlockGroup,
}

impl ClusterWalk {
    /// Visits an element. Returns the position of the next element; `None` if it is unknown. The walk enters clusters
    /// and groups. It needs no stack, because the identifiers of inner elements differ from those of outer elements.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn step<R: Read + Seek>(
        &mut self,
        window: &mut FileWindow<R>,
        element: Element,
    ) -> std::io::Result<Option<u64>> {
        if element.start > self.group.end {
            self.leave_group();
        }
        if element.id == CLUSTER {
            self.leave_group();
            self.cluster_time = 0;
            return Ok(Some(element.start));
        }
        let Some(size) = element.size else { return Ok(None) };
        let end = element.start.saturating_add(size);
        match element.id {
            BLOCK_GROUP => {
                self.leave_group();
                self.group.end = end;
                return Ok(Some(element.start));
            }
            TIMESTAMP => self.cluster_time = number(window, element.start, size)?,
            BLOCK_DURATION => {
                self.group.duration = u32::try_from(number(window, element.start, size)?).unwrap_or(0);
            }
            REFERENCE_BLOCK => self.group.refers = true,
            SIMPLE_BLOCK => {
                if let Some((sample, is_key)) = self.block(window, element.start, end)? {
                    let head = window.at(sample.offset, HEAD)?;
                    self.blocks.add(Sample { is_key, ..sample }, head);
                }
            }
            BLOCK => {
                if let Some((sample, _flag)) = self.block(window, element.start, end)? {
                    self.group.head = window.at(sample.offset, HEAD)?.to_vec();
                    self.group.block = Some(sample);
                }
            }
            _ => {}
        }
        Ok(Some(end))
    }

    /// Reads a block of the track: a sample, and whether a simple block is a key frame. Returns `None` for a block of
    /// another track.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn block<R: Read + Seek>(
        &mut self,
        window: &mut FileWindow<R>,
        start: u64,
        end: u64,
    ) -> std::io::Result<Option<(Sample, bool)>> {
        const KEY: u8 = 0x80;
        const INVISIBLE: u8 = 0x08;
        const LACING: u8 = 0x06;
        let head = window.at(start, 12)?;
        let Some((Some(track), length)) = variable(head) else { return Ok(None) };
        let Some(&[high, low, flags]) = head.get(length..length + 3) else { return Ok(None) };
        // Lacing joins several frames of sound in one block. Video frames are never laced.
        if track != self.track || flags & LACING != 0 {
            return Ok(None);
        }
        let offset = start + length as u64 + 3;
        let Ok(bytes) = u32::try_from(end.saturating_sub(offset)) else { return Ok(None) };
        let time = self.cluster_time.saturating_add(i64::from(i16::from_be_bytes([high, low])));
        let first = window.at(offset, 1)?.first().copied().unwrap_or(0);
        let last = match self.visibility {
            FrameVisibility::Vp9 => window.at(end.saturating_sub(1), 1)?.first().copied().unwrap_or(0),
            FrameVisibility::Vp8 | FrameVisibility::Always => 0,
        };
        let is_hidden = flags & INVISIBLE != 0 || !self.visibility.is_shown(first, last);
        let sample = Sample { offset, length: bytes, time, duration: 0, is_key: false, is_hidden };
        Ok(Some((sample, flags & KEY != 0)))
    }

    /// Adds the block of the current group, and leaves the group.
    fn leave_group(&mut self) {
        let group = std::mem::take(&mut self.group);
        if let Some(block) = group.block {
            let sample = Sample { is_key: !group.refers, duration: group.duration, ..block };
            self.blocks.add(sample, &group.head);
        }
    }
}

/// Reads an unsigned number of up to eight bytes. A number that does not fit into `i64` becomes `i64::MAX`.
///
/// # Errors
/// If the file cannot be read.
fn number<R: Read + Seek>(window: &mut FileWindow<R>, start: u64, size: u64) -> std::io::Result<i64> {
    let bytes = window.at(start, size.min(8))?;
    let number = bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    Ok(i64::try_from(number).unwrap_or(i64::MAX))
}
