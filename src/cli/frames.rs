//! The frames of a video: a folder of pictures, or a file that `ffmpeg` cuts into some.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::progress::Progress;
use super::{CliError, pictures};
use crate::text::natural_order;

/// Frames in order.
pub struct Frames {
    pub paths: Vec<PathBuf>,
    /// Frames a second; none of a folder whose rate nobody told.
    pub rate: Option<f64>,
    /// Where a video's frames lie as long as they are needed.
    _folder: Option<Temporary>,
}

impl Frames {
    /// The pictures in a folder, in the order that people number them in, or a video's frames, `rate` a second.
    ///
    /// # Errors
    /// [`CliError::NoPictures`], [`CliError::NoFfmpeg`]; [`CliError::Data`] where ffmpeg cannot read the file.
    pub fn open(source: &Path, rate: Option<f64>, default_rate: f64) -> Result<Self, CliError> {
        if source.is_dir() {
            let mut paths = pictures::in_folder(source)?;
            paths.sort_by(|a, b| natural_order::compare(&a.to_string_lossy(), &b.to_string_lossy()));
            return Ok(Self { paths, rate, _folder: None });
        }
        std::fs::metadata(source).map_err(CliError::io("read", source))?;
        let rate = rate.unwrap_or(default_rate);
        let folder = Temporary::new()?;
        let _busy = Progress::busy("cutting the video into frames");
        let mut input = std::ffi::OsString::from("file:");
        input.push(source);
        let mut ffmpeg = ffmpeg();
        ffmpeg.arg("-i").arg(input).arg("-vf").arg(format!("fps={rate}")).arg(folder.0.join("%06d.png"));
        run(&mut ffmpeg).map_err(|failure| match failure {
            Failure::NotThere => CliError::NoFfmpeg(source.to_owned()),
            Failure::Said(words) => {
                let reason = format!("ffmpeg cannot read it as a video ({words})");
                CliError::Data { path: source.to_owned(), reason }
            }
        })?;
        let paths = pictures::in_folder(&folder.0).map_err(|_empty| CliError::NoPictures(source.to_owned()))?;
        Ok(Self { paths, rate: Some(rate), _folder: Some(folder) })
    }

    /// A frame's name without its ending, as files of its own are called.
    pub fn name(&self, frame: usize) -> String {
        self.paths[frame].file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Seconds from the start.
    pub fn seconds(&self, frame: usize) -> Option<f64> {
        self.rate.map(|rate| frame as f64 / rate)
    }
}

/// Makes a video of the pictures `%06d.png` in `folder`. Whether there was an ffmpeg that could.
pub fn video_of(folder: &Path, rate: f64, out: &Path) -> bool {
    let mut ffmpeg = ffmpeg();
    ffmpeg.arg("-framerate").arg(rate.to_string()).arg("-i").arg(folder.join("%06d.png"));
    // Most players want even sides and this pixel format.
    ffmpeg.args(["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p"]).arg(out);
    run(&mut ffmpeg).is_ok()
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]).stdin(Stdio::null());
    command
}

enum Failure {
    NotThere,
    Said(String),
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let output = command.output().map_err(|_missing| Failure::NotThere)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::Said(said.lines().next_back().unwrap_or("it did not say why").to_owned()))
}

/// A folder that goes when it is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Self, CliError> {
        let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("headlamp-frames-{}-{}", std::process::id(), start.as_nanos());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(CliError::io("make", &folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be cleared away now the system will.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
