//! `headlamp track`: finds objects in a video and follows them (docs/PAPERS.md, 2.1).

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::frames::{Frames, parse_rate, write_video};
use super::options::{ModelOptions, OpenModel};
use super::output::{AnswerFormat, CommandAnswer};
use super::terminal_progress::TerminalProgress;
use super::{output, parallel};
use crate::foreground;
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::metrics::discovery::PixelBox;

use crate::rle::Rle;
use crate::session::PhotoFeatures;
use crate::track::prototypes::concentrated_heads;
use crate::track::{Features, ObjectId, Refinement, TrackedFrame, Tracker};

/// Frames per second of a video file, by default.
const DEFAULT_RATE: f64 = 2.0;

/// Find objects in a video and follow them: write a mask for each object and frame, and pictures with the masks
///
/// VIDEO is a folder of frames, or a file that an ffmpeg on the PATH can read.
#[derive(Args, Debug)]
pub struct Track {
    #[arg(value_name = "VIDEO")]
    video: PathBuf,
    #[command(flatten)]
    objects: ObjectOptions,
    /// Frames per second: of a file, the frames to look at (default 2); of a folder, the rate of its frames
    #[arg(long, value_name = "R", value_parser = parse_rate)]
    rate: Option<f64>,
    /// Short side of the frames that the model sees, in pixels. Default: the model's own
    #[arg(long, value_name = "PIXELS")]
    resolution: Option<usize>,
    /// New folder for masks, overlays and tracks.json
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

/// Which objects are looked for. Each head of the last layer finds one object.
#[derive(Args, Clone, Debug)]
pub struct ObjectOptions {
    /// Number of objects: one for each of the N heads whose attention (in a video: in its first frame) is the most
    /// concentrated
    #[arg(long, value_name = "N", default_value_t = 3)]
    objects: usize,
    /// Heads of the last layer, one object for each, for example 0,2,4
    #[arg(long, value_name = "H,H,...", value_delimiter = ',', conflicts_with = "objects")]
    heads: Vec<usize>,
    /// Refine the prototypes with Sinkhorn-Knopp as in the paper; auto refines only if the model supports it
    #[arg(long, value_enum, default_value_t)]
    refine: RefinementChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum RefinementChoice {
    #[default]
    Auto,
    Sinkhorn,
    Off,
}

impl From<RefinementChoice> for Refinement {
    fn from(choice: RefinementChoice) -> Self {
        match choice {
            RefinementChoice::Auto => Self::Auto,
            RefinementChoice::Sinkhorn => Self::Sinkhorn,
            RefinementChoice::Off => Self::Off,
        }
    }
}

impl ObjectOptions {
    /// Returns the number of objects.
    pub fn count(&self) -> usize {
        if self.heads.is_empty() { self.objects } else { self.heads.len() }
    }

    /// Returns the heads that the user named; `None` if they are chosen by their attention.
    pub fn named_heads(&self) -> Option<&[usize]> {
        (!self.heads.is_empty()).then_some(self.heads.as_slice())
    }

    /// Makes a tracker for a video that begins with this frame. Also returns its heads.
    pub fn tracker(&self, first: &Features) -> (Tracker, Vec<usize>) {
        let heads = match self.named_heads() {
            Some(heads) => heads.to_vec(),
            None => concentrated_heads(first, self.objects),
        };
        (Tracker::new(heads.clone()).with_refinement(self.refine.into()), heads)
    }

    /// Returns the options as JSON: a part of the identity of an evaluation's records.
    pub fn to_json(&self) -> serde_json::Value {
        let refine = format!("{:?}", self.refine);
        serde_json::json!({"objects": self.objects, "heads": self.heads, "refine": refine})
    }
}

/// The contents of tracks.json.
#[derive(Serialize)]
struct TracksFile<'a> {
    pack: &'a str,
    video: &'a Path,
    /// Frames per second.
    rate: Option<f64>,
    heads: Vec<usize>,
    refinement: Refinement,
    frames: Vec<FrameTracks>,
}

#[derive(Serialize)]
struct FrameTracks {
    frame: String,
    /// Seconds from the start of the video.
    time: Option<f64>,
    is_cut: bool,
    objects: Vec<ObjectMask>,
}

/// One object in one frame, in the frame's own pixels.
#[derive(Serialize)]
struct ObjectMask {
    id: ObjectId,
    mask: Rle,
    #[serde(rename = "box")]
    around: Option<PixelBox>,
}

#[derive(Serialize)]
struct TrackAnswer<'a> {
    pack: &'a str,
    device: &'a str,
    out: &'a Path,
    frames: usize,
    cuts: usize,
    objects: usize,
    heads: &'a [usize],
    refinement: Refinement,
    /// Whether ffmpeg made overlay.mp4.
    video: bool,
    seconds: f64,
}

impl Track {
    pub fn run(&self) -> Result<(), CliError> {
        let start = Instant::now();
        output::check_free_file(&self.out)?;
        let frames = Frames::open(&self.video, self.rate, DEFAULT_RATE)?;
        let OpenModel { session, device, threads, .. } = self.model.open()?;
        let short_side = self.resolution.unwrap_or(session.model().config.vision.image_size);
        let mut writer =
            TracksWriter { out: &self.out, options: &self.objects, tracker: None, frames: Vec::new() };
        let progress = TerminalProgress::bar(frames.paths.len(), "frames");
        let features = |_path: &Path, photo: &Photo, _seconds: f64| {
            let featured = pollster::block_on(session.features(photo, Framing::WholeFrame { short_side }))?;
            Ok((photo.clone(), featured))
        };
        parallel::on_pictures(&frames.paths, threads, features, |_path, featured| {
            let (photo, featured) = featured?;
            writer.push(&frames, &photo, &featured)?;
            progress.step();
            Ok(())
        })?;
        drop(progress);
        let pack = &session.manifest().name;
        let TracksFile { heads, refinement, frames: tracks, .. } =
            writer.finish(pack, &self.video, frames.rate)?;
        let (overlays, rate) = (self.out.join("overlays"), frames.rate.unwrap_or(DEFAULT_RATE));
        let video = write_video(&overlays, rate, &self.out.join("overlay.mp4"));
        let ids = tracks.iter().flat_map(|frame| &frame.objects).map(|object| object.id.0);
        self.format.print(&TrackAnswer {
            pack,
            device: &device,
            out: &self.out,
            frames: tracks.len(),
            cuts: tracks.iter().filter(|frame| frame.is_cut).count(),
            objects: ids.max().map_or(0, |last| last + 1),
            heads: &heads,
            refinement,
            video,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

impl CommandAnswer for TrackAnswer<'_> {
    fn in_words(&self) -> String {
        let count = |number: usize, thing| output::count(number as u64, thing);
        format!(
            "{}: {} in {} ({}), by heads {:?}, prototypes {}; {:.1} s\n{}",
            self.out.display(),
            count(self.objects, "object"),
            count(self.frames, "frame"),
            count(self.cuts, "cut"),
            self.heads,
            if self.refinement == Refinement::Sinkhorn { "refined" } else { "not refined" },
            self.seconds,
            if self.video {
                "masks/, overlays/, overlay.mp4 and tracks.json"
            } else {
                "masks/, overlays/ and tracks.json (no overlay.mp4: ffmpeg could not make it)"
            }
        )
    }
}

/// Tracks objects frame by frame, and writes their masks.
struct TracksWriter<'a> {
    out: &'a Path,
    options: &'a ObjectOptions,
    /// The tracker with its heads; `None` before the first frame, which the heads depend on.
    tracker: Option<(Tracker, Vec<usize>)>,
    frames: Vec<FrameTracks>,
}

impl TracksWriter<'_> {
    fn push(&mut self, frames: &Frames, photo: &Photo, featured: &PhotoFeatures) -> Result<(), CliError> {
        let (tracker, _heads) = self.tracker.get_or_insert_with(|| self.options.tracker(&featured.features));
        let TrackedFrame { tracks, objects, is_cut } = tracker.push(&featured.features)?;
        let (index, size) = (self.frames.len(), photo.size);
        let masks: Vec<Vec<bool>> = tracks
            .chunks(featured.features.grid.len())
            .map(|track| foreground::in_photo(&foreground::above_mean(track), &featured.frame))
            .collect();
        let name = frames.name(index).to_owned();
        // Folders are made after the tracker has accepted the heads: a wrong head leaves no folder behind.
        output::make_folder(&self.out.join("masks"))?;
        for (id, mask) in objects.iter().zip(&masks) {
            let folder = self.out.join(format!("masks/object-{}", id.0));
            output::make_folder(&folder)?;
            let grey: Vec<u8> = mask.iter().map(|is_in| if *is_in { 255 } else { 0 }).collect();
            output::write(&folder.join(format!("{name}.png")), &media::grey_png(size, &grey)?)?;
        }
        let ids: Vec<usize> = objects.iter().map(|id| id.0).collect();
        let overlay = overlaid(photo, &ids, &masks);
        let folder = self.out.join("overlays");
        output::make_folder(&folder)?;
        // ffmpeg needs numbers from 1 without gaps.
        output::write(&folder.join(format!("{:06}.png", index + 1)), &media::rgb_png(size, &overlay)?)?;
        let of_object = |(id, mask): (&ObjectId, &Vec<bool>)| ObjectMask {
            id: *id,
            mask: Rle::of(mask, size),
            around: PixelBox::around(mask, size),
        };
        let objects = objects.iter().zip(&masks).map(of_object).collect();
        self.frames.push(FrameTracks { frame: name, time: frames.seconds(index), is_cut, objects });
        Ok(())
    }

    /// Writes tracks.json.
    fn finish<'t>(self, pack: &'t str, video: &'t Path, rate: Option<f64>) -> Result<TracksFile<'t>, CliError> {
        let refinement = self.tracker.as_ref().map_or(Refinement::Auto, |(tracker, _heads)| tracker.refinement());
        let heads = self.tracker.map(|(_tracker, heads)| heads).unwrap_or_default();
        let tracks = TracksFile { pack, video, rate, heads, refinement, frames: self.frames };
        output::write(&self.out.join("tracks.json"), output::json(&tracks)?.as_bytes())?;
        Ok(tracks)
    }
}

/// Returns the photo's pixels, mixed half and half with the colour of each object inside its mask; RGB, rows first.
fn overlaid(photo: &Photo, objects: &[usize], masks: &[Vec<bool>]) -> Vec<u8> {
    /// The palette of Okabe and Ito. People with colour blindness can also distinguish its colours.
    const COLOURS: [[u8; 3]; 7] = [
        [230, 159, 0],
        [86, 180, 233],
        [0, 158, 115],
        [240, 228, 66],
        [0, 114, 178],
        [213, 94, 0],
        [204, 121, 167],
    ];
    let mut rgb = photo.rgb.clone();
    for (object, mask) in objects.iter().zip(masks) {
        let colour = COLOURS[object % COLOURS.len()];
        for (pixel, _in) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(mask).filter(|(_pixel, is_in)| **is_in) {
            pixel.iter_mut().zip(colour).for_each(|(value, colour)| *value = value.midpoint(colour));
        }
    }
    rgb
}
