//! The headers of a Matroska file, before the frames.

use std::io::{Read, Seek};
use std::ops::Range;

use super::elements::{CLUSTER, Element, INFO, SEGMENT, TRACKS};
use crate::media::video::error::VideoError;
use crate::media::video::file_window::FileWindow;

/// The largest header element that is read, in bytes.
const LARGEST_HEADER: u64 = 4 << 20;

/// The most elements that the search for the headers visits.
const MAX_ELEMENTS: usize = 2_000_000;

/// The headers, and the range of the frames.
pub(super) struct Headers {
    ebml: Vec<u8>,
    info: Vec<u8>,
    tracks: Vec<u8>,
    /// The range of the segment's elements in the file.
    pub segment: Range<u64>,
    /// Whether the file ends before the segment does.
    pub is_cut_off: bool,
}

impl Headers {
    /// Finds the headers in the file.
    ///
    /// # Errors
    /// [`VideoError`] if the file is damaged, is cut off before the end of the headers, or cannot be read.
    pub fn find<R: Read + Seek>(name: &str, window: &mut FileWindow<R>) -> Result<Self, VideoError> {
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
                // If clusters do not store their size, the headers are before them.
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

    /// Returns a file with only these headers and one empty cluster.
    pub fn as_file(&self) -> Vec<u8> {
        /// The size of a segment whose size is unknown.
        const UNKNOWN: u8 = 0xFF;
        /// The size of an empty element.
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
