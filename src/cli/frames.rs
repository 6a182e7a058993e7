//! The frames of a video: a folder of pictures, or a file that `ffmpeg` cuts into pictures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::CliError;
use super::terminal_progress::TerminalProgress;
use super::{output, pictures};
use crate::text::natural_order;

/// The frames of a video, in order.
pub struct Frames {
    pub paths: Vec<PathBuf>,
    /// The name of each frame, different for each: the file name without its extension, or the whole file name if
    /// several files differ only in the extension.
    names: Vec<String>,
    /// Frames per second; `None` for a folder if the user did not give the rate.
    pub rate: Option<f64>,
    /// Holds the frames of a video file, and removes them when dropped.
    _folder: Option<TemporaryFolder>,
}

impl Frames {
    /// Lists the pictures of a folder in natural order (`f2` before `f10`), or cuts a video file into `rate` frames
    /// per second. Frame i of a file is the frame that a player shows i / `rate` seconds after the start.
    ///
    /// # Errors
    /// [`CliError::NoPictures`], [`CliError::NoFfmpeg`]; [`CliError::Data`] if ffmpeg cannot read the file.
    pub fn open(source: &Path, rate: Option<f64>, default_rate: f64) -> Result<Self, CliError> {
        if source.is_dir() {
            let mut paths = pictures::in_folder(source)?;
            paths.sort_by(|a, b| natural_order::compare(&a.to_string_lossy(), &b.to_string_lossy()));
            return Ok(Self { names: names(&paths), paths, rate, _folder: None });
        }
        std::fs::metadata(source).map_err(CliError::io("read", source))?;
        let rate = rate.unwrap_or(default_rate);
        let folder = TemporaryFolder::new()?;
        let _spinner = TerminalProgress::spinner("cutting the video into frames");
        let mut input = std::ffi::OsString::from("file:");
        input.push(source);
        let mut ffmpeg = ffmpeg();
        // By default ffmpeg rounds the time of a frame to the nearest moment of the output, so that a frame from
        // 0.24 s would stand for 0.0 s. Rounded up, each moment gets the last frame that began before it.
        let filter = format!("fps={rate}:round=up:start_time=0");
        ffmpeg.arg("-i").arg(input).arg("-vf").arg(filter).arg(folder.0.join("%06d.png"));
        run(&mut ffmpeg).map_err(|failure| match failure {
            FfmpegFailure::NotInstalled => CliError::NoFfmpeg(source.to_owned()),
            FfmpegFailure::Message(message) => {
                CliError::data(source, format!("ffmpeg cannot read it as a video ({message})"))
            }
        })?;
        let paths = pictures::in_folder(&folder.0).map_err(|_empty| CliError::NoPictures(source.to_owned()))?;
        Ok(Self { names: names(&paths), paths, rate: Some(rate), _folder: Some(folder) })
    }

    /// Returns the name of a frame.
    pub fn name(&self, frame: usize) -> &str {
        &self.names[frame]
    }

    /// Returns the seconds from the start of the video to a frame.
    pub fn seconds(&self, frame: usize) -> Option<f64> {
        self.rate.map(|rate| frame as f64 / rate)
    }
}

/// Returns a different name for each file of a folder.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let text = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    // Some file systems do not distinguish upper and lower case.
    let stem_of = |path: &PathBuf| text(path.file_stem()).to_lowercase();
    let mut files_with = HashMap::new();
    paths.iter().for_each(|path| *files_with.entry(stem_of(path)).or_insert(0) += 1);
    let name = |path: &PathBuf| {
        let is_alone = files_with.get(&stem_of(path)) == Some(&1);
        text(if is_alone { path.file_stem() } else { path.file_name() })
    };
    paths.iter().map(name).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_in_the_extension_keep_it() {
        let paths = ["a/1.png", "a/1.jpg", "a/2.png", "a/B.png", "a/b.jpg"].map(PathBuf::from);
        assert_eq!(names(&paths), ["1.png", "1.jpg", "2", "B.png", "b.jpg"]);
    }

    /// Reads the number that a frame of the clip shows: eight bars, white for 1.
    fn number_in(path: &Path) -> usize {
        let photo = pictures::read_guarded(path).unwrap();
        let is_white = |bar: usize| {
            let (x, y) = ((2 * bar + 1) * photo.size.width / 16, photo.size.height / 4);
            photo.rgb[(y * photo.size.width + x) * 3] > 127
        };
        (0..8).fold(0, |number, bar| number << 1 | usize::from(is_white(bar)))
    }

    #[test]
    fn a_file_is_cut_into_the_frames_that_a_player_shows() {
        if Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("HEADLAMP_NEEDS_FFMPEG").is_none(), "ffmpeg is not on the PATH");
            println!("skipped: ffmpeg is not on the PATH");
            return;
        }
        let clips = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/video");
        // Ten frames a second; and frames that become ever shorter apart (frame N begins at N + N^2 / 20 thirtieths).
        for (clip, rate, expected) in [
            ("faststart.mp4", 2.0, [0, 5, 10, 15, 20].as_slice()),
            ("faststart.mp4", 3.0, &[0, 3, 6, 10, 13]),
            ("vfr.mp4", 2.0, &[0, 10, 16, 21, 26]),
        ] {
            let frames = Frames::open(&clips.join(clip), Some(rate), 1.0).unwrap();
            let numbers: Vec<usize> = frames.paths.iter().take(5).map(|path| number_in(path)).collect();
            assert_eq!(numbers, expected, "{clip} at {rate} frames per second");
            assert_eq!(frames.seconds(3), Some(3.0 / rate));
        }
    }
}
