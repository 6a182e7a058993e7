//! Which kind of file it is.

use std::io::{Read, Seek};

use super::index::Index;
use super::window::Window;
use super::{VideoError, mp4, webm};

/// Reads what a video file contains, without reading its frames: MP4 and QuickTime, also fragmented, and WebM and
/// Matroska. Of several video tracks, the one that can be decoded and has most frames.
///
/// At most 52 MB are held for the list of frames, and on the way the tables as the file has them; those of more
/// than 64 MB are refused.
///
/// # Errors
/// Where the file is empty, no video, encoded in a way that no browser decodes, encrypted, cut off before its
/// list of frames, damaged, has more than a million frames, or cannot be read. A file that is cut off later opens
/// with the frames that it has ([`Index::is_cut_off`]).
pub fn demux(name: &str, reader: impl Read + Seek) -> Result<Index, VideoError> {
    let unreadable = |_err| VideoError::Unreadable { name: name.to_owned() };
    let mut window = Window::new(reader).map_err(unreadable)?;
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
