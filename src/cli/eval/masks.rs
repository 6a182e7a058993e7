//! ImageNet-Segmentation: photos, and masks of what they show.
//!
//! | DIR | layout |
//! |---|---|
//! | `gtsegs_ijcv.mat`, or a folder with it | MATLAB 7.3, which is HDF5: the cells `value/img` and `value/gt` refer to a photo `[3, width, height]` each, and to a cell with a mask `[width, height]` |
//! | a folder with `images/` and `masks/` | pictures, and of each a PNG of the same name and size; what is not black is foreground |

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hdf5_pure::{Dataset, File, Object};

use crate::cli::{CliError, pictures};
use crate::geometry::Size;
use crate::media::{MAX_PIXELS, Photo};

const MAT: &str = "gtsegs_ijcv.mat";

/// A photo with its mask.
pub struct Sample {
    pub photo: Photo,
    /// Whether each pixel is foreground, rows first.
    pub labelled: Vec<bool>,
}

/// The data set.
pub enum Masks {
    Mat(MatFile),
    /// Photo and mask.
    Folder(Vec<(PathBuf, PathBuf)>),
}

/// A sample's name, and where it is.
pub struct Entry {
    pub name: String,
    pub index: usize,
}

impl Masks {
    /// Finds the data set at `data`.
    ///
    /// # Errors
    /// [`CliError::Data`] where it is of neither layout.
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
        Err(wrong(data, &format!("there is neither {MAT} in it, nor images/ and masks/")))
    }

    /// All samples.
    pub fn entries(&self) -> Vec<Entry> {
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
        (0..count).map(|index| Entry { name: name(index), index }).collect()
    }

    /// Reads a sample.
    ///
    /// # Errors
    /// Where it cannot be read, or photo and mask differ in size.
    pub fn read(&self, index: usize) -> Result<Sample, CliError> {
        match self {
            Self::Mat(mat) => mat.read(index),
            Self::Folder(pairs) => {
                let (photo, mask) = &pairs[index];
                let (photo, mask_photo) = (pictures::read_guarded(photo)?, pictures::read_guarded(mask)?);
                if photo.size != mask_photo.size {
                    return Err(wrong(mask, &sizes(mask_photo.size, photo.size)));
                }
                let (pixels, _) = mask_photo.rgb.as_chunks::<3>();
                Ok(Sample { photo, labelled: pixels.iter().map(|pixel| *pixel != [0; 3]).collect() })
            }
        }
    }
}

/// The photos in `images/` with those of the same name in `masks/`.
fn pairs(data: &Path) -> Result<Vec<(PathBuf, PathBuf)>, CliError> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_os_string()).unwrap_or_default();
    let masks: HashMap<_, _> =
        pictures::in_folder(&data.join("masks"))?.into_iter().map(|path| (stem(&path), path)).collect();
    let paired = |photo: PathBuf| match masks.get(&stem(&photo)) {
        Some(mask) => Ok((photo, mask.clone())),
        None => Err(wrong(&photo, "it has no mask of the same name in masks/")),
    };
    pictures::in_folder(&data.join("images"))?.into_iter().map(paired).collect()
}

/// `gtsegs_ijcv.mat`.
pub struct MatFile {
    path: PathBuf,
    count: usize,
    /// What `value/img` and `value/gt` refer to.
    cells: Mutex<(Vec<Object>, Vec<Object>)>,
}

impl MatFile {
    fn open(path: &Path) -> Result<Self, CliError> {
        let cells = |name: &str| -> Result<Vec<Object>, hdf5_pure::Error> {
            File::open_streaming(path)?.dataset(name)?.dereference()
        };
        let of_file = |err: hdf5_pure::Error| wrong(path, &format!("it is not MATLAB's file of masks ({err})"));
        let (photos, masks) = (cells("value/img").map_err(of_file)?, cells("value/gt").map_err(of_file)?);
        if photos.len() != masks.len() {
            let reason = format!("it has {} photos and {} masks", photos.len(), masks.len());
            return Err(wrong(path, &reason));
        }
        Ok(Self { path: path.to_owned(), count: photos.len(), cells: Mutex::new((photos, masks)) })
    }

    fn read(&self, index: usize) -> Result<Sample, CliError> {
        let broken = |reason: &str| wrong(&self.path, &format!("sample {index}: {reason}"));
        let of_sample = |err: hdf5_pure::Error| broken(&err.to_string());
        // Whoever held the lock and broke off left the file as it is.
        let cells = self.cells.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let photo = dataset(&cells.0[index]).ok_or_else(|| broken("its photo is no array"))?;
        let cell = dataset(&cells.1[index]).ok_or_else(|| broken("its mask is no cell"))?;
        let inner = cell.dereference().map_err(of_sample)?;
        let mask = inner.first().and_then(dataset).ok_or_else(|| broken("its cell of masks is empty"))?;
        let [3, width, height] = photo.shape().map_err(of_sample)?[..] else {
            return Err(broken("its photo is not of the shape [3, width, height]"));
        };
        let size = Size { width: width as usize, height: height as usize };
        let mask_size = match mask.shape().map_err(of_sample)?[..] {
            [width, height] => Size { width: width as usize, height: height as usize },
            _ => return Err(broken("its mask is not of the shape [width, height]")),
        };
        if mask_size != size || width.saturating_mul(height) > MAX_PIXELS {
            return Err(broken(&sizes(mask_size, size)));
        }
        let channels = photo.read_u8().map_err(of_sample)?;
        let mask = mask.read_u8().map_err(of_sample)?;
        drop(cells);
        Ok(upright(size, &channels, &mask))
    }
}

/// MATLAB keeps columns together: `[3, width, height]` and `[width, height]` become rows of pixels.
fn upright(size: Size, channels: &[u8], mask: &[u8]) -> Sample {
    let Size { width, height } = size;
    let places = (0..height).flat_map(|y| (0..width).map(move |x| x * height + y));
    let pixel = |place: usize| [0, 1, 2].map(|channel| channels[channel * width * height + place]);
    let rgb = places.clone().flat_map(pixel).collect();
    Sample { photo: Photo { size, held: size, rgb }, labelled: places.map(|place| mask[place] != 0).collect() }
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

fn wrong(path: &Path, reason: &str) -> CliError {
    CliError::Data { path: path.to_owned(), reason: reason.to_owned() }
}
