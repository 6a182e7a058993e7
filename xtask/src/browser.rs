//! Finds Chrome or Chromium on this machine, and the chromedriver of the same version.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::places;

/// A browser and its driver, of the same major version.
#[derive(Clone, Debug)]
pub struct Browser {
    pub program: PathBuf,
    pub driver: PathBuf,
    /// The output of the browser for `--version`: "Chromium 156.0.8078.79 ...".
    pub version: String,
}

/// No browser has a driver. The message lists the browsers and drivers of this machine.
#[derive(Debug)]
pub struct NoBrowser {
    browsers: Vec<(PathBuf, String)>,
    drivers: Vec<(PathBuf, String)>,
}

impl fmt::Display for NoBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |found: &[(PathBuf, String)]| {
            let names = found.iter().map(|(path, version)| format!("{} ({version})", path.display()));
            names.collect::<Vec<_>>().join(", ")
        };
        match (self.browsers.as_slice(), self.drivers.as_slice()) {
            ([], _) => write!(f, "no Chrome or Chromium on PATH or in $CHROME"),
            (browsers, []) => write!(f, "no chromedriver on PATH or in $CHROMEDRIVER for {}", list(browsers)),
            (browsers, drivers) => {
                write!(
                    f,
                    "no chromedriver has the major version of a browser: {}; {}",
                    list(browsers),
                    list(drivers)
                )
            }
        }
    }
}

impl std::error::Error for NoBrowser {}

/// Returns the first browser that has a driver: `$CHROME`, then Google Chrome, then Chromium.
///
/// # Errors If there is no browser, or no browser with a driver of its major version.
pub fn find() -> Result<Browser, NoBrowser> {
    let browsers = found(
        "CHROME",
        &["google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome"],
        &["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
    );
    let drivers = found(
        "CHROMEDRIVER",
        &["chromedriver"],
        &["/usr/lib/chromium/chromedriver", "/usr/lib/chromium-browser/chromedriver"],
    );
    for (program, version) in &browsers {
        let matching = drivers.iter().find(|(_, other)| major(other).is_some() && major(other) == major(version));
        if let Some((driver, _)) = matching {
            return Ok(Browser { program: program.clone(), driver: driver.clone(), version: version.clone() });
        }
    }
    Err(NoBrowser { browsers, drivers })
}

/// Returns the programs that answer `--version`: the one in the environment variable `variable`, then those on PATH,
/// then those of `places`.
fn found(variable: &str, names: &[&str], places: &[&str]) -> Vec<(PathBuf, String)> {
    let named = std::env::var_os(variable).map(PathBuf::from).into_iter();
    let on_path = names.iter().filter_map(|name| places::program(name));
    let elsewhere = places.iter().map(PathBuf::from).filter(|path| path.is_file());
    let candidates = named.chain(on_path).chain(elsewhere);
    candidates.filter_map(|path| version(&path).map(|version| (path, version))).collect()
}

fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let first = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    (output.status.success() && !first.is_empty()).then_some(first)
}

/// Returns the major version, 156 in "Chromium 156.0.8078.79 built on Debian" and in "ChromeDriver 156.0.8078.79 (7ea...)".
fn major(version: &str) -> Option<u32> {
    version.split_whitespace().find_map(|word| word.split_once('.')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn major_version_is_read_from_browser_and_driver() {
        assert_eq!(major("Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)"), Some(156));
        assert_eq!(major("ChromeDriver 156.0.8078.79 (7ea2 refs/branch-heads/8078@{#1})"), Some(156));
        assert_eq!(major("Google Chrome"), None);
    }
}
