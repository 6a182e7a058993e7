//! Reads an MP4 file's frame list from its top-level boxes.

use std::io::{Read, Seek};

use super::boxes::{boxes, header_of};
use super::samples::fragment_samples;
use super::track::Mp4Track;
use crate::media::video::error::VideoError;
use crate::media::video::file_window::FileWindow;
use crate::media::video::sample::MAX_SAMPLES;
use crate::media::video::video_index::{ParsedTrack, VideoIndex};

/// The largest `moov` box that is read, in bytes. A million frames and their sound take about 30 MB.
const LARGEST_MOOV: u64 = 64 << 20;
/// The largest `moof` box that is read, in bytes.
const LARGEST_MOOF: u64 = 16 << 20;

/// The most boxes at the top level of a file. A fragment has two.
const MAX_BOXES: usize = 2_000_000;

/// Reads the frame list of an MP4 file.
///
/// # Errors
/// [`VideoError`] if the file cannot be read, or has no video track that can be decoded.
pub(in crate::media::video) fn index<R: Read + Seek>(
    name: &str,
    window: &mut FileWindow<R>,
) -> Result<VideoIndex, VideoError> {
    let name_of = || name.to_owned();
    let unreadable = |_err| VideoError::Unreadable { name: name_of() };
    let top = TopLevelBoxes::find(window).map_err(unreadable)?;
    let Some((start, size)) = top.moov else {
        let is_whole = !top.is_cut_off;
        return Err(if is_whole {
            VideoError::NotAVideo { name: name_of() }
        } else {
            VideoError::CutOff { name: name_of() }
        });
    };
    if size > LARGEST_MOOV {
        return Err(VideoError::TooLong { name: name_of() });
    }
    let moov = window.whole(start, size, LARGEST_MOOV).map_err(unreadable)?;
    let moov = moov.ok_or_else(|| VideoError::CutOff { name: name_of() })?;
    let moov = boxes(&moov).next().ok_or_else(|| VideoError::Damaged { name: name_of() })?;

    let mut track = Mp4Track::longest(name, &moov)?;
    let mut decode_time = 0;
    for &(start, size) in &top.moofs {
        let Some(moof) = window.whole(start, size, LARGEST_MOOF).map_err(unreadable)? else { break };
        let Some(moof) = boxes(&moof).next() else { break };
        // The video ends at the first fragment that is invalid.
        if fragment_samples(moof, start, &track.defaults, &mut decode_time, &mut track.samples).is_none() {
            break;
        }
        if track.samples.len() > MAX_SAMPLES {
            return Err(VideoError::TooLong { name: name_of() });
        }
    }
    let track = ParsedTrack { is_cut_off: top.is_cut_off, ..track.parsed() };
    VideoIndex::new(name, track, window.length())
}

/// The positions and sizes of the `moov` and `moof` boxes, in bytes.
#[derive(Default)]
struct TopLevelBoxes {
    moov: Option<(u64, u64)>,
    moofs: Vec<(u64, u64)>,
    /// Whether the file ends within a box.
    is_cut_off: bool,
}

impl TopLevelBoxes {
    /// Walks over the top level of the file.
    fn find<R: Read + Seek>(window: &mut FileWindow<R>) -> std::io::Result<Self> {
        let mut top = Self::default();
        let mut at = 0;
        for _ in 0..MAX_BOXES {
            let rest = window.length() - at;
            if rest == 0 {
                break;
            }
            let Some((kind, _header, size)) = header_of(window.at(at, 16)?, rest) else {
                top.is_cut_off = true;
                break;
            };
            match &kind {
                b"moov" if top.moov.is_none() => top.moov = Some((at, size)),
                b"moof" => top.moofs.push((at, size)),
                _ => {}
            }
            if size > rest {
                top.is_cut_off = true;
                break;
            }
            at += size;
        }
        Ok(top)
    }
}
