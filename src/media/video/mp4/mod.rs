//! Reads the frame list of MP4 (ISO/IEC 14496-12) and QuickTime files, also fragmented ones.
//!
//! `re_mp4` parses each table. Why headlamp walks over the file itself: `re_mp4`'s own walk panics on tables that
//! contradict each other, never ends on a box of size 0, and refuses a video because of a fault in its sound.

mod boxes;
mod index;
mod samples;
mod track;

pub(super) use index::index;
