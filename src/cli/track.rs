//! `headlamp track`: objects found in a video and followed through it (docs/PAPERS.md, 2.1).

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::frames::{Frames, video_of};
use super::options::{ModelOptions, Opened};
use super::progress::Progress;
use super::{CliError, output, pictures};
use crate::foreground;
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::metrics::discovery::PixelBox;
use crate::rle::Rle;
use crate::session::Featured;
use crate::track::prototypes::concentrated_heads;
use crate::track::{ObjectId, Refinement, TrackedFrame, Tracker};

/// Frames a second that a video is cut into.
const RATE: f64 = 2.0;

/// Find objects in a video and follow them: a mask for each object and frame, and pictures to look at
///
/// VIDEO is a folder of frames, or a file that an ffmpeg on the PATH can read.
#[derive(Args, Debug)]
pub struct Track {
    #[arg(value_name = "VIDEO")]
    video: PathBuf,
    /// How many objects: as many heads, those whose attention in the first frame is the most concentrated
    #[arg(long, value_name = "N", default_value_t = 3)]
    objects: usize,
    /// Heads of the last layer, an object each, like 0,2,4
    #[arg(long, value_name = "H,H,...", value_delimiter = ',', conflicts_with = "objects")]
    heads: Vec<usize>,
    /// Whether prototypes are refined by Sinkhorn-Knopp as in the paper, where the model bears it, or not
    #[arg(long, value_enum, default_value_t)]
    refine: Refine,
    /// Frames a second: of a file those that are looked at (default 2), of a folder what it was cut at
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Short side of the frames in pixels, as the model sees them. Default: the model's own
    #[arg(long, value_name = "PIXELS")]
    resolution: Option<usize>,
    /// Folder for masks, overlays and tracks.json, new
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Refine {
    #[default]
    Auto,
    Sinkhorn,
    Off,
}

impl From<Refine> for Refinement {
    fn from(refine: Refine) -> Self {
        match refine {
            Refine::Auto => Self::Auto,
            Refine::Sinkhorn => Self::Sinkhorn,
            Refine::Off => Self::Off,
        }
    }
}

/// tracks.json
#[derive(Serialize)]
struct Tracks<'a> {
    pack: &'a str,
    video: &'a Path,
    /// Frames a second.
    rate: Option<f64>,
    heads: Vec<usize>,
    refinement: Refinement,
    frames: Vec<FrameTracks>,
}

#[derive(Serialize)]
struct FrameTracks {
    frame: String,
    /// Seconds from the start.
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

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    pack: &'a str,
    device: &'a str,
    out: &'a Path,
    frames: usize,
    cuts: usize,
    objects: usize,
    heads: &'a [usize],
    refinement: Refinement,
    /// Whether there was an ffmpeg to make overlay.mp4.
    video: bool,
    seconds: f64,
}

impl Track {
    pub fn run(&self) -> Result<(), CliError> {
        let start = Instant::now();
        output::is_free(&self.out)?;
        let frames = Frames::open(&self.video, self.rate, RATE)?;
        let Opened { session, device, threads, .. } = self.model.open()?;
        let short_side = self.resolution.unwrap_or(session.model().config.vision.image_size);
        let mut writer = Writer::new(self);
        let progress = Progress::of(frames.paths.len(), "frames");
        let features = |_path: &Path, photo: &Photo, _seconds: f64| {
            let featured = pollster::block_on(session.features(photo, Framing::Frame { short_side }))?;
            Ok((photo.clone(), featured))
        };
        pictures::each(&frames.paths, threads, features, |_path, featured| {
            let (photo, featured) = featured?;
            writer.push(&frames, &photo, &featured)?;
            progress.step();
            Ok(())
        })?;
        drop(progress);
        let pack = &session.manifest().name;
        let Tracks { heads, refinement, frames: tracks, .. } = writer.finish(pack, &self.video, frames.rate)?;
        let video =
            video_of(&self.out.join("overlays"), frames.rate.unwrap_or(RATE), &self.out.join("overlay.mp4"));
        let answer = Answer {
            pack,
            device: &device,
            out: &self.out,
            frames: tracks.len(),
            cuts: tracks.iter().filter(|frame| frame.is_cut).count(),
            objects: tracks
                .iter()
                .flat_map(|frame| &frame.objects)
                .map(|object| object.id.0 + 1)
                .max()
                .unwrap_or(0),
            heads: &heads,
            refinement,
            video,
            seconds: start.elapsed().as_secs_f64(),
        };
        if self.json { output::print_json(&answer) } else { output::print(&answer.in_words()) }
    }
}

impl Answer<'_> {
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

/// Tracks frame by frame, and writes what it finds.
struct Writer<'a> {
    out: &'a Path,
    options: &'a Track,
    /// From the first frame on, with the heads that it was made for.
    tracker: Option<(Tracker, Vec<usize>)>,
    frames: Vec<FrameTracks>,
}

impl<'a> Writer<'a> {
    fn new(options: &'a Track) -> Self {
        Self { out: &options.out, options, tracker: None, frames: Vec::new() }
    }

    fn push(&mut self, frames: &Frames, photo: &Photo, featured: &Featured) -> Result<(), CliError> {
        let options = self.options;
        let (tracker, _heads) = self.tracker.get_or_insert_with(|| {
            let heads = match options.heads.as_slice() {
                [] => concentrated_heads(&featured.features, options.objects),
                heads => heads.to_vec(),
            };
            (Tracker::new(heads.clone()).with_refinement(options.refine.into()), heads)
        });
        let TrackedFrame { tracks, objects, is_cut } = tracker.push(&featured.features)?;
        // Not before: heads that the model does not have would leave a folder behind.
        for folder in ["masks", "overlays"] {
            let folder = self.out.join(folder);
            std::fs::create_dir_all(&folder).map_err(CliError::io("make", &folder))?;
        }
        let (index, size) = (self.frames.len(), photo.size);
        let masks: Vec<Vec<bool>> = tracks
            .chunks(featured.features.grid.len())
            .map(|track| foreground::in_photo(&foreground::above_mean(track), &featured.frame))
            .collect();
        let name = frames.name(index);
        for (id, mask) in objects.iter().zip(&masks) {
            let folder = self.out.join(format!("masks/object-{}", id.0));
            std::fs::create_dir_all(&folder).map_err(CliError::io("make", &folder))?;
            let grey: Vec<u8> = mask.iter().map(|is_in| if *is_in { 255 } else { 0 }).collect();
            output::write(&folder.join(format!("{name}.png")), &media::grey_png(size, &grey)?)?;
        }
        let ids: Vec<usize> = objects.iter().map(|id| id.0).collect();
        let overlay = overlaid(photo, &ids, &masks);
        // Numbered from 1 without gaps, as ffmpeg wants it.
        output::write(&self.out.join(format!("overlays/{:06}.png", index + 1)), &media::rgb_png(size, &overlay)?)?;
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
    fn finish<'t>(self, pack: &'t str, video: &'t Path, rate: Option<f64>) -> Result<Tracks<'t>, CliError> {
        let refinement = self.tracker.as_ref().map_or(Refinement::Auto, |(tracker, _heads)| tracker.refinement());
        let heads = self.tracker.map(|(_tracker, heads)| heads).unwrap_or_default();
        let tracks = Tracks { pack, video, rate, heads, refinement, frames: self.frames };
        output::write(&self.out.join("tracks.json"), output::json(&tracks)?.as_bytes())?;
        Ok(tracks)
    }
}

/// The photo's pixels with each mask in its object's colour, half and half; RGB, rows first.
pub fn overlaid(photo: &Photo, objects: &[usize], masks: &[Vec<bool>]) -> Vec<u8> {
    /// Told apart by people who see few colours too.
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

pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|err| err.to_string())?;
    if rate > 0.0 && rate <= 1000.0 { Ok(rate) } else { Err("not between 0 and 1000".to_owned()) }
}
