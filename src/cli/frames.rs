//! The frames of a video: a folder of pictures, or a file that `ffmpeg` cuts into pictures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::CliError;
use super::terminal_progress::TerminalProgress;
use super::{output, pictures};
use crate::text::natural_order;

/// The frames of a video, in order.
pub struct Frames {
    pub paths: Vec<PathBuf>,
    /// Frames per second; `None` for a folder if the user did not give the rate.
    pub rate: Option<f64>,
    /// Holds the frames of a video file, and removes them when dropped.
    _folder: Option<TemporaryFolder>,
}

impl Frames {
    /// Lists the pictures of a folder in natural order (`f2` before `f10`), or cuts a video file into `rate` frames
    /// per second.
    ///
    /// # Errors
    /// [`CliError::NoPictures`], [`CliError::NoFfmpeg`]; [`CliError::Data`] if ffmpeg cannot read the file.
    pub fn open(source: &Path, rate: Option<f64>, default_rate: f64) -> Result<Self, CliError> {
        if source.is_dir() {
            let mut paths = pictures::in_folder(source)?;
            paths.sort_by(|a, b| natural_order::compare(&a.to_string_lossy(), &b.to_string_lossy()));
            return Ok(Self { paths, rate, _folder: None });
        }
        std::fs::metadata(source).map_err(CliError::io("read", source))?;
        let rate = rate.unwrap_or(default_rate);
        let folder = TemporaryFolder::new()?;
        let _spinner = TerminalProgress::spinner("cutting the video into frames");
        let mut input = std::ffi::OsString::from("file:");
        input.push(source);
        let mut ffmpeg = ffmpeg();
        ffmpeg.arg("-i").arg(input).arg("-vf").arg(format!("fps={rate}")).arg(folder.0.join("%06d.png"));
        run(&mut ffmpeg).map_err(|failure| match failure {
            FfmpegFailure::NotInstalled => CliError::NoFfmpeg(source.to_owned()),
            FfmpegFailure::Message(message) => {
                CliError::data(source, format!("ffmpeg cannot read it as a video ({message})"))
            }
        })?;
        let paths = pictures::in_folder(&folder.0).map_err(|_empty| CliError::NoPictures(source.to_owned()))?;
        Ok(Self { paths, rate: Some(rate), _folder: Some(folder) })
    }

    /// Returns the file name of a frame without its extension.
    pub fn name(&self, frame: usize) -> String {
        self.paths[frame].file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns the seconds from the start of the video to a frame.
    pub fn seconds(&self, frame: usize) -> Option<f64> {
        self.rate.map(|rate| frame as f64 / rate)
    }
}

/// Parses a number of frames per second.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|err| err.to_string())?;
    if rate > 0.0 && rate <= 1000.0 { Ok(rate) } else { Err("not between 0 and 1000".to_owned()) }
}

/// Makes a video of the pictures `%06d.png` in `folder`. Returns whether ffmpeg succeeded.
pub fn write_video(folder: &Path, rate: f64, out: &Path) -> bool {
    let mut ffmpeg = ffmpeg();
    ffmpeg.arg("-framerate").arg(rate.to_string()).arg("-i").arg(folder.join("%06d.png"));
    // Most players need even sides and this pixel format.
    ffmpeg.args(["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p"]).arg(out);
    run(&mut ffmpeg).is_ok()
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]).stdin(Stdio::null());
    command
}

enum FfmpegFailure {
    NotInstalled,
    /// The last line that ffmpeg wrote to stderr.
    Message(String),
}

fn run(command: &mut Command) -> Result<(), FfmpegFailure> {
    let output = command.output().map_err(|_missing| FfmpegFailure::NotInstalled)?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(FfmpegFailure::Message(stderr.lines().next_back().unwrap_or("no message").to_owned()))
}

/// A folder that is removed when dropped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, CliError> {
        let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("headlamp-frames-{}-{}", std::process::id(), start.as_nanos());
        let folder = std::env::temp_dir().join(name);
        output::make_folder(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // If removal fails, the system clears its temporary folder later.
        let _result = std::fs::remove_dir_all(&self.0);
    }
}
