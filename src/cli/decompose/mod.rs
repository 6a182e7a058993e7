//! `headlamp decompose`: the contribution of every component to the embedding of every picture, in one file
//! (docs/PAPERS.md, 1.1).

mod partial_output;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::options::{ModelOptions, OpenModel};
use super::output::{AnswerFormat, CommandAnswer};
use super::parallel::{SkippedPicture, on_readable_pictures};
use super::{output, pictures};
use crate::decompose::{Decomposition, HeadBasis};
use crate::geometry::Framing;
use crate::media::Photo;
use crate::session::Session;
use partial_output::{OutputHeading, PartialOutput};

/// Write the contribution vector of every component, for every picture in a folder and the folders in it
///
/// An interrupted run leaves its work in OUT.part. The same command continues from there.
#[derive(Args, Debug)]
pub struct Decompose {
    /// Folder of pictures; folders inside it count too
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// New safetensors file: heads [K, L, H, d], mlps [K, L, d], embedding [K, d] (z0), image [K, d]
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

#[derive(Serialize)]
struct DecomposeAnswer<'a> {
    out: &'a Path,
    images: usize,
    /// Number of pictures that an earlier run had finished.
    resumed: usize,
    skipped: Vec<SkippedPicture>,
    seconds: f64,
}

impl Decompose {
    pub fn run(&self) -> Result<(), CliError> {
        output::check_free_file(&self.out)?;
        let start = Instant::now();
        let images = pictures::in_all_folders(&self.folder)?;
        let OpenModel { session, threads, .. } = self.model.open()?;
        let folder = self.out.with_added_extension("part");
        let mut partial = PartialOutput::resume(&folder, &OutputHeading::of(session.manifest()))?;
        let name_of = |path: &Path| pictures::name_in(&self.folder, path);
        let to_do: Vec<PathBuf> = images.iter().filter(|path| !partial.has(&name_of(path))).cloned().collect();
        let resumed = images.len() - to_do.len();
        let bases = head_bases(&session);
        let record = |photo: &Photo| {
            let traced = pollster::block_on(session.trace(photo, Framing::CentreCrop))?;
            Ok(record(&session.decompose(&traced), &bases))
        };
        let keep = |path: &Path, record: Vec<f32>| partial.add(&name_of(path), &record);
        let skipped = on_readable_pictures(&to_do, threads, record, keep)?;
        let mut done: Vec<String> = images.iter().map(|path| name_of(path)).collect();
        done.retain(|name| partial.has(name));
        partial.finish(&done, &self.out)?;
        let seconds = start.elapsed().as_secs_f64();
        self.format.print(&DecomposeAnswer { out: &self.out, images: done.len(), resumed, skipped, seconds })
    }
}

/// Computes the basis of every head, layer by layer. This takes longer than one picture, so it is done once for all
/// pictures.
fn head_bases(session: &Session) -> Vec<HeadBasis> {
    let readout = &session.model().readout;
    let heads = (0..readout.layers).flat_map(|layer| (0..readout.heads).map(move |head| (layer, head)));
    heads.map(|(layer, head)| readout.head_basis(layer, head)).collect()
}

/// Returns the numbers of one picture: `[layer, head, d]` of the heads, `[layer, d]` of the MLPs, `[d]` of z0, and
/// `[d]` of the unit embedding.
fn record(image: &Decomposition<'_>, bases: &[HeadBasis]) -> Vec<f32> {
    let mlps = image.mlps();
    let heads = bases.len() / mlps.len();
    let of_head =
        |(index, basis): (usize, &HeadBasis)| basis.contribution(&image.head_code(index / heads, index % heads));
    let parts = bases.iter().enumerate().flat_map(of_head).chain(mlps.concat()).chain(image.embedded());
    parts.map(|value| value as f32).chain(image.embedding()).collect()
}

impl CommandAnswer for DecomposeAnswer<'_> {
    fn in_words(&self) -> String {
        let Self { out, images, resumed, skipped, seconds } = self;
        let images = output::count(*images as u64, "picture");
        let resumed =
            if *resumed > 0 { format!(", {resumed} of them from an earlier run") } else { String::new() };
        let skipped = output::skipped(skipped.len());
        format!("{}: {images}{resumed}{skipped}, {seconds:.1} s", out.display())
    }
}
