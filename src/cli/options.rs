//! Options that several commands share.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::CliError;
use super::progress::Progress;
use crate::checkpoint::{Pack, pack};
use crate::geometry::Framing;
use crate::protocol::DevicePreference;
use crate::session::{Session, device};

/// Which model, and where it runs.
#[derive(Args, Debug)]
pub struct ModelOptions {
    /// Folder of the pack. Default: $HEADLAMP_PACK, else what `cargo xtask assets` makes
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
}

/// Where a model runs.
#[derive(Args, Clone, Copy, Debug)]
pub struct DeviceOptions {
    /// Where the model runs
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum DeviceChoice {
    /// A real GPU where there is one, the CPU otherwise
    #[default]
    Auto,
    Cpu,
    /// Any GPU, one in software too
    Gpu,
}

/// How phrases are put to the model.
#[derive(Args, Debug)]
pub struct PhraseOptions {
    /// Put each phrase into sentences ("a photo of ...") and take their mean; otherwise it is used verbatim
    #[arg(long)]
    pub templates: bool,
}

/// How much of a photo the model is shown.
#[derive(Args, Debug)]
pub struct FramingOptions {
    /// Show the model the whole photo, on as many patches as that takes, not the centre crop of its training
    #[arg(long)]
    whole_photo: bool,
}

/// A pack that is open.
pub struct Opened {
    pub session: Session,
    /// "CPU (...)" or "GPU (...)".
    pub device: String,
    /// Pictures that are worth working on at a time.
    pub threads: usize,
    pub seconds: f64,
}

impl ModelOptions {
    /// The folder that the options name.
    pub fn folder(&self) -> PathBuf {
        self.pack.clone().unwrap_or_else(default_pack)
    }

    /// Opens the pack on the device.
    ///
    /// # Errors
    /// [`CliError::NoPack`]; [`CliError::Checkpoint`] where it is damaged; [`CliError::Engine`] where there is no
    /// such device.
    pub fn open(&self) -> Result<Opened, CliError> {
        let start = Instant::now();
        let opened = self.device.open(read_pack(&self.folder())?)?;
        Ok(Opened { seconds: start.elapsed().as_secs_f64(), ..opened })
    }
}

impl DeviceOptions {
    /// Opens a pack on the device.
    ///
    /// # Errors
    /// As [`ModelOptions::open`].
    pub fn open(&self, pack: Pack) -> Result<Opened, CliError> {
        let start = Instant::now();
        let _busy = Progress::busy("opening the model");
        let chosen = pollster::block_on(device::choose(self.device.into()))?;
        let (session, summary) = pollster::block_on(chosen.open(pack))?;
        let device = format!("{} ({})", summary.kind, summary.name);
        let threads = match summary.kind.as_str() {
            "CPU" => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            // One reads while the other computes.
            _ => 2,
        };
        Ok(Opened { session, device, threads, seconds: start.elapsed().as_secs_f64() })
    }
}

impl FramingOptions {
    /// The framing that the options ask for.
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

/// Reads and verifies the pack in `folder`.
///
/// # Errors
/// [`CliError::NoPack`] or [`CliError::Checkpoint`].
pub fn read_pack(folder: &Path) -> Result<Pack, CliError> {
    if !folder.join(pack::MANIFEST).is_file() {
        return Err(CliError::NoPack(folder.to_owned()));
    }
    Ok(Pack::read(folder)?)
}

/// `$HEADLAMP_PACK`, else the place where `xtask` (its `places.rs`) puts the default pack.
pub fn default_pack() -> PathBuf {
    set("HEADLAMP_PACK").unwrap_or_else(|| cache().join("packs/default"))
}

/// The folder for what can be made or fetched again.
pub fn cache() -> PathBuf {
    set("HEADLAMP_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("headlamp")))
        .or_else(|| set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".cache/headlamp")))
        .unwrap_or_else(|| std::env::temp_dir().join("headlamp"))
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
