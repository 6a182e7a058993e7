//! The outputs of an image tower for many pictures. They are computed once and kept in the cache folder, so that an
//! interrupted run can continue.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;
use crate::cli::parallel::{SkippedPicture, on_readable_pictures};
use crate::cli::{options, output};
use crate::geometry::Framing;
use crate::session::Session;

/// The features of each picture; `None` if the picture could not be read.
pub type FeatureRows = Vec<Option<Vec<f32>>>;

/// The file of the features: the rows of a list of pictures, in the order of the list. A picture that could not be read
/// has a row of NaN.
struct FeatureFile {
    path: PathBuf,
    file: File,
    width: usize,
}

/// Computes the embedding of each picture, not normalised. Also returns the pictures that could not be read.
///
/// # Errors
/// If the device fails, no picture can be read, or the cache cannot be written.
pub fn features(
    session: &Session,
    threads: usize,
    pictures: &[PathBuf],
) -> Result<(FeatureRows, Vec<SkippedPicture>), CliError> {
    let width = session.model().config.embedding;
    let (mut store, mut rows) = FeatureFile::open(&cache_file(session, pictures)?, width)?;
    rows.truncate(pictures.len());
    let left = &pictures[rows.len()..];
    let mut skipped = skipped_before(&rows, pictures);
    if !left.is_empty() {
        let mut next = left.iter();
        let embed = |photo: &crate::media::Photo| {
            Ok(pollster::block_on(session.trace(photo, Framing::CentreCrop))?.trace.embedding)
        };
        let mut take = |path: Option<&Path>, row: Option<Vec<f32>>| -> Result<(), CliError> {
            // The pictures between the last one and this one could not be read.
            for _unread in next.by_ref().take_while(|other| Some(other.as_path()) != path) {
                store.append(None)?;
                rows.push(None);
            }
            if path.is_some() {
                store.append(row.as_deref())?;
                rows.push(row);
            }
            Ok(())
        };
        skipped.extend(on_readable_pictures(left, threads, embed, |path, row| take(Some(path), Some(row)))?);
        take(None, None)?;
    }
    Ok((rows, skipped))
}

/// Returns the pictures that an earlier run could not read.
fn skipped_before(rows: &FeatureRows, pictures: &[PathBuf]) -> Vec<SkippedPicture> {
    let unread = pictures.iter().zip(rows).filter(|(_picture, row)| row.is_none());
    let skipped = |(picture, _row): (&PathBuf, _)| SkippedPicture {
        image: picture.display().to_string(),
        error: "an earlier run could not read this picture, and the file has not changed since".to_owned(),
    };
    unread.map(skipped).collect()
}

/// Returns the path of the cache file for these pictures and this model.
fn cache_file(session: &Session, pictures: &[PathBuf]) -> Result<PathBuf, CliError> {
    let manifest = session.manifest();
    let mut list = format!("{}\n{:?}\n", manifest.weights_hash(), manifest.model.vision);
    for picture in pictures {
        // A missing file is reported later, when the picture is read.
        let data = picture.metadata().ok();
        let changed = data.as_ref().and_then(|data| data.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        let bytes = data.map_or(0, |data| data.len());
        let seconds = changed.map_or(0, |changed| changed.as_secs());
        list.push_str(&format!("{}\t{bytes}\t{seconds}\n", picture.display()));
    }
    let folder = options::cache().join("align");
    output::make_folder(&folder)?;
    Ok(folder.join(format!("features-{}.f32", &sha256_hex(list.as_bytes())[..16])))
}

impl FeatureFile {
    /// Opens or makes the file, and reads its rows. An incomplete row at the end is dropped.
    fn open(path: &Path, width: usize) -> Result<(Self, FeatureRows), CliError> {
        let unreadable = CliError::io("read", path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(CliError::io("open", path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(&unreadable)?;
        let whole = bytes.len() - bytes.len() % (4 * width);
        bytes.truncate(whole);
        file.set_len(whole as u64).map_err(&unreadable)?;
        file.seek(SeekFrom::Start(whole as u64)).map_err(&unreadable)?;
        let rows = bytes.chunks(4 * width).map(|row| {
            let row: Vec<f32> = row.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
            row.iter().all(|value| value.is_finite()).then_some(row)
        });
        let rows = rows.collect();
        Ok((Self { path: path.to_owned(), file, width }, rows))
    }

    fn append(&mut self, row: Option<&[f32]>) -> Result<(), CliError> {
        let unread = vec![f32::NAN; self.width];
        let bytes: Vec<u8> = row.unwrap_or(&unread).iter().flat_map(|value| value.to_le_bytes()).collect();
        let unwritten = |reason| CliError::Unwritten { path: self.path.clone(), reason };
        self.file.write_all(&bytes).map_err(unwritten)
    }
}
