//! A video file, frame by frame.

use std::collections::VecDeque;

use js_sys::Object;
use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::super::{Index, VideoError, VideoInfo, demux};
use super::blob::BlobReader;
use super::decoder::{self, Decoder, Event};
use super::frame::Easel;
use super::webcodecs::{self, Frame};
use crate::media::Photo;

/// The most decoded frames that are alive at any time. A decoder gives frames in bursts; those beyond are closed
/// at once, and decoded anew should they be asked for.
pub const MAX_ALIVE: usize = 16;

/// Of those, the ones that came ahead of what was asked for; there are the current one, the one before what is
/// looked for, and one on its way here besides.
const MAX_AHEAD: usize = MAX_ALIVE - 3;

/// Chunks that may wait in the decoder's queue: enough to keep it busy.
const IN_FLIGHT: u32 = 3;

/// How long to wait for news of the decoder before looking again, and how often before giving up.
const PATIENCE: i32 = 250;
const MAX_WAITS: usize = 80;

/// A video file whose frames can be had, one at a time, for any time. Never more than [`MAX_ALIVE`] decoded frames
/// are alive, and of the file one encoded frame and a page of the index. Dropping it, or a request, cancels.
pub struct Video {
    name: String,
    index: Index,
    reader: BlobReader,
    config: Object,
    easel: Easel,
    run: Option<Run>,
}

impl Video {
    /// Opens a file and asks the browser whether it decodes it.
    ///
    /// # Errors
    /// As [`demux`], and where the browser has no WebCodecs, or not this codec.
    pub async fn open(name: &str, blob: Blob) -> Result<Self, VideoError> {
        let unreadable = || VideoError::Unreadable { name: name.to_owned() };
        let mut reader = BlobReader::new(blob).map_err(|_err| unreadable())?;
        let index = demux(name, &mut reader)?;
        if !webcodecs::is_there() {
            return Err(VideoError::NoDecoder);
        }
        let config = decoder::config_of(&index);
        if !decoder::is_supported(&config).await {
            let codec = format!("{} ({})", index.codec.name, index.codec.string);
            return Err(VideoError::Codec { name: name.to_owned(), codec });
        }
        let easel = Easel::new(index.shape).map_err(|_err| VideoError::NoRoom { name: name.to_owned() })?;
        Ok(Self { name: name.to_owned(), index, reader, config, easel, run: None })
    }

    /// What is known of it.
    pub fn info(&self) -> VideoInfo {
        self.index.info()
    }

    /// The frame that is seen at `micros`: the last whose time is not after it. Asking in order of time decodes
    /// each frame once; asking for an earlier one, or one beyond the next key frame, begins at the key before it.
    ///
    /// # Errors
    /// Where the file cannot be read any more, its data are damaged there, or the decoder gives nothing. Other
    /// frames can be asked for afterwards.
    pub async fn frame_at(&mut self, micros: i64) -> Result<Photo, VideoError> {
        let rank = self.index.at(micros);
        let seconds = self.index.times[rank] as f64 / 1e6;
        let mut outcome = self.decode(rank, Feed::Ahead).await;
        if outcome == Err(Failure::Decoder) {
            // The damage may be in what was fed ahead: once more, with no more than this frame needs.
            outcome = self.decode(rank, Feed::Needed).await;
        }
        let name = self.name.clone();
        let current = self.run.as_ref().and_then(|run| run.current.as_ref()).ok_or(Failure::Silence);
        match outcome.and(current) {
            Ok((_wanted, frame)) => self.easel.photo(frame).map_err(|_err| VideoError::NoRoom { name }),
            Err(failure) => {
                self.run = None;
                Err(match failure {
                    Failure::Decoder => VideoError::DamagedAt { name, seconds },
                    Failure::Silence => VideoError::Stalled { name, seconds },
                    Failure::File => VideoError::Unreadable { name },
                })
            }
        }
    }

    /// Decodes until the frame of this rank is the run's current one. Of an encoded frame that yields none (broken files have
    /// such), the one before it is what is seen.
    async fn decode(&mut self, rank: usize, feed: Feed) -> Result<(), Failure> {
        let wanted = self.index.times[rank];
        let sample = self.index.shown[rank] as usize;
        let mut key = self.index.key_before(sample).unwrap_or(0);
        if feed == Feed::Needed || !self.run.as_ref().is_some_and(|run| run.reaches(wanted, key)) {
            self.run = None;
        }
        let (mut waits, mut retries) = (0, 0);
        loop {
            let run = match &mut self.run {
                Some(run) => run,
                none => none.insert(Run::new(&self.config, &self.index, key).map_err(|_err| Failure::Decoder)?),
            };
            while let Some(event) = run.decoder.reported() {
                run.note(event, wanted);
            }
            if run.advance(wanted) {
                return Ok(());
            }
            if run.has_failed && run.is_fresh && key > 0 && retries < MAX_RETRIES {
                retries += 1;
                key = self.start_before(key, sample);
                continue;
            }
            // Of all that was fed, nothing came.
            if run.has_failed || run.is_flushed {
                return Err(Failure::Decoder);
            }
            let is_end = run.next >= self.index.samples.len() || (feed == Feed::Needed && run.next > sample);
            if !is_end && run.decoder.waiting() < IN_FLIGHT {
                match run.feed(&self.index, &self.reader) {
                    Err(Failure::Decoder) => run.has_failed = true,
                    fed => fed?,
                }
                continue;
            }
            if is_end && !run.is_flushing {
                run.decoder.flush().map_err(|_err| Failure::Decoder)?;
                run.is_flushing = true;
            }
            let event = run.decoder.next(PATIENCE).await;
            waits = if matches!(event, Event::Waited) { waits + 1 } else { 0 };
            if waits > MAX_WAITS {
                return Err(Failure::Silence);
            }
            run.note(event, wanted);
        }
    }

    /// Some keys are none to a strict decoder (those of open groups): the one before `key`, now and from now on.
    fn start_before(&mut self, key: usize, sample: usize) -> usize {
        self.run = None;
        self.index.samples[key].is_key = false;
        self.index.key_before(sample).unwrap_or(0)
    }
}

/// How often to begin at an earlier key where a decoder will not begin at one.
const MAX_RETRIES: usize = 2;

/// How far to feed a decoder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Feed {
    /// As far as it takes for the frame to come by itself.
    Ahead,
    /// Up to the frame, and then no further.
    Needed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// The decoder gave up.
    Decoder,
    /// The decoder gave nothing for long.
    Silence,
    /// The file could not be read.
    File,
}

/// A decoder on its way through the file.
struct Run {
    decoder: Decoder,
    /// The sample to be fed next.
    next: usize,
    /// Frames that came and are not before what was wanted last, in order; [`MAX_AHEAD`] at most.
    frames: VecDeque<Frame>,
    /// The last frame that came before what is wanted.
    before: Option<Frame>,
    /// What was wanted last, and the frame that is seen then.
    current: Option<(i64, Frame)>,
    /// Frames before this time were given out or passed over, or are before the key.
    passed: i64,
    /// Frames from this time on were closed for want of room.
    lost: i64,
    /// Whether no frame has come yet.
    is_fresh: bool,
    is_flushing: bool,
    is_flushed: bool,
    has_failed: bool,
}

impl Run {
    fn new(config: &Object, index: &Index, key: usize) -> Result<Self, JsValue> {
        Ok(Self {
            decoder: Decoder::new(config)?,
            next: key,
            frames: VecDeque::new(),
            before: None,
            current: None,
            passed: index.stamps[key],
            lost: i64::MAX,
            is_fresh: true,
            is_flushing: false,
            is_flushed: false,
            has_failed: false,
        })
    }

    /// Whether going on leads to the frame at `wanted`, whose key is the sample `key`, and is the shortest way.
    fn reaches(&self, wanted: i64, key: usize) -> bool {
        if self.is_current(wanted) {
            return true;
        }
        if wanted < self.passed || wanted >= self.lost {
            return false;
        }
        let is_here = self.frames.back().is_some_and(|last| last.micros() >= wanted);
        is_here || (key <= self.next && !self.is_flushing && !self.has_failed)
    }

    fn is_current(&self, wanted: i64) -> bool {
        self.current.as_ref().is_some_and(|&(time, _)| time == wanted)
    }

    fn feed(&mut self, index: &Index, reader: &BlobReader) -> Result<(), Failure> {
        let sample = &index.samples[self.next];
        let range = sample.range();
        let data = reader.part(range.start, range.end).map_err(|_err| Failure::File)?;
        let micros = index.stamps[self.next];
        self.decoder.feed(sample.is_key, micros, &data).map_err(|_err| Failure::Decoder)?;
        self.next += 1;
        Ok(())
    }

    fn note(&mut self, event: Event, wanted: i64) {
        self.is_fresh &= !matches!(event, Event::Frame(_));
        match event {
            Event::Frame(frame) if frame.micros() < wanted => self.pass(frame),
            Event::Frame(frame) if self.frames.len() < MAX_AHEAD => self.frames.push_back(frame),
            // Frames come in order, so this is the first of all that are lost.
            Event::Frame(frame) => self.lost = self.lost.min(frame.micros()),
            Event::Failed => self.has_failed = true,
            Event::Flushed => self.is_flushed = true,
            Event::Dequeued | Event::Waited => {}
        }
    }

    fn pass(&mut self, frame: Frame) {
        self.passed = frame.micros() + 1;
        self.before = Some(frame);
    }

    /// Makes the frame that is seen at `wanted` the current one, where it is sure which that is.
    fn advance(&mut self, wanted: i64) -> bool {
        if self.is_current(wanted) {
            return true;
        }
        while let Some(frame) = self.frames.pop_front_if(|first| first.micros() < wanted) {
            self.pass(frame);
        }
        let frame = match self.frames.front().map(Frame::micros) {
            Some(time) if time == wanted => self.frames.pop_front(),
            // A later one came first: the one wanted never will.
            Some(_later) => self.before.take().or_else(|| self.frames.pop_front()),
            None if self.is_flushed => self.before.take(),
            None => None,
        };
        let Some(frame) = frame else { return false };
        self.before = None;
        self.passed = frame.micros().max(wanted) + 1;
        self.current = Some((wanted, frame));
        true
    }
}
