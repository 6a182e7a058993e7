//! `headlamp decompose`: every component's contribution to every picture's embedding, as one file.

mod work;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::options::{ModelOptions, Opened};
use super::stats::{Skipped, over_pictures};
use super::{CliError, output, pictures};
use crate::decompose::{Decomposition, HeadBasis};
use crate::geometry::Framing;
use crate::media::Photo;
use crate::session::Session;
use work::{Heading, Work};

/// Write every component's contribution vector for every picture in a folder and the folders in it
///
/// A run that is cut off leaves its work in OUT.part; the same command goes on from there.
#[derive(Args, Debug)]
pub struct Decompose {
    /// Pictures, and folders of them
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The safetensors file, new: heads [K, L, H, d], mlps [K, L, d], embedding [K, d] (z0), image [K, d]
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// The answer.
#[derive(Serialize)]
struct Decomposed<'a> {
    out: &'a Path,
    images: usize,
    /// Images that an earlier run had done.
    resumed: usize,
    skipped: Vec<Skipped>,
    seconds: f64,
}

impl Decompose {
    pub fn run(&self) -> Result<(), CliError> {
        output::is_free(&self.out)?;
        let start = Instant::now();
        let images = pictures::beneath(&self.folder)?;
        let Opened { session, threads, .. } = self.model.open()?;
        let mut work = Work::go_on(&output::beside(&self.out, ".part"), &Heading::of(session.manifest()))?;
        let name_of = |path: &Path| pictures::name_in(&self.folder, path);
        let to_do: Vec<PathBuf> = images.iter().filter(|path| !work.has(&name_of(path))).cloned().collect();
        let resumed = images.len() - to_do.len();
        let bases = bases(&session);
        let record = |photo: &Photo| {
            let traced = pollster::block_on(session.trace(photo, Framing::CentreCrop))?;
            Ok(record(&session.decompose(&traced), &bases))
        };
        let keep = |path: &Path, record: Vec<f32>| work.add(&name_of(path), &record);
        let skipped = over_pictures(&to_do, threads, record, keep)?;
        let mut done: Vec<String> = images.iter().map(|path| name_of(path)).collect();
        done.retain(|name| work.has(name));
        work.finish(&done, &self.out)?;
        let seconds = start.elapsed().as_secs_f64();
        Decomposed { out: &self.out, images: done.len(), resumed, skipped, seconds }.print(self.json)
    }
}

/// B of every head, layer by layer: too dear to make for each picture.
fn bases(session: &Session) -> Vec<HeadBasis> {
    let readout = &session.model().readout;
    let heads = (0..readout.layers).flat_map(|layer| (0..readout.heads).map(move |head| (layer, head)));
    heads.map(|(layer, head)| readout.head_basis(layer, head)).collect()
}

/// One picture's numbers: heads, MLPs, z0 and the unit embedding, one after another.
fn record(image: &Decomposition<'_>, bases: &[HeadBasis]) -> Vec<f32> {
    let mlps = image.mlps();
    let heads = bases.len() / mlps.len();
    let of_head =
        |(index, basis): (usize, &HeadBasis)| basis.contribution(&image.head_code(index / heads, index % heads));
    let parts = bases.iter().enumerate().flat_map(of_head).chain(mlps.concat()).chain(image.embedded());
    parts.map(|value| value as f32).chain(image.embedding()).collect()
}

impl Decomposed<'_> {
    fn print(&self, json: bool) -> Result<(), CliError> {
        if json {
            return output::print_json(self);
        }
        let Self { out, images, resumed, skipped, seconds } = self;
        let mut words = format!("{}: {}", out.display(), output::count(*images as u64, "picture"));
        if *resumed > 0 {
            words += &format!(", {resumed} of them from an earlier run");
        }
        if !skipped.is_empty() {
            words += &format!(", {} skipped", skipped.len());
        }
        output::print(&format!("{words}, {seconds:.1} s"))
    }
}
