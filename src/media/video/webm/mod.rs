//! Reads the frame list of WebM and Matroska files (RFC 9559).
//!
//! `matroska-demuxer` parses the headers. Why headlamp walks over the file itself: `matroska-demuxer`'s own walk
//! reads every frame to find the next one, and follows the file's pointers wherever they lead, even in circles.

mod blocks;
mod elements;
mod headers;
mod index;

pub(super) use elements::EBML;
pub(super) use index::index;
