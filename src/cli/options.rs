//! Options that several commands share.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::terminal_progress::TerminalProgress;
use crate::checkpoint::{Pack, Quantisation, pack};
use crate::geometry::Framing;
use crate::protocol::DevicePreference;
use crate::session::{Session, device};

/// The model, and the device that it runs on.
#[derive(Args, Debug)]
pub struct ModelOptions {
    /// Folder of the pack, or a file NAME.headlamp.tar. Default: $HEADLAMP_PACK, else the pack that `cargo xtask
    /// assets` makes
    #[arg(long, value_name = "DIR|FILE")]
    pack: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
}

/// The device that a model runs on.
#[derive(Args, Clone, Copy, Debug)]
pub struct DeviceOptions {
    /// Device that the model runs on
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum DeviceChoice {
    /// A real GPU if there is one, otherwise the CPU
    #[default]
    Auto,
    Cpu,
    /// Any GPU, including one in software
    Gpu,
}

/// How the matrices of a pack are stored.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum WeightStorage {
    /// 8 bits
    #[default]
    Q8,
    /// 4 bits for most matrices: 77 % of the size of q8, some precision lost
    Q4,
    F16,
    F32,
}

/// How phrases become embeddings.
#[derive(Args, Debug)]
pub struct PhraseOptions {
    /// Put each phrase into sentences ("a photo of ...") and take their mean. Default: the phrase as it is
    #[arg(long)]
    pub templates: bool,
}

/// The part of a photo that the model sees.
#[derive(Args, Debug)]
pub struct FramingOptions {
    /// Show the model the whole photo, on as many patches as needed. Default: the centre crop, as in training
    #[arg(long)]
    whole_photo: bool,
}

/// A model that is open on a device.
pub struct OpenModel {
    pub session: Session,
    /// "CPU (...)" or "GPU (...)".
    pub device: String,
    /// How many pictures to work on at the same time.
    pub threads: usize,
    /// Seconds that opening took.
    pub seconds: f64,
}

impl ModelOptions {
    /// Opens the pack on the device.
    ///
    /// # Errors
    /// [`CliError::NoPack`]; [`CliError::Checkpoint`] if the pack is damaged; [`CliError::Session`] if the device
    /// does not exist.
    pub fn open(&self) -> Result<OpenModel, CliError> {
        let start = Instant::now();
        let path = self.pack.clone().unwrap_or_else(default_pack);
        let opened = self.device.open(read_pack(&path)?)?;
        Ok(OpenModel { seconds: start.elapsed().as_secs_f64(), ..opened })
    }
}

impl DeviceOptions {
    /// Opens a pack on the device.
    ///
    /// # Errors
    /// As [`ModelOptions::open`].
    pub fn open(&self, pack: Pack) -> Result<OpenModel, CliError> {
        let start = Instant::now();
        let _spinner = TerminalProgress::spinner("opening the model");
        let chosen = pollster::block_on(device::choose(self.device.into()))?;
        let (session, summary) = pollster::block_on(chosen.open(pack))?;
        let device = format!("{} ({})", summary.kind, summary.name);
        let threads = match summary.kind.as_str() {
            "CPU" => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            // One thread reads a picture while the GPU works on another.
            _ => 2,
        };
        Ok(OpenModel { session, device, threads, seconds: start.elapsed().as_secs_f64() })
    }
}

impl FramingOptions {
    /// Returns the framing that the options name.
    pub fn framing(&self) -> Framing {
        if self.whole_photo { Framing::WholePhoto } else { Framing::CentreCrop }
    }
}

impl From<DeviceChoice> for DevicePreference {
    fn from(choice: DeviceChoice) -> Self {
        match choice {
            DeviceChoice::Auto => Self::Auto,
            DeviceChoice::Cpu => Self::Cpu,
            DeviceChoice::Gpu => Self::Gpu,
        }
    }
}

impl From<WeightStorage> for Quantisation {
    fn from(storage: WeightStorage) -> Self {
        match storage {
            WeightStorage::Q8 => Self::Q8,
            WeightStorage::Q4 => Self::Q4,
            WeightStorage::F16 => Self::F16,
            WeightStorage::F32 => Self::F32,
        }
    }
}

/// Reads and verifies the pack at `path`, a folder or an archive.
///
/// # Errors
/// [`CliError::NoPack`] or [`CliError::Checkpoint`].
pub fn read_pack(path: &Path) -> Result<Pack, CliError> {
    if !path.is_file() && !path.join(pack::MANIFEST).is_file() {
        return Err(CliError::NoPack(path.to_owned()));
    }
    Ok(Pack::read(path)?)
}

/// Returns `$HEADLAMP_PACK`, else the place where `xtask` (its `places.rs`) puts the default pack.
pub fn default_pack() -> PathBuf {
    path_variable("HEADLAMP_PACK").unwrap_or_else(|| cache().join("packs/default"))
}

/// Returns the folder for files that can be made or downloaded again.
pub fn cache() -> PathBuf {
    path_variable("HEADLAMP_CACHE")
        .or_else(|| path_variable("XDG_CACHE_HOME").map(|folder| folder.join("headlamp")))
        .or_else(|| {
            let home = path_variable("HOME").or_else(|| path_variable("USERPROFILE"));
            home.map(|home| home.join(".cache/headlamp"))
        })
        .unwrap_or_else(|| std::env::temp_dir().join("headlamp"))
}

/// Reads an environment variable that holds a path; an empty one counts as missing.
fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
