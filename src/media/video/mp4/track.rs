//! A video track of an MP4 file: its codec, shape, edit list and samples.

use re_mp4::{ElstBox, HdlrBox, MdhdBox, MvhdBox, TkhdBox, TrexBox};

use super::boxes::{Mp4Box, boxes};
use super::samples::table_samples;
use crate::geometry::Size;
use crate::media::video::codec::{self, Codec};
use crate::media::video::error::VideoError;
use crate::media::video::sample::{Container, FrameShape, Sample, Tick, Turn};
use crate::media::video::video_index::ParsedTrack;

/// The most video tracks that are read. A film has one track, and perhaps a cover and a few other camera angles.
const MAX_TRACKS: usize = 64;

/// A video track.
pub(super) struct Mp4Track {
    codec: Codec,
    shape: FrameShape,
    /// Ticks per second.
    timescale: u32,
    edits: Edits,
    /// The default values for fragments.
    pub defaults: TrexBox,
    /// The samples in decoding order.
    pub samples: Vec<Sample>,
}

impl Mp4Track {
    /// Returns the video track with the most samples. If several have the same number, the first counts. Only one track
    /// is in memory at a time, because a small file may list many tracks with a million samples each.
    ///
    /// # Errors
    /// [`VideoError`] if there is no video track, or none can be decoded.
    pub fn longest(name: &str, moov: &Mp4Box<'_>) -> Result<Self, VideoError> {
        let is_video = |trak: &Mp4Box<'_>| {
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

    /// Reads one track.
    fn read(name: &str, moov: &Mp4Box<'_>, trak: &Mp4Box<'_>) -> Result<Self, VideoError> {
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
            shape: FrameShape { coded, pixel_aspect, turn: turn_of(matrix) },
            timescale: media.timescale,
            edits,
            defaults,
            samples,
        })
    }

    /// Returns the track with the edit list applied to its samples.
    pub fn parsed(self) -> ParsedTrack {
        let Self { codec, shape, timescale, edits, mut samples, .. } = self;
        for sample in &mut samples {
            sample.is_hidden = sample.time < edits.start || sample.time >= edits.end;
            sample.time = sample.time.saturating_sub(edits.start).saturating_add(edits.delay);
        }
        let tick = Tick { numerator: 1, denominator: u64::from(timescale) };
        ParsedTrack { container: Container::Mp4, codec, shape, tick, samples, is_cut_off: false }
    }
}

/// The part of a track that is shown, in the track's ticks. An edit list gives a delay and one part. If a list plays
/// several parts, the video is shown from the start of the first part to the end of the track.
struct Edits {
    start: i64,
    end: i64,
    delay: i64,
}

impl Edits {
    const NONE: Self = Self { start: 0, end: i64::MAX, delay: 0 };

    /// Reads an edit list. `movie_scale` and `media_scale` are the ticks per second of the movie and of the track.
    fn read(list: &ElstBox, movie_scale: u32, media_scale: u32) -> Self {
        let in_media = |ticks: u64| {
            let scaled = u128::from(ticks) * u128::from(media_scale) / u128::from(movie_scale.max(1));
            i64::try_from(scaled).unwrap_or(i64::MAX)
        };
        // An edit with media time -1, in 32 or 64 bits, shows nothing.
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

/// Returns the rotation of a track's matrix, in quarter turns. The largest number of the matrix decides, so any other
/// rotation becomes the nearest quarter turn.
fn turn_of([a, b, c, d]: [i32; 4]) -> Turn {
    let is_on_side = b.unsigned_abs().max(c.unsigned_abs()) > a.unsigned_abs().max(d.unsigned_abs());
    match (is_on_side, a < 0 && d < 0, b > 0) {
        (true, _, true) => Turn::Quarter,
        (true, _, false) => Turn::ThreeQuarters,
        (false, true, _) => Turn::Half,
        (false, false, _) => Turn::None,
    }
}

/// Reads the codec, the stored size and the pixel aspect of the first sample entry.
///
/// # Errors
/// [`VideoError`] if the entry is damaged, encrypted, or has a codec that no browser decodes.
fn sample_entry(name: &str, stbl: &Mp4Box<'_>) -> Result<(Codec, Size, f64), VideoError> {
    /// The number of bytes before the boxes of a visual sample entry.
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
        _ => return Err(VideoError::Codec { name: name.to_owned(), codec: codec::unsupported_name(&kind) }),
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
        // A ratio outside these limits is a mistake in the file.
        (0.1..=10.0).contains(&ratio).then_some(ratio)
    });
    Ok((codec.ok_or_else(damaged)?, coded, aspect.unwrap_or(1.0)))
}
