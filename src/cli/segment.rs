//! `headlamp segment`: finds a phrase in a photo, and writes a mask (docs/PAPERS.md, 1.10).

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use super::error::CliError;
use super::options::{EdgeOptions, FramingOptions, ModelOptions, OpenModel, PhraseOptions};
use super::output::{AnswerFormat, CommandAnswer};
use super::{output, pictures};
use crate::ablate::Ablation;
use crate::geometry::Size;
use crate::media::{self, Photo};
use crate::segment::{SoftMap, grey_in_photo, mask_in_photo};
use crate::session::{Session, Traced};

/// Below this share of the photo, the text for people mentions `--whole-photo`.
const NEARLY_WHOLE: f64 = 0.995;

/// Find a phrase in a photo: write a mask of the photo's size, over an older one
#[derive(Args, Debug)]
pub struct Segment {
    /// The photo
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Phrase to find
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    text: String,
    /// Phrase for something else in the photo; may repeat
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    against: Vec<String>,
    /// Leave the built-in list of backgrounds ("the sky", "a wall", ...) out of the contrast
    #[arg(long)]
    no_background: bool,
    #[command(flatten)]
    phrases: PhraseOptions,
    #[command(flatten)]
    framing: FramingOptions,
    #[command(flatten)]
    edges: EdgeOptions,
    /// Pixels whose value in the soft map is above X are foreground, 0 to 1. Default: the mean of the map
    #[arg(long, value_name = "X", value_parser = parse_share)]
    threshold: Option<f32>,
    /// File for the mask, an 8-bit grey PNG: 255 in the foreground, 0 elsewhere
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// File for the soft map, an 8-bit grey PNG
    #[arg(long, value_name = "PNG")]
    soft: Option<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

#[derive(Serialize)]
struct SegmentAnswer<'a> {
    pack: &'a str,
    device: &'a str,
    text: &'a str,
    /// The whole contrast set, including the built-in backgrounds.
    against: &'a [String],
    /// Size of the photo and of the masks, in pixels.
    size: Size,
    threshold: f32,
    /// Whether the mask follows the edges of the photo.
    refined: bool,
    /// Share of the photo's pixels that are foreground.
    foreground: f64,
    /// Whether no patch scores higher for the text than for its contrast.
    empty: bool,
    out: &'a Path,
    soft: Option<&'a Path>,
    seconds: SegmentSeconds,
    /// Share of the photo that the model saw.
    #[serde(skip)]
    seen: f64,
}

#[derive(Serialize)]
struct SegmentSeconds {
    /// Opening the model and embedding the texts.
    load: f64,
    decode: f64,
    encode: f64,
    segment: f64,
}

/// The photo with its trace, and its soft map for the phrase.
struct SegmentedPhoto {
    photo: Photo,
    traced: Traced,
    map: SoftMap,
    seconds: SegmentSeconds,
}

impl Segment {
    pub fn run(&self) -> Result<(), CliError> {
        output::has_folder(&self.out)?;
        self.soft.as_deref().map(output::has_folder).transpose()?;
        let mut opened = self.model.open()?;
        let against = Session::contrast(&self.text, &self.against, !self.no_background);
        let SegmentedPhoto { photo, traced, map, seconds } = self.segment(&mut opened, &against)?;
        let threshold = self.threshold.unwrap_or(map.threshold);
        let size = traced.frame.photo;
        let refined = self.edges.guide(&photo, &traced.frame)?.map(|guide| guide.refine(&map));
        let mask = match &refined {
            Some(refined) => refined.mask_in_photo(photo.pixels(), threshold),
            None => mask_in_photo(&map, &traced.frame, threshold),
        };
        let foreground = mask.iter().filter(|value| **value > 0).count() as f64 / mask.len() as f64;
        output::write(&self.out, &media::grey_png(size, &mask)?)?;
        if let Some(soft) = &self.soft {
            let grey = match &refined {
                Some(refined) => refined.grey_in_photo(photo.pixels()),
                None => grey_in_photo(&map, &traced.frame),
            };
            output::write(soft, &media::grey_png(size, &grey)?)?;
        }
        let crop = traced.frame.crop_in_photo();
        self.format.print(&SegmentAnswer {
            pack: &opened.session.manifest().name,
            device: &opened.device,
            text: &self.text,
            against: &against,
            size,
            threshold,
            refined: refined.is_some(),
            foreground,
            empty: map.is_empty,
            out: &self.out,
            soft: self.soft.as_deref(),
            seconds,
            seen: crop.width * crop.height / (size.width * size.height) as f64,
        })
    }

    fn segment(&self, opened: &mut OpenModel, against: &[String]) -> Result<SegmentedPhoto, CliError> {
        let OpenModel { session, seconds, .. } = opened;
        let mut last = Instant::now();
        let mut seconds_since_last = || {
            let now = Instant::now();
            (now - std::mem::replace(&mut last, now)).as_secs_f64()
        };
        let phrases = [std::slice::from_ref(&self.text), against].concat();
        let units = pollster::block_on(session.embed(&phrases, self.phrases.templates))?;
        let load = *seconds + seconds_since_last();
        let photo = pictures::read(&self.image)?;
        let decode = seconds_since_last();
        let traced = pollster::block_on(session.trace(&photo, self.framing.framing()))?;
        let encode = seconds_since_last();
        let map = session.segment(&traced, &units[0], &units[1..], &Ablation::default())?;
        let segment = seconds_since_last();
        Ok(SegmentedPhoto { photo, traced, map, seconds: SegmentSeconds { load, decode, encode, segment } })
    }
}

impl CommandAnswer for SegmentAnswer<'_> {
    fn in_words(&self) -> String {
        let (out, text) = (self.out.display(), self.text);
        let mut words = if self.empty {
            format!(
                "{out} is empty: no part of the photo scores higher for \u{201c}{text}\u{201d} than for its contrast"
            )
        } else {
            format!(
                "{out}: {:.1} % of the photo is \u{201c}{text}\u{201d} (soft map above {:.3})",
                self.foreground * 100.0,
                self.threshold
            )
        };
        if self.seen < NEARLY_WHOLE {
            words += &format!(
                "\nThe model saw the centre of the photo, {:.0} % of it; --whole-photo shows it the whole photo",
                self.seen * 100.0
            );
        }
        words
    }
}

fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().map_err(|err| err.to_string())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not between 0 and 1".to_owned()) }
}
