//! Recognises the file format and reads the frame list.

use std::io::{Read, Seek};

use super::error::VideoError;
use super::file_window::FileWindow;
use super::video_index::VideoIndex;
use super::{mp4, webm};

/// Reads the frame list of a video file, without the frames themselves. It reads MP4 and QuickTime, also fragmented,
/// and WebM and Matroska. Of several video tracks, it takes the track that can be decoded and has the most frames.
///
/// The list takes at most 52 MB. While the list is read, the file's own tables are also in memory. Tables of more than
/// 64 MB are refused.
///
/// # Errors
/// [`VideoError`] if the file is empty, is not a video, has a codec that no browser decodes, is encrypted, is cut off
/// before its frame list, is damaged, has more than a million frames, or cannot be read. A file that is cut off later
/// opens with the frames that it has ([`VideoIndex::is_cut_off`]).
pub fn demux(name: &str, reader: impl Read + Seek) -> Result<VideoIndex, VideoError> {
    let unreadable = |_err| VideoError::Unreadable { name: name.to_owned() };
    let mut window = FileWindow::new(reader).map_err(unreadable)?;
    if window.length() == 0 {
        return Err(VideoError::Empty { name: name.to_owned() });
    }
    let head = window.at(0, 8).map_err(unreadable)?;
    if head.starts_with(&webm::EBML.to_be_bytes()) {
        return webm::index(name, &mut window);
    }
    match head.get(4..8) {
        Some(b"ftyp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"styp" | b"pnot") => {
            mp4::index(name, &mut window)
        }
        _ => Err(VideoError::NotAVideo { name: name.to_owned() }),
    }
}
