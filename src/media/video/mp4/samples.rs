//! Reads the list of samples from MP4's sample tables and fragments.

use re_mp4::{Co64Box, CttsBox, StcoBox, StscBox, StssBox, StszBox, SttsBox, TfdtBox, TfhdBox, TrexBox, TrunBox};

use super::boxes::{Mp4Box, boxes};
use crate::media::video::error::VideoError;
use crate::media::video::sample::{MAX_SAMPLES, Sample};

/// Returns the samples of a track's tables, in decoding order, with their composition times. A fragmented file has no
/// samples there.
///
/// # Errors
/// [`VideoError::Damaged`] if a table is missing or too short; [`VideoError::TooLong`].
pub(super) fn table_samples(name: &str, stbl: &Mp4Box<'_>) -> Result<Vec<Sample>, VideoError> {
    let damaged = || VideoError::Damaged { name: name.to_owned() };
    let sizes: StszBox = stbl.read_child(b"stsz").ok_or_else(damaged)?;
    let count = sizes.sample_count as usize;
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MAX_SAMPLES {
        return Err(VideoError::TooLong { name: name.to_owned() });
    }
    let size_of = |sample: usize| match sizes.sample_size {
        0 => sizes.sample_sizes.get(sample).copied(),
        constant => Some(constant),
    };
    let chunks: StscBox = stbl.read_child(b"stsc").ok_or_else(damaged)?;
    let durations: SttsBox = stbl.read_child(b"stts").ok_or_else(damaged)?;
    let shifts: Option<CttsBox> = stbl.read_child(b"ctts");
    let keys: Option<StssBox> = stbl.read_child(b"stss");

    let mut durations = durations.entries.iter().flat_map(|run| repeat(run.sample_delta, run.sample_count));
    let shifts = shifts.as_ref().map_or(&[][..], |ctts| &ctts.entries);
    let mut shifts = shifts.iter().flat_map(|run| repeat(run.sample_offset, run.sample_count));
    let mut time = 0_i64;
    let mut duration = 0;
    // Reserves room only for samples that take bytes in the file. Samples of equal size have only a count there.
    let mut samples = Vec::with_capacity(count.min(sizes.sample_sizes.len()));
    let mut offsets = SampleOffsets::new(chunk_offsets(stbl).ok_or_else(damaged)?, &chunks);
    for sample in 0..count {
        let length = size_of(sample).ok_or_else(damaged)?;
        // If the chunks hold fewer samples than the tables list, the video ends here.
        let Some(offset) = offsets.next(length) else { break };
        duration = durations.next().unwrap_or(duration);
        let shift = i64::from(shifts.next().unwrap_or(0));
        let shown = time.saturating_add(shift);
        samples.push(Sample { offset, length, time: shown, duration, is_key: keys.is_none(), is_hidden: false });
        time = time.saturating_add(i64::from(duration));
    }
    for key in keys.iter().flat_map(|keys| &keys.entries) {
        let place = (*key as usize).checked_sub(1);
        if let Some(sample) = place.and_then(|place| samples.get_mut(place)) {
            sample.is_key = true;
        }
    }
    Ok(samples)
}

fn repeat<T: Clone>(value: T, count: u32) -> impl Iterator<Item = T> {
    std::iter::repeat_n(value, count as usize)
}

/// Returns the position of each chunk in the file.
fn chunk_offsets(stbl: &Mp4Box<'_>) -> Option<Vec<u64>> {
    if let Some(stco) = stbl.read_child::<StcoBox>(b"stco") {
        return Some(stco.entries.into_iter().map(u64::from).collect());
    }
    Some(stbl.read_child::<Co64Box>(b"co64")?.entries)
}

/// The positions of the samples. Samples lie one after another in chunks. A run of chunks has the same number of
/// samples per chunk.
struct SampleOffsets<'a> {
    chunks: Vec<u64>,
    runs: &'a StscBox,
    /// The chunk after the current one, counted from 0.
    chunk: usize,
    /// The run of the current chunk.
    run: usize,
    /// The number of samples that are left in the current chunk.
    left: u32,
    /// The position of the next sample.
    at: u64,
}

impl<'a> SampleOffsets<'a> {
    fn new(chunks: Vec<u64>, runs: &'a StscBox) -> Self {
        Self { chunks, runs, chunk: 0, run: 0, left: 0, at: 0 }
    }

    /// Returns the position of the next sample, which has this length; `None` after the last chunk.
    fn next(&mut self, length: u32) -> Option<u64> {
        while self.left == 0 {
            self.at = *self.chunks.get(self.chunk)?;
            self.chunk += 1;
            let starts = |run: usize| self.runs.entries.get(run).map(|entry| entry.first_chunk as usize);
            while starts(self.run + 1).is_some_and(|first| first <= self.chunk) {
                self.run += 1;
            }
            self.left = self.runs.entries.get(self.run)?.samples_per_chunk;
        }
        let at = self.at;
        self.left -= 1;
        self.at = at.saturating_add(u64::from(length));
        Some(at)
    }
}

/// Appends a fragment's samples of one track to `samples`. The fragment starts at `moof_start` in the file.
/// `defaults` are the track's. `decode_time` is the end of the previous fragment and becomes the end of this one.
/// Returns `None` if the fragment is invalid.
pub(super) fn fragment_samples(
    moof: Mp4Box<'_>,
    moof_start: u64,
    defaults: &TrexBox,
    decode_time: &mut i64,
    samples: &mut Vec<Sample>,
) -> Option<()> {
    for traf in boxes(moof.body).filter(|inner| &inner.kind == b"traf") {
        let header: TfhdBox = traf.read_child(b"tfhd")?;
        if header.track_id != defaults.track_id {
            continue;
        }
        let base = header.base_data_offset.unwrap_or(moof_start);
        let defaults = RunDefaults {
            duration: header.default_sample_duration.unwrap_or(defaults.default_sample_duration),
            size: header.default_sample_size.unwrap_or(defaults.default_sample_size),
            flags: header.default_sample_flags.unwrap_or(defaults.default_sample_flags),
        };
        if let Some(start) = traf.read_child::<TfdtBox>(b"tfdt") {
            *decode_time = i64::try_from(start.base_media_decode_time).ok()?;
        }
        let mut at = base;
        for trun in boxes(traf.body).filter(|inner| &inner.kind == b"trun") {
            // The count is checked before the run is read, because a run of equal samples takes no bytes per sample.
            let count = u32::from_be_bytes(*trun.body.get(4..)?.first_chunk::<4>()?) as usize;
            if count > (MAX_SAMPLES + 1).saturating_sub(samples.len()) {
                return None;
            }
            let run: TrunBox = trun.read()?;
            if let Some(offset) = run.data_offset {
                at = base.saturating_add_signed(i64::from(offset));
            }
            at = defaults.append_run(&run, count, at, decode_time, samples);
        }
    }
    Some(())
}

/// The values of samples for which a run stores none of its own.
struct RunDefaults {
    duration: u32,
    size: u32,
    flags: u32,
}

impl RunDefaults {
    /// Appends the `count` samples of a run that starts at `at` in the file. Returns the end of the run.
    fn append_run(
        &self,
        run: &TrunBox,
        count: usize,
        mut at: u64,
        decode_time: &mut i64,
        samples: &mut Vec<Sample>,
    ) -> u64 {
        /// The flag of a sample that is not a key frame.
        const IS_NOT_SYNC: u32 = 1 << 16;
        for place in 0..count {
            let first_flags = run.first_sample_flags.filter(|_flags| place == 0);
            let flags = run.sample_flags.get(place).copied().or(first_flags).unwrap_or(self.flags);
            let duration = run.sample_durations.get(place).copied().unwrap_or(self.duration);
            // The shift is signed in version 1. Files of version 0 can also have negative shifts.
            let shift = run.sample_cts.get(place).map_or(0, |&shift| i64::from(shift as i32));
            let sample = Sample {
                offset: at,
                length: run.sample_sizes.get(place).copied().unwrap_or(self.size),
                time: decode_time.saturating_add(shift),
                duration,
                is_key: flags & IS_NOT_SYNC == 0,
                is_hidden: false,
            };
            at = sample.range().end;
            *decode_time = decode_time.saturating_add(i64::from(duration));
            samples.push(sample);
        }
        at
    }
}
