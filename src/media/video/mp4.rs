//! MP4 (ISO/IEC 14496-12) and QuickTime.
//!
//! The tables are read by `re_mp4`, box by box. Its own walk over a file is not used: it panics on tables that
//! contradict one another, runs for ever on a box of size 0, and refuses a video for a fault in its sound.

use std::io::{Cursor, Read, Seek};

use re_mp4::{ElstBox, HdlrBox, MdhdBox, MvhdBox, ReadBox, TkhdBox, TrexBox};

use super::codec::{self, Codec};
use super::index::{Container, Found, Index, Sample, Shape, Tick, Turn};
use super::mp4_samples::{fragment_samples, table_samples};
use super::window::Window;
use super::{VideoError, index::MAX_SAMPLES};
use crate::geometry::Size;

/// The largest moov that is read. A million frames and their sound take some 30 MB.
const LARGEST_MOOV: u64 = 64 << 20;
const LARGEST_MOOF: u64 = 16 << 20;

/// The most boxes at the top of a file: two to a fragment.
const MAX_BOXES: usize = 2_000_000;

/// The most video tracks that are looked at. A film has one, and perhaps a cover and a few other angles.
const MAX_TRACKS: usize = 64;

/// A box: its kind, all of it, and what is after the header.
#[derive(Clone, Copy)]
pub(super) struct Boxed<'a> {
    pub kind: [u8; 4],
    whole: &'a [u8],
    pub body: &'a [u8],
}

/// The boxes in `bytes`, up to the first that does not fit there.
pub(super) fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = Boxed<'_>> {
    std::iter::from_fn(move || {
        let (kind, header, size) = header_of(bytes, bytes.len() as u64)?;
        let (whole, rest) = bytes.split_at_checked(usize::try_from(size).ok()?)?;
        bytes = rest;
        Some(Boxed { kind, whole, body: &whole[header..] })
    })
}

/// A box's kind, and its header's and its own size in bytes; `rest` bytes are left from its start.
fn header_of(bytes: &[u8], rest: u64) -> Option<([u8; 4], usize, u64)> {
    let (size, after) = bytes.split_first_chunk::<4>()?;
    let (kind, after) = after.split_first_chunk::<4>()?;
    let (header, size) = match u32::from_be_bytes(*size) {
        0 => (8, rest),
        1 => (16, u64::from_be_bytes(*after.first_chunk::<8>()?)),
        size => (8, u64::from(size)),
    };
    (size >= header as u64).then_some((*kind, header, size))
}

impl<'a> Boxed<'a> {
    /// The first box of this kind inside.
    pub fn child(&self, kind: &[u8; 4]) -> Option<Boxed<'a>> {
        boxes(self.body).find(|inner| inner.kind == *kind)
    }

    /// The box at the end of a path of kinds.
    fn descendant(&self, path: &[&[u8; 4]]) -> Option<Boxed<'a>> {
        path.iter().try_fold(*self, |inside, kind| inside.child(kind))
    }

    /// What `re_mp4` reads of it; none where it is too short for what it claims.
    pub fn read<T>(&self) -> Option<T>
    where
        T: for<'r> ReadBox<&'r mut Cursor<&'a [u8]>>,
    {
        let mut cursor = Cursor::new(self.whole);
        cursor.set_position((self.whole.len() - self.body.len()) as u64);
        // `re_mp4` counts eight bytes of header, whatever there are.
        T::read_box(&mut cursor, self.body.len() as u64 + 8).ok()
    }

    pub fn read_child<T>(&self, kind: &[u8; 4]) -> Option<T>
    where
        T: for<'r> ReadBox<&'r mut Cursor<&'a [u8]>>,
    {
        self.child(kind)?.read()
    }
}

/// Lists what is in an MP4 file.
pub(super) fn index<R: Read + Seek>(name: &str, window: &mut Window<R>) -> Result<Index, VideoError> {
    let name_of = || name.to_owned();
    let unreadable = |_err| VideoError::Unreadable { name: name_of() };
    let places = Places::find(window).map_err(unreadable)?;
    let Some((start, size)) = places.moov else {
        let is_whole = !places.is_cut_off;
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

    let mut track = Track::longest(name, &moov)?;
    let mut decode_time = 0;
    for &(start, size) in &places.moofs {
        let Some(moof) = window.whole(start, size, LARGEST_MOOF).map_err(unreadable)? else { break };
        let Some(moof) = boxes(&moof).next() else { break };
        // A fragment that makes no sense ends the video there.
        if fragment_samples(moof, start, &track.defaults, &mut decode_time, &mut track.samples).is_none() {
            break;
        }
        if track.samples.len() > MAX_SAMPLES {
            return Err(VideoError::TooLong { name: name_of() });
        }
    }
    Index::new(name, Found { is_cut_off: places.is_cut_off, ..track.found() }, window.length())
}

/// Where the boxes are that matter.
#[derive(Default)]
struct Places {
    moov: Option<(u64, u64)>,
    moofs: Vec<(u64, u64)>,
    is_cut_off: bool,
}

impl Places {
    fn find<R: Read + Seek>(window: &mut Window<R>) -> std::io::Result<Self> {
        let mut places = Self::default();
        let mut at = 0;
        for _ in 0..MAX_BOXES {
            let rest = window.length() - at;
            if rest == 0 {
                break;
            }
            let Some((kind, _header, size)) = header_of(window.at(at, 16)?, rest) else {
                places.is_cut_off = true;
                break;
            };
            match &kind {
                b"moov" if places.moov.is_none() => places.moov = Some((at, size)),
                b"moof" => places.moofs.push((at, size)),
                _ => {}
            }
            if size > rest {
                places.is_cut_off = true;
                break;
            }
            at += size;
        }
        Ok(places)
    }
}

/// A video track.
struct Track {
    codec: Codec,
    shape: Shape,
    timescale: u32,
    edits: Edits,
    defaults: TrexBox,
    samples: Vec<Sample>,
}

impl Track {
    /// Of the video tracks the one with the most samples, the first of equals. No other is kept meanwhile: a small
    /// file may list many, each of a million samples.
    fn longest(name: &str, moov: &Boxed<'_>) -> Result<Self, VideoError> {
        let is_video = |trak: &Boxed<'_>| {
            let handler = trak.descendant(&[b"mdia", b"hdlr"]).and_then(|hdlr| hdlr.read::<HdlrBox>());
            &trak.kind == b"trak" && handler.is_some_and(|hdlr| hdlr.handler_type.value == *b"vide")
        };
        let mut refusal = VideoError::NoPictures { name: name.to_owned() };
        let mut best: Option<Self> = None;
        for trak in boxes(moov.body).filter(is_video).take(MAX_TRACKS) {
            match Self::read(name, moov, &trak) {
                Ok(track) if best.as_ref().is_none_or(|best| best.samples.len() < track.samples.len()) => {
                    best = Some(track);
                }
                Ok(_shorter) => {}
                Err(err) => refusal = err,
            }
        }
        best.ok_or(refusal)
    }

    fn read(name: &str, moov: &Boxed<'_>, trak: &Boxed<'_>) -> Result<Self, VideoError> {
        let damaged = || VideoError::Damaged { name: name.to_owned() };
        let header: TkhdBox = trak.read_child(b"tkhd").ok_or_else(damaged)?;
        let media: MdhdBox =
            trak.descendant(&[b"mdia", b"mdhd"]).and_then(|mdhd| mdhd.read()).ok_or_else(damaged)?;
        if media.timescale == 0 {
            return Err(damaged());
        }
        let stbl = trak.descendant(&[b"mdia", b"minf", b"stbl"]).ok_or_else(damaged)?;
        let (codec, coded, pixel_aspect) = sample_entry(name, &stbl)?;
        let samples = table_samples(name, &stbl)?;
        let movie: Option<MvhdBox> = moov.read_child(b"mvhd");
        let edits: Option<ElstBox> = trak.descendant(&[b"edts", b"elst"]).and_then(|elst| elst.read());
        let movie_scale = movie.map_or(0, |mvhd| mvhd.timescale);
        let edits = edits.map_or(Edits::NONE, |edits| Edits::read(&edits, movie_scale, media.timescale));
        let defaults = moov.child(b"mvex").and_then(|mvex| {
            let all =
                boxes(mvex.body).filter(|inner| &inner.kind == b"trex").filter_map(|trex| trex.read::<TrexBox>());
            let mut own = all.filter(|trex| trex.track_id == header.track_id);
            own.next()
        });
        let defaults = defaults.unwrap_or_else(|| TrexBox { track_id: header.track_id, ..TrexBox::default() });
        let matrix = [header.matrix.a, header.matrix.b, header.matrix.c, header.matrix.d];
        Ok(Self {
            codec,
            shape: Shape { coded, pixel_aspect, turn: turn_of(matrix) },
            timescale: media.timescale,
            edits,
            defaults,
            samples,
        })
    }

    fn found(self) -> Found {
        let Self { codec, shape, timescale, edits, mut samples, .. } = self;
        for sample in &mut samples {
            sample.is_hidden = sample.time < edits.start || sample.time >= edits.end;
            sample.time = sample.time.saturating_sub(edits.start).saturating_add(edits.delay);
        }
        let tick = Tick { numerator: 1, denominator: u64::from(timescale) };
        Found { container: Container::Mp4, codec, shape, tick, samples, is_cut_off: false }
    }
}

/// Which part of a track is shown, in its ticks. Of an edit list, that is a delay and one part; lists that play
/// several parts are shown from the first one's start to the track's end.
struct Edits {
    start: i64,
    end: i64,
    delay: i64,
}

impl Edits {
    const NONE: Self = Self { start: 0, end: i64::MAX, delay: 0 };

    fn read(list: &ElstBox, movie_scale: u32, media_scale: u32) -> Self {
        let in_media = |ticks: u64| {
            let scaled = u128::from(ticks) * u128::from(media_scale) / u128::from(movie_scale.max(1));
            i64::try_from(scaled).unwrap_or(i64::MAX)
        };
        // An edit of media time -1, in 32 or 64 bits, shows nothing.
        let is_empty = |media_time: u64| media_time == u64::from(u32::MAX) || media_time == u64::MAX;
        let empty = list.entries.iter().take_while(|edit| is_empty(edit.media_time));
        let delay = empty.fold(0_i64, |delay, edit| delay.saturating_add(in_media(edit.segment_duration)));
        let mut parts = list.entries.iter().filter(|edit| !is_empty(edit.media_time));
        let Some(first) = parts.next() else { return Self { delay, ..Self::NONE } };
        let start = i64::try_from(first.media_time).unwrap_or(i64::MAX);
        let is_only = parts.next().is_none() && first.segment_duration > 0;
        let end = if is_only { start.saturating_add(in_media(first.segment_duration)) } else { i64::MAX };
        Self { start, end, delay }
    }
}

/// The quarter turns that a track's matrix stands for, by the larger of its numbers: others are not known.
fn turn_of([a, b, c, d]: [i32; 4]) -> Turn {
    let is_on_side = b.unsigned_abs().max(c.unsigned_abs()) > a.unsigned_abs().max(d.unsigned_abs());
    match (is_on_side, a < 0 && d < 0, b > 0) {
        (true, _, true) => Turn::Quarter,
        (true, _, false) => Turn::ThreeQuarters,
        (false, true, _) => Turn::Half,
        (false, false, _) => Turn::None,
    }
}

/// The codec, coded size and pixel aspect of the first sample entry.
fn sample_entry(name: &str, stbl: &Boxed<'_>) -> Result<(Codec, Size, f64), VideoError> {
    /// What a visual sample entry has before its boxes.
    const FIXED: usize = 78;
    let damaged = || VideoError::Damaged { name: name.to_owned() };
    let stsd = stbl.child(b"stsd").ok_or_else(damaged)?;
    let entry = stsd.body.get(8..).and_then(|entries| boxes(entries).next()).ok_or_else(damaged)?;
    let kind = String::from_utf8_lossy(&entry.kind).into_owned();
    let (fixed, inner) = entry.body.split_at_checked(FIXED).ok_or_else(damaged)?;
    let record = |kind: &[u8; 4]| boxes(inner).find(|inner| inner.kind == *kind).map(|found| found.body);
    let codec = match &entry.kind {
        b"avc1" | b"avc3" => record(b"avcC").and_then(|record| Codec::avc(&kind, record)),
        b"hvc1" | b"hev1" => record(b"hvcC").and_then(|record| Codec::hevc(&kind, record)),
        b"av01" => record(b"av1C").and_then(Codec::av1),
        b"vp09" => record(b"vpcC").and_then(|record| Codec::vp9(record.get(4..)?)),
        b"vp08" => Some(Codec::vp8()),
        b"encv" => return Err(VideoError::Protected { name: name.to_owned() }),
        _ => return Err(VideoError::Codec { name: name.to_owned(), codec: codec::foreign(&kind) }),
    };
    let side = |at: usize| usize::from(u16::from_be_bytes([fixed[at], fixed[at + 1]]));
    let coded = Size { width: side(24), height: side(26) };
    if coded.width == 0 || coded.height == 0 {
        return Err(damaged());
    }
    let aspect = record(b"pasp").and_then(|pasp| {
        let (horizontal, rest) = pasp.split_first_chunk::<4>()?;
        let vertical = rest.first_chunk::<4>()?;
        let ratio = f64::from(u32::from_be_bytes(*horizontal)) / f64::from(u32::from_be_bytes(*vertical));
        // Anything else is a mistake, and no wish for a sliver.
        (0.1..=10.0).contains(&ratio).then_some(ratio)
    });
    Ok((codec.ok_or_else(damaged)?, coded, aspect.unwrap_or(1.0)))
}
