//! Video files compared with ffprobe's results, and files that are no videos.
//!
//! `tests/reference/video.py` made the clips and ffprobe's results.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use headlamp::geometry::Size;
use headlamp::media::video::{Container, VideoError, VideoIndex, demux};
use serde::Deserialize;

/// ffprobe's results for a clip.
#[derive(Deserialize)]
struct Expected {
    width: usize,
    height: usize,
    sample_aspect_ratio: String,
    clockwise: u32,
    time_base: String,
    packets: Vec<Packet>,
}

/// Presentation time and duration in the time base, number of bytes, their CRC-32, whether the sample is a
/// keyframe, and whether an edit list hides the sample.
#[derive(Deserialize)]
struct Packet(i64, Option<u32>, u32, String, bool, bool);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/video")
}

fn bytes_of(name: &str) -> Vec<u8> {
    let file = folder().join(name);
    std::fs::read(&file).unwrap_or_else(|err| panic!("{}: {err}", file.display()))
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_slice(&bytes_of("expected.json")).unwrap()
}

fn open(name: &str, bytes: &[u8]) -> Result<VideoIndex, VideoError> {
    demux(name, Cursor::new(bytes))
}

/// Returns the time of the first visible sample: headlamp's and ffprobe's. They differ only if an edit list starts
/// inside a sample.
fn first_shown(index: &VideoIndex, expected: &Expected) -> (i64, i64) {
    let ours = index.samples[index.shown[0] as usize].time;
    let theirs = expected.packets.iter().filter(|packet| !packet.5).map(|packet| packet.0).min().unwrap();
    assert!(
        ours == theirs || expected.packets.iter().any(|packet| packet.5) && (0..1001).contains(&(ours - theirs))
    );
    (ours, theirs)
}

fn crc32(bytes: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(bytes);
    format!("{:08x}", crc.sum())
}

fn ratio(text: &str, between: char) -> f64 {
    let (over, under) = text.split_once(between).unwrap();
    over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap()
}

// --- against ffprobe ----------------------------------------------------------------------------------------

#[test]
fn sample_positions_and_times_match_ffprobe() {
    let mut clips = 0;
    for (name, expected) in expected().iter().filter(|(name, _)| *name != "mpeg4.mp4") {
        let bytes = bytes_of(name);
        let index = open(name, &bytes).unwrap_or_else(|err| panic!("{name}: {err}"));
        assert_eq!(index.samples.len(), expected.packets.len(), "{name}");
        assert!(!index.is_cut_off, "{name}");
        let tick = index.tick.numerator as f64 / index.tick.denominator as f64;
        assert!((tick / ratio(&expected.time_base, '/') - 1.0).abs() < 1e-12, "{name}: {:?}", index.tick);
        for (at, (sample, packet)) in index.samples.iter().zip(&expected.packets).enumerate() {
            let Packet(time, duration, length, crc, is_key, is_hidden) = packet;
            let context = format!("{name}, sample {at}: {sample:?}");
            // ffprobe's time starts with the first visible frame. The edit list may start inside a frame.
            let (first, shift) = first_shown(&index, expected);
            assert_eq!((sample.time - first, sample.length), (*time - shift, *length), "{context}");
            assert_eq!((sample.is_key, sample.is_hidden), (*is_key, *is_hidden), "{context}");
            assert_eq!(&crc32(&bytes[sample.offset as usize..][..sample.length as usize]), crc, "{context}");
            // If the rate varies and frames are reordered, the tables have the durations in decoding order. The
            // durations that a viewer sees differ from these, and ffprobe's differ from both.
            if index.container == Container::Mp4 && name != "vfr.mp4" && at + 1 < expected.packets.len() {
                assert_eq!(Some(sample.duration), *duration, "{context}");
            }
        }
        clips += 1;
    }
    assert_eq!(clips, 16);
}

#[test]
fn codecs_and_frame_sizes_are_read() {
    for (name, codec) in [
        ("h264.mp4", "avc1.64000A"),
        ("fragmented.mp4", "avc1.64000A"),
        ("h264.mkv", "avc1.64000A"),
        ("hevc.mp4", "hvc1.1.6.L30.90"),
        ("vp8.webm", "vp8"),
        ("live.webm", "vp8"),
        ("vp9.webm", "vp09.00.10.08"),
        ("vp9.mp4", "vp09.00.10.08"),
        ("av1.webm", "av01.0.00M.08"),
        ("av1.mp4", "av01.0.00M.08"),
    ] {
        let index = open(name, &bytes_of(name)).unwrap();
        assert_eq!(index.codec.string, codec, "{name}");
        let is_described = codec.starts_with("avc1") || codec.starts_with("hvc1");
        assert_eq!(index.codec.description.is_some(), is_described, "{name}");
    }
    for (name, expected) in expected().iter().filter(|(name, _)| *name != "mpeg4.mp4") {
        let shape = open(name, &bytes_of(name)).unwrap().shape;
        assert_eq!(shape.coded, Size { width: expected.width, height: expected.height }, "{name}");
        assert_eq!(shape.turn.degrees(), expected.clockwise, "{name}");
        let aspect = ratio(&expected.sample_aspect_ratio, ':');
        assert!((shape.pixel_aspect - aspect).abs() < 0.01, "{name}: {shape:?}");
    }
    let upright = |name: &str| open(name, &bytes_of(name)).unwrap().shape.upright();
    assert_eq!(upright("rotated.mp4"), Size { width: 64, height: 128 });
    assert_eq!(upright("wide.mp4"), Size { width: 171, height: 64 });
}

#[test]
fn frames_are_found_by_time() {
    let index = open("h264.mp4", &bytes_of("h264.mp4")).unwrap();
    assert_eq!(index.times.len(), 40);
    assert_eq!((index.times[0], index.times[1], index.times[30]), (0, 33_367, 1_001_000));
    assert_eq!(index.duration(), 1_334_667);
    assert!((index.rate() - 30_000.0 / 1001.0).abs() < 1e-3, "{}", index.rate());
    assert_eq!((index.at(-1), index.at(0), index.at(33_366), index.at(33_367)), (0, 0, 0, 1));
    assert_eq!(index.at(i64::MAX), 39);
    // Frames that an edit list hides are never shown, but decoding starts there.
    let trimmed = open("trimmed.mp4", &bytes_of("trimmed.mp4")).unwrap();
    assert!(trimmed.samples.len() > trimmed.times.len());
    assert_eq!(trimmed.key_before(trimmed.shown[0] as usize), Some(0));
    // The frame rate of vfr.mp4 falls: the gaps between frames grow.
    let vfr = open("vfr.mp4", &bytes_of("vfr.mp4")).unwrap();
    let gaps: Vec<i64> = vfr.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[..4].iter().all(|gap| gap.abs_diff(33_333) <= 1), "{gaps:?}");
    assert!(gaps[35..].iter().all(|&gap| gap > 90_000), "{gaps:?}");
}

#[test]
fn decoding_starts_at_a_key_frame_shown_before() {
    for name in ["h264.mp4", "open_gop.mp4", "vp9.webm", "hevc.mp4"] {
        let index = open(name, &bytes_of(name)).unwrap();
        for wanted in 0..index.samples.len() {
            let key = index.key_before(wanted).unwrap();
            assert!(key <= wanted && index.samples[key].is_key, "{name}");
            assert!(index.samples[key].time <= index.samples[wanted].time, "{name}");
        }
    }
    // The leading frames of an open group come after its keyframe, are shown before the keyframe, and need the
    // group before.
    let index = open("open_gop.mp4", &bytes_of("open_gop.mp4")).unwrap();
    let leads = |wanted: usize| {
        let last_key = index.samples[..=wanted].iter().rposition(|sample| sample.is_key);
        index.key_before(wanted) < last_key
    };
    assert!((0..index.samples.len()).any(leads));
}

/// Counts the bytes that are read from a file.
struct CountingReader<'a>(Cursor<&'a [u8]>, &'a mut u64);

impl Read for CountingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        *self.1 += read as u64;
        Ok(read)
    }
}

impl Seek for CountingReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn opening_reads_no_frames() {
    // The frames of the fragmented clip, each after 40 MB that no box needs.
    let clip = bytes_of("h264.mp4");
    let moov = clip.windows(4).position(|bytes| bytes == b"moov").unwrap() - 4;
    let mut file = clip[..moov].to_vec();
    file.extend((40_u32 << 20).to_be_bytes());
    file.extend(b"free");
    file.resize(moov + (40 << 20), 0);
    file.extend(&clip[moov..]);
    let mut read = 0;
    let index = demux("large.mp4", CountingReader(Cursor::new(&file), &mut read)).unwrap();
    assert_eq!(index.samples.len(), 40);
    assert!(read < 1 << 20, "{read} bytes of {}", file.len());
}

// --- files that are no videos -------------------------------------------------------------------------------

/// Returns the message of the error. Asserts that the message names the file and has no words of a program.
fn sentence(name: &str, bytes: &[u8]) -> String {
    let message = open(name, bytes).unwrap_err().to_string();
    assert!(message.contains(name), "{message}");
    for debris in ["Err(", "Error", "Some(", "{", "panicked"] {
        assert!(!message.contains(debris), "{message}");
    }
    message
}

#[test]
fn files_that_are_no_videos_are_refused() {
    assert!(sentence("nothing.mp4", b"").contains("is empty"));
    assert!(sentence("diary.mp4", b"Dear diary, this is no video.").contains("is not a video"));
    assert!(sentence("x.webm", b"x").contains("is not a video"));
    let message = sentence("old.mp4", &bytes_of("mpeg4.mp4"));
    assert!(message.contains("does not decode MPEG-4 Part 2 (mp4v)") && message.contains("H.264"), "{message}");
    let mut sound = bytes_of("vp9.webm");
    let codec = sound.windows(5).position(|bytes| bytes == b"V_VP9").unwrap();
    sound[codec..codec + 5].copy_from_slice(b"V_UNK");
    assert!(sentence("odd.webm", &sound).contains("the codec V_UNK"));
}

#[test]
fn truncated_files_open_with_the_frames_they_have() {
    for name in ["h264.mp4", "hevc.mp4", "vp9.mp4"] {
        let whole = bytes_of(name);
        // The list of frames is at the end of the file. Without the list no frame can be read.
        assert!(sentence(name, &whole[..whole.len() - 9]).contains("cut off"), "{name}");
        assert!(sentence(name, &whole[..whole.len() / 2]).contains("cut off"), "{name}");
    }
    for name in ["faststart.mp4", "fragmented.mp4", "vp8.webm", "vp9.webm", "live.webm", "h264.mkv"] {
        let whole = bytes_of(name);
        let all = open(name, &whole).unwrap();
        let middle = all.samples[20].offset as usize + 1;
        let index = open(name, &whole[..middle]).unwrap();
        assert!(index.is_cut_off, "{name}");
        assert!(!index.samples.is_empty() && index.samples.len() <= 20, "{name}: {}", index.samples.len());
        assert_eq!(index.samples[..], all.samples[..index.samples.len()], "{name}");
    }
}

/// Returns the positions of the entry counts of all tables in boxes named `kind`.
fn counts_of<'a>(bytes: &'a [u8], kind: &'a [u8; 4], after: usize) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(4).enumerate().filter(move |(_, window)| window == kind).map(move |(at, _)| at + 4 + after)
}

#[test]
fn absurd_counts_are_refused_before_any_allocation() {
    for (kind, after) in [(b"stsz", 8), (b"stts", 4), (b"ctts", 4), (b"stsc", 4), (b"stco", 4), (b"stss", 4)] {
        let mut bytes = bytes_of("h264.mp4");
        let places: Vec<usize> = counts_of(&bytes, kind, after).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        }
        // A table that a file may lack may also be missing in a damaged file.
        match open("absurd.mp4", &bytes) {
            Ok(index) => assert!(index.samples.len() <= 40),
            Err(err) => assert!(err.to_string().contains("absurd.mp4")),
        }
    }
    // Samples of equal size need no table, so a file can declare four thousand million of them.
    let mut bytes = bytes_of("h264.mp4");
    let at = counts_of(&bytes, b"stsz", 4).next().unwrap();
    bytes[at..at + 8].copy_from_slice(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(sentence("many.mp4", &bytes).contains("too many frames"));
    let mut bytes = bytes_of("fragmented.mp4");
    let at = counts_of(&bytes, b"trun", 0).next().unwrap();
    bytes[at..at + 8].copy_from_slice(&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(open("many.mp4", &bytes).is_err());
}

#[test]
fn a_file_with_many_tracks_opens() {
    let whole = bytes_of("h264.mp4");
    let place = |kind: &[u8; 4]| whole.windows(4).position(|window| window == kind).unwrap() - 4;
    let size_at = |at: usize| u32::from_be_bytes(whole[at..at + 4].try_into().unwrap());
    // The tables come after the frames, so that no frame moves.
    let (moov, trak) = (place(b"moov"), place(b"trak"));
    let more = whole[trak..trak + size_at(trak) as usize].repeat(200);
    let with = |more: Vec<u8>| {
        let mut bytes = whole.clone();
        bytes[moov..moov + 4].copy_from_slice(&(size_at(moov) + more.len() as u32).to_be_bytes());
        bytes.splice(trak..trak, more);
        open("many.mp4", &bytes)
    };
    assert_eq!(with(more.clone()).unwrap().samples, open("one.mp4", &whole).unwrap().samples);
    // After this many damaged tracks the parser does not look for an intact one.
    let mut damaged = more;
    let tables: Vec<usize> =
        damaged.windows(4).enumerate().filter(|(_, window)| *window == b"stbl").map(|(at, _)| at).collect();
    tables.into_iter().for_each(|at| damaged[at..at + 4].copy_from_slice(b"xxxx"));
    assert!(with(damaged).is_err());
}

#[test]
fn invalid_boxes_and_elements_end_the_parsing() {
    let whole = bytes_of("h264.mp4");
    for kind in [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"tkhd", b"mdhd", b"avcC", b"elst"] {
        let at = whole.windows(4).position(|window| window == kind).unwrap() - 4;
        for size in [0, 1, 7, 8, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
            let _any_answer = open("nowhere.mp4", &bytes);
        }
    }
    // A segment that starts with a checksum, and an index that points to itself.
    let whole = bytes_of("vp9.webm");
    let seek_head = whole.windows(4).position(|window| window == [0x11, 0x4D, 0x9B, 0x74]).unwrap();
    let mut bytes = whole.clone();
    bytes.splice(seek_head..seek_head, [0xBF, 0x84, 1, 2, 3, 4]);
    assert_eq!(open("checksum.webm", &bytes).unwrap().samples.len(), 40);
    let mut bytes = whole;
    let seek_id = bytes.windows(3).position(|window| window == [0x53, 0xAB, 0x84]).unwrap() + 3;
    bytes[seek_id..seek_id + 4].copy_from_slice(&[0x11, 0x4D, 0x9B, 0x74]);
    assert_eq!(open("circle.webm", &bytes).unwrap().samples.len(), 40);
}

/// Changes bytes at random places. Every result is allowed, except a panic, and it must come soon.
#[test]
fn damaged_files_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut answers = [0, 0];
    for name in expected().keys() {
        let whole = bytes_of(name);
        for round in 0..1500 {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random(5)],
                    1 => bytes[at] = random(256) as u8,
                    _ => {
                        let field = [0, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX][random(5)].to_be_bytes();
                        let end = bytes.len().min(at + 4);
                        bytes[at..end].copy_from_slice(&field[..end - at]);
                    }
                }
            }
            if round % 5 == 0 {
                bytes.truncate(random(bytes.len()));
            }
            let opened = open("damaged", &bytes);
            if let Ok(index) = &opened {
                assert!(index.times.windows(2).all(|pair| pair[0] < pair[1]) && index.times[0] >= 0);
                assert!(index.samples.iter().all(|sample| sample.range().end <= bytes.len() as u64));
                let (_, _, _) = (index.duration(), index.rate(), index.shape.upright());
            }
            answers[usize::from(opened.is_ok())] += 1;
        }
    }
    assert!(answers.iter().all(|&count| count > 1000), "{answers:?}");
}
