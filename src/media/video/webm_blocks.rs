//! WebM's clusters, walked over for where their blocks are: of each, a few bytes are read.

use std::io::{Read, Seek};

use matroska_demuxer::TrackEntry;

use super::VideoError;
use super::codec::Visible;
use super::index::{MAX_SAMPLES, Sample};
use super::webm::{CLUSTER, Element, Headers, variable};
use super::window::Window;

const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const BLOCK_DURATION: u32 = 0x9B;
const REFERENCE_BLOCK: u32 = 0xFB;

/// The most elements walked over: frames, and what lies between them.
const MAX_ELEMENTS: usize = 10 * MAX_SAMPLES;

/// The blocks of one track.
#[derive(Default)]
pub(super) struct Blocks {
    /// In decoding order, in the file's ticks.
    pub samples: Vec<Sample>,
    /// The start of the first key frame.
    pub first_key: Option<Vec<u8>>,
    /// Whether the file ends within a block or before one.
    pub is_cut_off: bool,
}

/// Bytes of a frame that tell how it is encoded.
const HEAD: u64 = 16;

impl Blocks {
    fn add(&mut self, sample: Sample, head: &[u8]) {
        if sample.is_key && self.first_key.is_none() {
            self.first_key = Some(head.to_vec());
        }
        self.samples.push(sample);
    }
}

/// What the walk is inside of.
#[derive(Default)]
struct Group {
    block: Option<Sample>,
    head: Vec<u8>,
    duration: u32,
    refers: bool,
    end: u64,
}

/// Finds the blocks of a track.
pub(super) fn blocks<R: Read + Seek>(
    name: &str,
    window: &mut Window<R>,
    headers: &Headers,
    track: &TrackEntry,
) -> Result<Blocks, VideoError> {
    let unreadable = |_err| VideoError::Unreadable { name: name.to_owned() };
    let visible = Visible::of_track(track.codec_id());
    let track = track.track_number().get();
    let mut walk = Walk { blocks: Blocks::default(), track, visible, cluster_time: 0, group: Group::default() };
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
    // What follows is no element: frames up to here are whole.
    walk.leave_group();
    walk.blocks.is_cut_off = true;
    Ok(walk.blocks)
}

struct Walk {
    blocks: Blocks,
    track: u64,
    visible: Visible,
    cluster_time: i64,
    group: Group,
}

impl Walk {
    /// Takes note of an element; where the next one is, none where that cannot be known. Clusters and groups are
    /// entered, whose elements' identifiers tell them from what is outside.
    fn step<R: Read + Seek>(&mut self, window: &mut Window<R>, element: Element) -> std::io::Result<Option<u64>> {
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
                if let Some((sample, _unsaid)) = self.block(window, element.start, end)? {
                    self.group.head = window.at(sample.offset, HEAD)?.to_vec();
                    self.group.block = Some(sample);
                }
            }
            _ => {}
        }
        Ok(Some(end))
    }

    /// A block of the track: a sample, and what a simple block says of being a key.
    fn block<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        start: u64,
        end: u64,
    ) -> std::io::Result<Option<(Sample, bool)>> {
        const KEY: u8 = 0x80;
        const INVISIBLE: u8 = 0x08;
        const LACING: u8 = 0x06;
        let head = window.at(start, 12)?;
        let Some((Some(track), length)) = variable(head) else { return Ok(None) };
        let Some(&[high, low, flags]) = head.get(length..length + 3) else { return Ok(None) };
        // Lacing packs sounds together; nobody laces frames.
        if track != self.track || flags & LACING != 0 {
            return Ok(None);
        }
        let offset = start + length as u64 + 3;
        let Ok(bytes) = u32::try_from(end.saturating_sub(offset)) else { return Ok(None) };
        let time = self.cluster_time.saturating_add(i64::from(i16::from_be_bytes([high, low])));
        let first = window.at(offset, 1)?.first().copied().unwrap_or(0);
        let last = match self.visible {
            Visible::Vp9 => window.at(end.saturating_sub(1), 1)?.first().copied().unwrap_or(0),
            Visible::Vp8 | Visible::Always => 0,
        };
        let is_hidden = flags & INVISIBLE != 0 || !self.visible.is_shown(first, last);
        let sample = Sample { offset, length: bytes, time, duration: 0, is_key: false, is_hidden };
        Ok(Some((sample, flags & KEY != 0)))
    }

    fn leave_group(&mut self) {
        let group = std::mem::take(&mut self.group);
        if let Some(block) = group.block {
            let sample = Sample { is_key: !group.refers, duration: group.duration, ..block };
            self.blocks.add(sample, &group.head);
        }
    }
}

/// An unsigned number of up to eight bytes; as large as it can be where it is larger.
fn number<R: Read + Seek>(window: &mut Window<R>, start: u64, size: u64) -> std::io::Result<i64> {
    let bytes = window.at(start, size.min(8))?;
    let number = bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    Ok(i64::try_from(number).unwrap_or(i64::MAX))
}
