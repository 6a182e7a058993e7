//! Decodes a video file frame by frame.

use std::collections::VecDeque;

use js_sys::Object;
use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::blob::BlobReader;
use super::decoder::{self, Decoder, DecoderEvent};
use super::frame_canvas::FrameCanvas;
use super::webcodecs::{self, DecodedFrame};
use crate::media::photo::Photo;
use crate::media::video::demux::demux;
use crate::media::video::error::VideoError;
use crate::media::video::video_index::VideoIndex;
use crate::media::video::video_info::VideoInfo;

/// The most decoded frames that are open at any time. A decoder returns frames in bursts. Frames beyond this number
/// are closed at once, and decoded again if they are needed.
pub const MAX_ALIVE: usize = 16;

/// The most open frames that lie ahead of the wanted frame. The other three are the current frame, the last frame
/// before the wanted one, and a frame that is about to arrive.
const MAX_AHEAD: usize = MAX_ALIVE - 3;

/// The most encoded frames in the decoder's queue. This number keeps the decoder busy.
const MAX_QUEUE: u32 = 3;

/// The time to wait for an event of the decoder, in milliseconds.
const WAIT: i32 = 250;
/// The most waits without an event before decoding fails.
const MAX_WAITS: usize = 80;

/// A video file that returns one frame at a time, for any time in the video. At most [`MAX_ALIVE`] decoded frames are
/// open. Of the file, one encoded frame and one page of the frame list are in memory. Dropping the video or a request
/// cancels the work.
pub struct Video {
    name: String,
    index: VideoIndex,
    reader: BlobReader,
    config: Object,
    canvas: FrameCanvas,
    run: Option<DecodingRun>,
}

impl Video {
    /// Opens a file, and asks the browser whether it decodes the codec.
    ///
    /// # Errors
    /// As [`demux`]; also if the browser has no WebCodecs, or does not decode this codec.
    pub async fn open(name: &str, blob: Blob) -> Result<Self, VideoError> {
        let unreadable = || VideoError::Unreadable { name: name.to_owned() };
        let mut reader = BlobReader::new(blob).map_err(|_err| unreadable())?;
        let index = demux(name, &mut reader)?;
        if !webcodecs::is_available() {
            return Err(VideoError::NoDecoder);
        }
        let config = decoder::config_of(&index);
        if !decoder::is_supported(&config).await {
            let codec = format!("{} ({})", index.codec.name, index.codec.string);
            return Err(VideoError::Codec { name: name.to_owned(), codec });
        }
        let canvas = FrameCanvas::new(index.shape).map_err(|_err| VideoError::NoRoom { name: name.to_owned() })?;
        Ok(Self { name: name.to_owned(), index, reader, config, canvas, run: None })
    }

    /// Returns the video's size and times.
    pub fn info(&self) -> VideoInfo {
        self.index.info()
    }

    /// Returns the frame that is visible at `micros` microseconds: the last frame that is not later. Requests in
    /// order of time decode each frame once. A request for an earlier frame, or for a frame beyond the next key
    /// frame, starts at the key frame before it.
    ///
    /// # Errors
    /// [`VideoError`] if the file cannot be read any more, its data are damaged there, or the decoder returns
    /// nothing. Other frames can be requested afterwards.
    pub async fn frame_at(&mut self, micros: i64) -> Result<Photo, VideoError> {
        let rank = self.index.at(micros);
        let seconds = self.index.times[rank] as f64 / 1e6;
        let mut outcome = self.decode(rank, FeedLimit::Ahead).await;
        if outcome == Err(DecodeFailure::Decoder) {
            // The damage may be in the frames ahead. The second attempt feeds only the data that this frame needs.
            outcome = self.decode(rank, FeedLimit::Needed).await;
        }
        let name = self.name.clone();
        let current = self.run.as_ref().and_then(|run| run.current.as_ref()).ok_or(DecodeFailure::Silence);
        match outcome.and(current) {
            Ok((_wanted, frame)) => self.canvas.photo(frame).map_err(|_err| VideoError::NoRoom { name }),
            Err(failure) => {
                self.run = None;
                Err(match failure {
                    DecodeFailure::Decoder => VideoError::DamagedAt { name, seconds },
                    DecodeFailure::Silence => VideoError::Stalled { name, seconds },
                    DecodeFailure::File => VideoError::Unreadable { name },
                })
            }
        }
    }

    /// Decodes until the frame of this rank is the run's current frame. In broken files, an encoded frame may produce
    /// no frame; then the frame before it becomes the current one.
    async fn decode(&mut self, rank: usize, feed: FeedLimit) -> Result<(), DecodeFailure> {
        let wanted = self.index.times[rank];
        let sample = self.index.shown[rank] as usize;
        let mut key = self.index.key_before(sample).unwrap_or(0);
        if feed == FeedLimit::Needed || !self.run.as_ref().is_some_and(|run| run.reaches(wanted, key)) {
            self.run = None;
        }
        let (mut waits, mut retries) = (0, 0);
        loop {
            let run = match &mut self.run {
                Some(run) => run,
                none => none.insert(
                    DecodingRun::new(&self.config, &self.index, key).map_err(|_err| DecodeFailure::Decoder)?,
                ),
            };
            while let Some(event) = run.decoder.reported_event() {
                run.handle(event, wanted);
            }
            if run.advance(wanted) {
                return Ok(());
            }
            if run.has_failed && run.is_fresh && key > 0 && retries < MAX_RETRIES {
                retries += 1;
                key = self.start_before(key, sample);
                continue;
            }
            // The decoder returned no frame for all the data that it received.
            if run.has_failed || run.is_flushed {
                return Err(DecodeFailure::Decoder);
            }
            let is_end = run.next >= self.index.samples.len() || (feed == FeedLimit::Needed && run.next > sample);
            if !is_end && run.decoder.queue_length() < MAX_QUEUE {
                match run.feed(&self.index, &self.reader) {
                    Err(DecodeFailure::Decoder) => run.has_failed = true,
                    fed => fed?,
                }
                continue;
            }
            if is_end && !run.is_flushing {
                run.decoder.flush().map_err(|_err| DecodeFailure::Decoder)?;
                run.is_flushing = true;
            }
            let event = run.decoder.next_event(WAIT).await;
            waits = if matches!(event, DecoderEvent::TimedOut) { waits + 1 } else { 0 };
            if waits > MAX_WAITS {
                return Err(DecodeFailure::Silence);
            }
            run.handle(event, wanted);
        }
    }

    /// Returns the key frame before `key`, and stops treating `key` as a key frame. A strict decoder does not start
    /// at the key frame of an open group of pictures.
    fn start_before(&mut self, key: usize, sample: usize) -> usize {
        self.run = None;
        self.index.samples[key].is_key = false;
        self.index.key_before(sample).unwrap_or(0)
    }
}

/// The most attempts to start at an earlier key frame, if a decoder does not start at the nearest one.
const MAX_RETRIES: usize = 2;

/// How much data a decoder receives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FeedLimit {
    /// As much as the decoder takes until the frame comes.
    Ahead,
    /// Only the data up to the frame.
    Needed,
}

/// Why a frame could not be decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DecodeFailure {
    /// The decoder failed.
    Decoder,
    /// The decoder returned nothing for a long time.
    Silence,
    /// The file could not be read.
    File,
}

/// A decoder that moves through the file, with its open frames.
struct DecodingRun {
    decoder: Decoder,
    /// The sample that the decoder receives next.
    next: usize,
    /// Frames that came and are not before the last wanted time, in order of time; at most [`MAX_AHEAD`].
    frames: VecDeque<DecodedFrame>,
    /// The last frame before the wanted time.
    before: Option<DecodedFrame>,
    /// The last wanted time, and the frame that is visible then.
    current: Option<(i64, DecodedFrame)>,
    /// The end of the passed frames: earlier frames were returned or skipped, or lie before the key frame.
    passed: i64,
    /// The start of the lost frames: frames from this time on were closed because too many were open.
    lost: i64,
    /// Whether no frame has come yet.
    is_fresh: bool,
    is_flushing: bool,
    is_flushed: bool,
    has_failed: bool,
}

impl DecodingRun {
    /// Starts a decoder at the sample `key`.
    fn new(config: &Object, index: &VideoIndex, key: usize) -> Result<Self, JsValue> {
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

    /// Returns whether continuing this run is the shortest way to the frame at `wanted`, whose key frame is the
    /// sample `key`.
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

    /// Gives the next encoded frame to the decoder.
    fn feed(&mut self, index: &VideoIndex, reader: &BlobReader) -> Result<(), DecodeFailure> {
        let sample = &index.samples[self.next];
        let range = sample.range();
        let data = reader.part(range.start, range.end).map_err(|_err| DecodeFailure::File)?;
        let micros = index.stamps[self.next];
        self.decoder.feed(sample.is_key, micros, &data).map_err(|_err| DecodeFailure::Decoder)?;
        self.next += 1;
        Ok(())
    }

    /// Handles an event of the decoder.
    fn handle(&mut self, event: DecoderEvent, wanted: i64) {
        self.is_fresh &= !matches!(event, DecoderEvent::Frame(_));
        match event {
            DecoderEvent::Frame(frame) if frame.micros() < wanted => self.pass(frame),
            DecoderEvent::Frame(frame) if self.frames.len() < MAX_AHEAD => self.frames.push_back(frame),
            // Frames come in order of time, so the first lost frame has the earliest time.
            DecoderEvent::Frame(frame) => self.lost = self.lost.min(frame.micros()),
            DecoderEvent::Failed => self.has_failed = true,
            DecoderEvent::Flushed => self.is_flushed = true,
            DecoderEvent::Dequeued | DecoderEvent::TimedOut => {}
        }
    }

    /// Takes a frame before the wanted time.
    fn pass(&mut self, frame: DecodedFrame) {
        self.passed = frame.micros() + 1;
        self.before = Some(frame);
    }

    /// Makes the frame that is visible at `wanted` the current one. Returns false if that frame is not certain yet.
    fn advance(&mut self, wanted: i64) -> bool {
        if self.is_current(wanted) {
            return true;
        }
        while let Some(frame) = self.frames.pop_front_if(|first| first.micros() < wanted) {
            self.pass(frame);
        }
        let frame = match self.frames.front().map(DecodedFrame::micros) {
            Some(time) if time == wanted => self.frames.pop_front(),
            // A later frame came first, so the wanted frame will never come.
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
