//! The data set ImageNet-Segmentation: photos with masks of their main object (docs/PAPERS.md, 1.10).
//!
//! | DIR | layout |
//! |---|---|
//! | `gtsegs_ijcv.mat`, or a folder with this file | MATLAB 7.3, which is HDF5: each cell of `value/img` refers to a photo `[3, width, height]`, each cell of `value/gt` to a cell with a mask `[width, height]` |
//! | a folder with `images/` and `masks/` | for each picture a PNG of the same name and size; pixels that are neither black nor transparent are foreground |

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hdf5_pure::{Dataset, File, Object};

use crate::cli::error::CliError;
use crate::cli::pictures;
use crate::geometry::Size;
use crate::media::{MAX_PIXELS, Photo};

const MAT: &str = "gtsegs_ijcv.mat";

/// A photo with its mask.
pub struct MaskedPhoto {
    pub photo: Photo,
    /// Whether each pixel is foreground, rows first.
    pub labelled: Vec<bool>,
}

/// The data set, in one of its layouts.
pub enum SegmentationSet {
    Mat(MatFile),
    /// The paths of each photo and its mask.
    Folder(Vec<(PathBuf, PathBuf)>),
}

/// A photo of the data set, by its index.
pub struct SetEntry {
    pub name: String,
    pub index: usize,
}

impl SegmentationSet {
    /// Opens the data set at `data`.
    ///
    /// # Errors
    /// [`CliError::Data`] if the data has neither layout.
    pub fn find(data: &Path) -> Result<Self, CliError> {
        if data.is_file() {
            return Ok(Self::Mat(MatFile::open(data)?));
        }
        if data.join(MAT).is_file() {
            return Ok(Self::Mat(MatFile::open(&data.join(MAT))?));
        }
        if data.join("images").is_dir() && data.join("masks").is_dir() {
            return pairs(data).map(Self::Folder);
        }
        Err(CliError::data(data, format!("the folder has neither {MAT} nor images/ and masks/")))
    }

    /// Lists all photos.
    pub fn entries(&self) -> Vec<SetEntry> {
        let name = |index: usize| match self {
            Self::Mat(_) => format!("{index:05}"),
            Self::Folder(pairs) => {
                pictures::name_in(pairs[index].0.parent().unwrap_or(Path::new("")), &pairs[index].0)
            }
        };
        let count = match self {
            Self::Mat(mat) => mat.count,
            Self::Folder(pairs) => pairs.len(),
        };
        (0..count).map(|index| SetEntry { name: name(index), index }).collect()
    }

    /// Reads a photo with its mask.
    ///
    /// # Errors
    /// If the photo or the mask cannot be read, or if their sizes differ.
    pub fn read(&self, index: usize) -> Result<MaskedPhoto, CliError> {
        match self {
            Self::Mat(mat) => mat.read(index),
            Self::Folder(pairs) => {
                let (photo, mask) = &pairs[index];
                let (photo, (size, labelled)) = (pictures::read_guarded(photo)?, pictures::read_foreground(mask)?);
                if photo.size != size {
                    return Err(CliError::data(mask, sizes(size, photo.size)));
                }
                Ok(MaskedPhoto { photo, labelled })
            }
        }
    }
}

/// Pairs the photos in `images/` with the files of the same name in `masks/`.
fn pairs(data: &Path) -> Result<Vec<(PathBuf, PathBuf)>, CliError> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_os_string()).unwrap_or_default();
    let mut masks = HashMap::new();
    for path in pictures::in_folder(&data.join("masks"))? {
        if let Some(other) = masks.insert(stem(&path), path.clone()) {
            let reason = format!("there is also {}: keep one mask for each photo", other.display());
            return Err(CliError::data(&path, reason));
        }
    }
    let paired = |photo: PathBuf| match masks.get(&stem(&photo)) {
        Some(mask) => Ok((photo, mask.clone())),
        None => Err(CliError::data(&photo, "the photo has no mask of the same name in masks/")),
    };
    pictures::in_folder(&data.join("images"))?.into_iter().map(paired).collect()
}

/// The file `gtsegs_ijcv.mat`.
pub struct MatFile {
    path: PathBuf,
    count: usize,
    /// The objects that `value/img` and `value/gt` refer to.
    cells: Mutex<(Vec<Object>, Vec<Object>)>,
}

impl MatFile {
    fn open(path: &Path) -> Result<Self, CliError> {
        let cells = |name: &str| -> Result<Vec<Object>, hdf5_pure::Error> {
            File::open_streaming(path)?.dataset(name)?.dereference()
        };
        let of_file =
            |err: hdf5_pure::Error| CliError::data(path, format!("this is not MATLAB's file of masks ({err})"));
        let (photos, masks) = (cells("value/img").map_err(of_file)?, cells("value/gt").map_err(of_file)?);
        if photos.len() != masks.len() {
            let reason = format!("the file has {} photos and {} masks", photos.len(), masks.len());
            return Err(CliError::data(path, reason));
        }
        Ok(Self { path: path.to_owned(), count: photos.len(), cells: Mutex::new((photos, masks)) })
    }

    fn read(&self, index: usize) -> Result<MaskedPhoto, CliError> {
        let broken = |reason: &str| CliError::data(&self.path, format!("photo {index}: {reason}"));
        let hdf5 = |err: hdf5_pure::Error| broken(&err.to_string());
        // A thread that panicked while it held the lock has not changed the file.
        let cells = self.cells.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let photo = dataset(&cells.0[index]).ok_or_else(|| broken("the photo is no array"))?;
        let cell = dataset(&cells.1[index]).ok_or_else(|| broken("the mask is no cell"))?;
        let inner = cell.dereference().map_err(hdf5)?;
        let mask = inner.first().and_then(dataset).ok_or_else(|| broken("the cell of masks is empty"))?;
        let [3, width, height] = photo.shape().map_err(hdf5)?[..] else {
            return Err(broken("the photo does not have the shape [3, width, height]"));
        };
        let size = Size { width: width as usize, height: height as usize };
        let mask_size = match mask.shape().map_err(hdf5)?[..] {
            [width, height] => Size { width: width as usize, height: height as usize },
            _ => return Err(broken("the mask does not have the shape [width, height]")),
        };
        if mask_size != size || width.saturating_mul(height) > MAX_PIXELS {
            return Err(broken(&sizes(mask_size, size)));
        }
        let channels = photo.read_u8().map_err(hdf5)?;
        let mask = mask.read_u8().map_err(hdf5)?;
        drop(cells);
        Ok(upright(size, &channels, &mask))
    }
}

/// Converts MATLAB's columns, `[3, width, height]` and `[width, height]`, to rows of pixels.
fn upright(size: Size, channels: &[u8], mask: &[u8]) -> MaskedPhoto {
    let Size { width, height } = size;
    let indices = (0..height).flat_map(|y| (0..width).map(move |x| x * height + y));
    let pixel = |index: usize| [0, 1, 2].map(|channel| channels[channel * width * height + index]);
    let rgb = indices.clone().flat_map(pixel).collect();
    MaskedPhoto {
        photo: Photo { size, held: size, rgb },
        labelled: indices.map(|index| mask[index] != 0).collect(),
    }
}

fn dataset(object: &Object) -> Option<&Dataset> {
    match object {
        Object::Dataset(dataset) => Some(dataset),
        _ => None,
    }
}

fn sizes(mask: Size, photo: Size) -> String {
    format!("the mask has {} x {} pixels, its photo {} x {}", mask.width, mask.height, photo.width, photo.height)
}
