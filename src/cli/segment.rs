//! `headlamp segment`: the part of a photo that a phrase stands for, as a mask.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use super::options::{FramingOptions, ModelOptions, Opened, PhraseOptions};
use super::{CliError, output, pictures};
use crate::ablate::Ablation;
use crate::geometry::Size;
use crate::media;
use crate::segment::{SoftMap, grey_in_photo, mask_in_photo};
use crate::session::{Session, Traced};

/// Find a phrase in a photo: writes a mask of the photo's own size, over an older one
#[derive(Args, Debug)]
pub struct Segment {
    /// The photo
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// What to find
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    text: String,
    /// What else is in the photo; may repeat
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    against: Vec<String>,
    /// Leave the built-in list of backgrounds ("the sky", "a wall", ...) out of the contrast
    #[arg(long)]
    no_background: bool,
    #[command(flatten)]
    phrases: PhraseOptions,
    #[command(flatten)]
    framing: FramingOptions,
    /// Foreground is where the soft map is above this, 0 to 1. Default: the map's own mean
    #[arg(long, value_name = "X", value_parser = share)]
    threshold: Option<f32>,
    /// The mask, an 8-bit grey PNG: 255 in the foreground, 0 elsewhere
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
    /// The soft map, an 8-bit grey PNG
    #[arg(long, value_name = "PNG")]
    soft: Option<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// The answer.
#[derive(Serialize)]
struct Segmentation<'a> {
    pack: &'a str,
    device: &'a str,
    text: &'a str,
    /// The whole contrast set, the built-in backgrounds among it.
    against: &'a [String],
    /// Of the photo and of the masks, in pixels.
    size: Size,
    threshold: f32,
    /// Share of the photo's pixels.
    foreground: f64,
    /// No patch speaks for the text.
    empty: bool,
    out: &'a Path,
    soft: Option<&'a Path>,
    seconds: Seconds,
}

#[derive(Serialize)]
struct Seconds {
    /// Opening the model and embedding the texts.
    load: f64,
    decode: f64,
    encode: f64,
    segment: f64,
}

/// What the model made of the photo.
struct Found {
    traced: Traced,
    map: SoftMap,
    seconds: Seconds,
}

impl Segment {
    pub fn run(&self) -> Result<(), CliError> {
        output::has_folder(&self.out)?;
        self.soft.as_deref().map(output::has_folder).transpose()?;
        let mut opened = self.model.open()?;
        let against = Session::contrast(&self.text, &self.against, !self.no_background);
        let Found { traced, map, seconds } = self.find(&mut opened, &against)?;
        let threshold = self.threshold.unwrap_or(map.threshold);
        let size = traced.frame.photo;
        let mask = mask_in_photo(&map, &traced.frame, threshold);
        let foreground = mask.iter().filter(|value| **value > 0).count() as f64 / mask.len() as f64;
        output::write(&self.out, &media::grey_png(size, &mask)?)?;
        if let Some(soft) = &self.soft {
            output::write(soft, &media::grey_png(size, &grey_in_photo(&map, &traced.frame))?)?;
        }
        let segmentation = Segmentation {
            pack: &opened.session.manifest().name,
            device: &opened.device,
            text: &self.text,
            against: &against,
            size,
            threshold,
            foreground,
            empty: map.is_empty,
            out: &self.out,
            soft: self.soft.as_deref(),
            seconds,
        };
        if self.json {
            return output::print_json(&segmentation);
        }
        output::print(&segmentation.in_words(&traced))
    }

    fn find(&self, opened: &mut Opened, against: &[String]) -> Result<Found, CliError> {
        let Opened { session, seconds, .. } = opened;
        let start = Instant::now();
        let mut lap = start;
        let mut elapsed = || {
            let now = Instant::now();
            (now - std::mem::replace(&mut lap, now)).as_secs_f64()
        };
        let phrases = [std::slice::from_ref(&self.text), against].concat();
        let units = pollster::block_on(session.embed(&phrases, self.phrases.templates))?;
        let load = *seconds + elapsed();
        let photo = pictures::read(&self.image)?;
        let decode = elapsed();
        let traced = pollster::block_on(session.trace(&photo, self.framing.framing()))?;
        let encode = elapsed();
        let map = session.segment(&traced, &units[0], &units[1..], &Ablation::default())?;
        let segment = elapsed();
        Ok(Found { traced, map, seconds: Seconds { load, decode, encode, segment } })
    }
}

impl Segmentation<'_> {
    /// The answer as people read it.
    fn in_words(&self, traced: &Traced) -> String {
        let (out, text) = (self.out.display(), self.text);
        let mut words = if self.empty {
            format!(
                "{out} is empty: nothing in the photo speaks for \u{201c}{text}\u{201d} more than for its contrast"
            )
        } else {
            format!(
                "{out}: {:.1} % of the photo is \u{201c}{text}\u{201d} (soft map above {:.3})",
                self.foreground * 100.0,
                self.threshold
            )
        };
        let crop = traced.frame.crop_in_photo();
        let seen = crop.width * crop.height / (self.size.width * self.size.height) as f64;
        if seen < 0.995 {
            words += &format!(
                "\nThe model saw {:.0} % of the photo, its centre; --whole-photo shows it all",
                seen * 100.0
            );
        }
        words
    }
}

fn share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().map_err(|err| err.to_string())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not between 0 and 1".to_owned()) }
}
