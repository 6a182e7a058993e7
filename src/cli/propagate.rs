//! `headlamp propagate`: carries the masks of one frame through a video, forwards and backwards (docs/PAPERS.md, 2.4).

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::frames::{Frames, parse_rate};
use super::options::{ModelOptions, OpenModel};
use super::output::{AnswerFormat, CommandAnswer};
use super::terminal_progress::TerminalProgress;
use super::{inputs, output, parallel, pictures};
use crate::geometry::{Framing, Size};
use crate::media::{self, Photo};
use crate::session::{PhotoFeatures, Session};
use crate::track::{PropagateOptions, Propagator, SoftMasks};

/// Short side of the frames in the DAVIS protocol, in pixels.
pub const SHORT_SIDE: usize = 480;
/// Frames per second of a video file, by default. Neighbouring frames must look alike.
const DEFAULT_RATE: f64 = 12.0;
/// The label of pixels whose object is unknown.
pub const VOID: u8 = 255;

/// Carry the masks of one frame through a video, forwards and backwards: write an indexed PNG for each frame
///
/// VIDEO is a folder of frames, or a file that an ffmpeg on the PATH can read.
#[derive(Args, Debug)]
pub struct Propagate {
    #[arg(value_name = "VIDEO")]
    video: PathBuf,
    /// The masks to start from: a PNG with a palette, or a grey PNG, of the frame's size; 0 is the background
    #[arg(long, value_name = "PNG")]
    seed: PathBuf,
    /// The frame that the seed belongs to, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    at: usize,
    /// Frames per second that a video file is cut into (default 12)
    #[arg(long, value_name = "R", value_parser = parse_rate)]
    rate: Option<f64>,
    /// Short side of the frames that the model sees, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = SHORT_SIDE)]
    resolution: usize,
    #[command(flatten)]
    layer: LayerOption,
    #[command(flatten)]
    protocol: PropagationProtocol,
    /// New folder for the masks
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

/// The layer whose patches are compared.
#[derive(Args, Clone, Copy, Debug)]
pub struct LayerOption {
    /// Layer whose patches are compared, counted from 0 (default: the pack's choice, which is the last layer for most
    /// packs and 7 for the default pack)
    #[arg(long = "layer", value_name = "N")]
    layer: Option<usize>,
}

impl LayerOption {
    /// Returns the layer: the user's choice, or the pack's.
    ///
    /// # Errors
    /// [`CliError::Usage`] if the model has no such layer.
    pub fn of(self, session: &Session) -> Result<usize, CliError> {
        let layers = session.model().config.vision.layers;
        match self.layer {
            Some(layer) if layer >= layers => {
                Err(CliError::Usage(format!("there is no layer {layer}: the model has {layers}, counted from 0")))
            }
            layer => Ok(layer.unwrap_or_else(|| session.manifest().propagation_layer())),
        }
    }
}

/// The pictures as the model sees them, and the layer whose patches are compared.
#[derive(Clone, Copy)]
pub struct PatchSource {
    pub framing: Framing,
    pub layer: usize,
}

impl PatchSource {
    /// Computes the tokens of a picture's patches.
    ///
    /// # Errors
    /// If the device fails.
    fn tokens(self, session: &Session, photo: &Photo) -> Result<PhotoFeatures, CliError> {
        Ok(pollster::block_on(session.tokens_after(photo, self.framing, self.layer))?)
    }
}

/// The numbers of the propagation protocol.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct PropagationProtocol {
    /// Number of preceding frames that are contexts besides the seed
    #[arg(long, value_name = "N", default_value_t = PropagateOptions::default().recent)]
    recent: usize,
    /// How far a patch may move from frame to frame, in patches
    #[arg(long, value_name = "PATCHES", default_value_t = PropagateOptions::default().radius)]
    radius: usize,
    /// Number of best matches of a patch that count
    #[arg(long, value_name = "N", default_value_t = PropagateOptions::default().top)]
    top: usize,
}

impl From<PropagationProtocol> for PropagateOptions {
    fn from(PropagationProtocol { recent, radius, top }: PropagationProtocol) -> Self {
        Self { recent, radius, top: top.max(1), ..Self::default() }
    }
}

#[derive(Serialize)]
struct PropagateAnswer<'a> {
    pack: &'a str,
    device: &'a str,
    out: &'a Path,
    frames: usize,
    objects: usize,
    layer: usize,
    seconds: f64,
}

impl Propagate {
    pub fn run(&self) -> Result<(), CliError> {
        let start = Instant::now();
        output::check_free_file(&self.out)?;
        let frames = Frames::open(&self.video, self.rate, DEFAULT_RATE)?;
        let count = frames.paths.len();
        if self.at >= count {
            let count = output::count(count as u64, "frame");
            let message = format!("there is no frame {}: the video has {count}, counted from 0", self.at);
            return Err(CliError::Usage(message));
        }
        let (size, labels) = read_labels(&self.seed)?;
        let labels = without_void(&labels);
        let OpenModel { session, device, threads, .. } = self.model.open()?;
        let progress = TerminalProgress::bar(count, "frames");
        let framing = Framing::Frame { short_side: self.resolution };
        let patches = PatchSource { framing, layer: self.layer.of(&session)? };
        let seeded = read_tokens(&session, &frames.paths[self.at], patches)?;
        check_size(&self.seed, size, seeded.frame.photo)?;
        let mut seed = Propagator::new(self.protocol.into());
        seed.seed(self.at, &seeded.features, SoftMasks::of_pixels(&labels, &seeded.frame))?;
        output::make_folder(&self.out)?;
        let write = |frame: usize, size: Size, labels: &[u8]| {
            let path = self.out.join(format!("{}.png", frames.name(frame)));
            output::write(&path, &media::indexed_png(size, labels)?)?;
            progress.step();
            Ok(())
        };
        write(self.at, size, &labels)?;
        let (forwards, backwards) = ((self.at + 1..count).collect::<Vec<_>>(), (0..self.at).rev().collect());
        for order in [forwards, backwards] {
            let paths: Vec<PathBuf> = order.iter().map(|frame| frames.paths[*frame].clone()).collect();
            let (mut propagator, mut order) = (seed.clone(), order.into_iter());
            propagate(&session, &paths, patches, threads, &mut propagator, |size, labels| match order.next() {
                Some(frame) => write(frame, size, &labels),
                None => Ok(()),
            })?;
        }
        drop(progress);
        self.format.print(&PropagateAnswer {
            pack: &session.manifest().name,
            device: &device,
            out: &self.out,
            frames: count,
            objects: labels.iter().copied().max().unwrap_or(0).into(),
            layer: patches.layer,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

impl CommandAnswer for PropagateAnswer<'_> {
    fn in_words(&self) -> String {
        let count = |number: usize, thing| output::count(number as u64, thing);
        let (objects, frames) = (count(self.objects, "object"), count(self.frames, "frame"));
        format!("{}: {objects} in {frames}; {:.1} s", self.out.display(), self.seconds)
    }
}

/// Carries masks through the pictures at `paths`. `take` receives the size and the labels of each picture, in order.
///
/// # Errors
/// If a picture cannot be read or differs in size; the errors of `take`.
pub fn propagate(
    session: &Session,
    paths: &[PathBuf],
    patches: PatchSource,
    threads: usize,
    propagator: &mut Propagator,
    mut take: impl FnMut(Size, Vec<u8>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let tokens = |_path: &Path, photo: &Photo, _seconds: f64| patches.tokens(session, photo);
    parallel::on_pictures(paths, threads, tokens, |_path, featured| {
        let PhotoFeatures { frame, features } = featured?;
        take(frame.photo, propagator.push(&features)?.labels_in_photo(&frame))
    })
}

/// Reads a picture and computes the tokens of its patches.
///
/// # Errors
/// If the picture cannot be read, or the device fails.
pub fn read_tokens(session: &Session, path: &Path, patches: PatchSource) -> Result<PhotoFeatures, CliError> {
    patches.tokens(session, &pictures::read_guarded(path)?)
}

/// Reads the size and the labels of a mask file, one label for each pixel.
///
/// # Errors
/// If the file cannot be read, or is no mask.
pub fn read_labels(path: &Path) -> Result<(Size, Vec<u8>), CliError> {
    Ok(media::labels_of_png(&path.display().to_string(), &inputs::read(path)?)?)
}

/// Returns the labels with [`VOID`] as background.
pub fn without_void(labels: &[u8]) -> Vec<u8> {
    labels.iter().map(|label| if *label == VOID { 0 } else { *label }).collect()
}

/// Checks that a mask has the size of its frame.
///
/// # Errors
/// [`CliError::Data`].
pub fn check_size(mask: &Path, found: Size, frame: Size) -> Result<(), CliError> {
    if found == frame {
        return Ok(());
    }
    let (found, frame) = (in_pixels(found), in_pixels(frame));
    Err(CliError::data(mask, format!("the mask has {found} pixels, its frame {frame}")))
}

fn in_pixels(Size { width, height }: Size) -> String {
    format!("{width} x {height}")
}
