//! `headlamp propagate`: masks carried from one frame through a video, either way (docs/PAPERS.md, 2.4).

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::frames::Frames;
use super::options::{ModelOptions, Opened};
use super::progress::Progress;
use super::track::rate;
use super::{CliError, inputs, output, pictures};
use crate::geometry::{Framing, Size};
use crate::media::{self, Photo};
use crate::session::{Featured, Session};
use crate::track::{PropagateOptions, Propagator, SoftMasks};

/// Short side of the frames as the protocol has it.
pub const SHORT_SIDE: usize = 480;
/// Frames a second that a video is cut into: neighbours must look alike.
const RATE: f64 = 12.0;
/// The label of pixels that nothing is known about.
pub const VOID: u8 = 255;

/// Carry the masks of one frame through a video, forwards and backwards: an indexed PNG for each frame
///
/// VIDEO is a folder of frames, or a file that an ffmpeg on the PATH can read.
#[derive(Args, Debug)]
pub struct Propagate {
    #[arg(value_name = "VIDEO")]
    video: PathBuf,
    /// The masks to begin with: a PNG with a palette, or a grey one, of the frame's size; 0 is the background
    #[arg(long, value_name = "PNG")]
    seed: PathBuf,
    /// The frame that these masks are of, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    at: usize,
    /// Frames a second that a file is cut into (default 12)
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Short side of the frames in pixels, as the model sees them
    #[arg(long, value_name = "PIXELS", default_value_t = SHORT_SIDE)]
    resolution: usize,
    #[command(flatten)]
    protocol: Protocol,
    /// Folder for the masks, new
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// The protocol's numbers.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Protocol {
    /// Contexts besides the seed: so many frames before
    #[arg(long, value_name = "N", default_value_t = PropagateOptions::default().recent)]
    recent: usize,
    /// How far a patch may move from frame to frame, in patches
    #[arg(long, value_name = "PATCHES", default_value_t = PropagateOptions::default().radius)]
    radius: usize,
    /// Matches of a patch that count
    #[arg(long, value_name = "N", default_value_t = PropagateOptions::default().top)]
    top: usize,
}

impl From<Protocol> for PropagateOptions {
    fn from(Protocol { recent, radius, top }: Protocol) -> Self {
        Self { recent, radius, top: top.max(1), ..Self::default() }
    }
}

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    pack: &'a str,
    device: &'a str,
    out: &'a Path,
    frames: usize,
    objects: usize,
    seconds: f64,
}

impl Propagate {
    pub fn run(&self) -> Result<(), CliError> {
        let start = Instant::now();
        output::is_free(&self.out)?;
        let frames = Frames::open(&self.video, self.rate, RATE)?;
        if self.at >= frames.paths.len() {
            let count = output::count(frames.paths.len() as u64, "frame");
            return Err(CliError::Usage(format!(
                "there is no frame {}: the video has {count}, from 0 on",
                self.at
            )));
        }
        let (size, labels) = read_labels(&self.seed)?;
        let Opened { session, device, threads, .. } = self.model.open()?;
        let progress = Progress::of(frames.paths.len(), "frames");
        let framing = Framing::Frame { short_side: self.resolution };
        let seeded = of_picture(&session, &frames.paths[self.at], framing)?;
        same_size(&self.seed, size, seeded.frame.photo)?;
        let mut seed = Propagator::new(self.protocol.into());
        seed.seed(self.at, &seeded.features, SoftMasks::of_pixels(&labels, &seeded.frame))?;
        std::fs::create_dir_all(&self.out).map_err(CliError::io("make", &self.out))?;
        let write = |frame: usize, size: Size, labels: &[u8]| {
            let path = self.out.join(format!("{}.png", frames.name(frame)));
            output::write(&path, &media::indexed_png(size, labels)?)?;
            progress.step();
            Ok(())
        };
        write(self.at, size, &labels)?;
        let ways: [Vec<usize>; 2] = [(self.at + 1..frames.paths.len()).collect(), (0..self.at).rev().collect()];
        for way in ways {
            let paths: Vec<PathBuf> = way.iter().map(|frame| frames.paths[*frame].clone()).collect();
            let (mut propagator, mut way) = (seed.clone(), way.into_iter());
            carry(&session, &paths, framing, threads, &mut propagator, |size, labels| match way.next() {
                Some(frame) => write(frame, size, &labels),
                None => Ok(()),
            })?;
        }
        drop(progress);
        let answer = Answer {
            pack: &session.manifest().name,
            device: &device,
            out: &self.out,
            frames: frames.paths.len(),
            objects: labels.iter().copied().max().unwrap_or(0).into(),
            seconds: start.elapsed().as_secs_f64(),
        };
        if self.json {
            return output::print_json(&answer);
        }
        let count = |number: usize, thing| output::count(number as u64, thing);
        let (objects, frames) = (count(answer.objects, "object"), count(answer.frames, "frame"));
        output::print(&format!("{}: {objects} in {frames}; {:.1} s", self.out.display(), answer.seconds))
    }
}

/// Carries masks through the pictures at `paths`; `take` gets each one's size and labels, in order.
///
/// # Errors
/// Where a picture cannot be read or is of another size, and whatever `take` returns.
pub fn carry(
    session: &Session,
    paths: &[PathBuf],
    framing: Framing,
    threads: usize,
    propagator: &mut Propagator,
    mut take: impl FnMut(Size, Vec<u8>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let features =
        |_path: &Path, photo: &Photo, _seconds: f64| Ok(pollster::block_on(session.features(photo, framing))?);
    pictures::each(paths, threads, features, |_path, featured| {
        let Featured { frame, features } = featured?;
        take(frame.photo, propagator.push(&features)?.labels_in_photo(&frame))
    })
}

/// Shows the model the frame in a file.
///
/// # Errors
/// Where it cannot be read, or the device fails.
pub fn of_picture(session: &Session, path: &Path, framing: Framing) -> Result<Featured, CliError> {
    let photo = pictures::read_guarded(path)?;
    Ok(pollster::block_on(session.features(&photo, framing))?)
}

/// A mask file's size and labels, nothing being known taken for background.
///
/// # Errors
/// Where it cannot be read, or is no mask.
pub fn read_labels(path: &Path) -> Result<(Size, Vec<u8>), CliError> {
    let (size, mut labels) = media::labels_of_png(&path.display().to_string(), &inputs::read(path)?)?;
    labels.iter_mut().filter(|label| **label == VOID).for_each(|label| *label = 0);
    Ok((size, labels))
}

/// # Errors
/// [`CliError::Data`] where the mask is not of the frame's size.
pub fn same_size(mask: &Path, found: Size, frame: Size) -> Result<(), CliError> {
    if found == frame {
        return Ok(());
    }
    let reason = format!(
        "the mask has {} x {} pixels, its frame {} x {}",
        found.width, found.height, frame.width, frame.height
    );
    Err(CliError::Data { path: mask.to_owned(), reason })
}
