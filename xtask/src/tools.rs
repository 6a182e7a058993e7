//! The programs that building and testing need.
//!
//! A program that is already installed is used. A missing program is installed into the cache folder, by the usual
//! package manager. The user's own programs are never replaced.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use xtask::browser::{self, Browser};
use xtask::places;

use xtask::steps::{answer, run, skip, step};

/// The compilation target of the page and the worker.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// The newest stable Trunk that the project's Rust version can compile.
const TRUNK: &str = "0.21.14";
/// The oldest wasm-opt that can read the output of the project's Rust version.
const OLDEST_WASM_OPT: u32 = 119;
/// The npm package that contains wasm-opt.
const BINARYEN: &str = "binaryen@132.0.0";
/// The npm package that checks our package's JavaScript against its TypeScript types.
const TYPESCRIPT: &str = "typescript@5.9.3";
/// The npm package that checks the page for accessibility.
const AXE: &str = "axe-core@4.11.0";

/// Returns a command that runs in the checkout, finds the cache's tools, and builds into the shared target folder.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(places::checkout())
        .env("PATH", places::search_path())
        .env("CARGO_TARGET_DIR", places::target())
        .env("HEADLAMP_CACHE", places::cache());
    command
}

/// Returns [`command`] for cargo.
pub fn cargo() -> Command {
    command("cargo")
}

/// Installs everything that building `dist/` needs.
pub fn for_page() -> anyhow::Result<()> {
    prepare_target_folder()?;
    wasm_target()?;
    wasm_bindgen()?;
    trunk()?;
    wasm_opt()?;
    // Trunk runs without the network, so that it cannot download other versions of the tools.
    step("fetching the libraries", || run(cargo().args(["fetch", "--quiet", "--locked"])))
}

/// Makes cargo compile this checkout again if another checkout was the last to use the target folder.
///
/// Cargo compares only the times of the source files. Without new times it would reuse the other checkout's programs.
pub fn prepare_target_folder() -> anyhow::Result<()> {
    let checkout = places::checkout();
    let stamp = places::target().join("checkout");
    let name = checkout.display().to_string();
    if std::fs::read_to_string(&stamp).is_ok_and(|last| last.trim() == name) {
        return Ok(());
    }
    for folder in ["src", "tests", "benches", "xtask"] {
        touch_sources(&checkout.join(folder))?;
    }
    std::fs::create_dir_all(places::target())?;
    std::fs::write(&stamp, name).with_context(|| format!("cannot write {}", stamp.display()))
}

fn touch_sources(folder: &Path) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let now = std::time::SystemTime::now();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            touch_sources(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = std::fs::File::options().append(true).open(&path);
            file.and_then(|file| file.set_modified(now))
                .with_context(|| format!("cannot touch {}", path.display()))?;
        }
    }
    Ok(())
}

/// Installs rustfmt and clippy.
pub fn lints() -> anyhow::Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if answer(command("cargo").args([subcommand, "--version"])).is_some() {
            skip(component, "already installed");
            continue;
        }
        with_rustup(component)?;
        step(&format!("adding {component}"), || run(command("rustup").args(["component", "add", component])))?;
    }
    Ok(())
}

pub fn wasm_target() -> anyhow::Result<()> {
    let library = answer(command("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    if library.is_some_and(|folder| Path::new(&folder).is_dir()) {
        skip(TARGET, "already installed");
        return Ok(());
    }
    with_rustup(&format!("the {TARGET} target"))?;
    step("adding the wasm target", || run(command("rustup").args(["target", "add", TARGET])))
}

/// Fails if there is no rustup to add `what` with.
fn with_rustup(what: &str) -> anyhow::Result<()> {
    if places::program("rustup").is_none() {
        bail!("this Rust lacks {what}, and there is no rustup to add it: install your system's package");
    }
    Ok(())
}

/// Installs wasm-bindgen's tool in exactly the version of the library. Other versions write JavaScript that does not
/// match the wasm.
fn wasm_bindgen() -> anyhow::Result<()> {
    let version = locked_version("wasm-bindgen")?;
    let is_right = |program: &str| {
        let said = answer(command(program).arg("--version"));
        said.is_some_and(|said| said.split_whitespace().nth(1) == Some(&version))
    };
    if is_right("wasm-bindgen") && is_right("wasm-bindgen-test-runner") {
        skip("wasm-bindgen", &format!("{version} is already here"));
        return Ok(());
    }
    // `--locked` is not possible: the lock file of this tool names a version that the registry no longer has.
    step(&format!("installing wasm-bindgen {version} (about 3 minutes)"), || {
        install("wasm-bindgen-cli", &version, &[])
    })
}

fn trunk() -> anyhow::Result<()> {
    let said = answer(command("trunk").arg("--version")).unwrap_or_default();
    if said.starts_with("trunk 0.21.") {
        skip("Trunk", &format!("{} is already here", said.trim_start_matches("trunk ")));
        return Ok(());
    }
    step(&format!("installing Trunk {TRUNK} (about 4 minutes)"), || {
        // The default features are not needed: they check for updates and serve HTTPS.
        let options = ["--no-default-features", "--locked"];
        install("trunk", TRUNK, &options).or_else(|_yanked| install("trunk", TRUNK, &options[..1]))
    })
}

/// Compiles a program from the registry into the cache.
fn install(name: &str, version: &str, options: &[&str]) -> anyhow::Result<()> {
    let mut cargo = cargo();
    cargo.args(["install", name, "--version", version, "--force", "--root"]).arg(places::cache().join("tools"));
    // The tools run only for seconds, so a fast compilation matters more than a fast program.
    cargo.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")]);
    run(cargo.args(options).env("CARGO_TARGET_DIR", places::cache().join("tools/target")))?;
    let _kept = std::fs::remove_dir_all(places::cache().join("tools/target"));
    Ok(())
}

fn wasm_opt() -> anyhow::Result<()> {
    // "wasm-opt version 132 (version_132)"
    let said = answer(command("wasm-opt").arg("--version")).unwrap_or_default();
    let version = said.split_whitespace().find_map(|word| word.parse::<u32>().ok());
    if let Some(version) = version.filter(|version| *version >= OLDEST_WASM_OPT) {
        skip("wasm-opt", &format!("{version} is already here"));
        return Ok(());
    }
    with_npm(&format!("wasm-opt {OLDEST_WASM_OPT} or newer"))?;
    step("installing wasm-opt", || npm_install(&places::cache().join("npm"), BINARYEN))
}

/// Installs axe-core for the browser tests.
pub fn axe() -> anyhow::Result<()> {
    if places::axe().is_file() {
        skip("axe-core", "already installed");
        return Ok(());
    }
    with_npm("axe-core")?;
    step("installing axe-core", || npm_install(&places::cache().join("npm"), AXE))
}

/// Installs TypeScript, which checks the npm package.
pub fn typescript() -> anyhow::Result<()> {
    if places::program("tsc").is_some() {
        skip("TypeScript", "already installed");
        return Ok(());
    }
    with_npm("TypeScript")?;
    step("installing TypeScript", || npm_install(&places::cache().join("npm"), TYPESCRIPT))
}

/// Fails if there is no npm to install `what` with.
pub fn with_npm(what: &str) -> anyhow::Result<()> {
    if places::program("npm").is_none() {
        bail!("{what} is missing, and there is no npm to install it: `{}`", apt("npm"));
    }
    Ok(())
}

pub fn npm_install(folder: &Path, package: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    run(command("npm").arg("install").arg("--prefix").arg(folder).args(["--no-audit", "--no-fund", package]))
}

/// Returns a browser to test with: the user's own browser or, if there is none, Debian's. Installs Debian's browser if
/// this process may do so.
pub fn chromium() -> anyhow::Result<Browser> {
    let missing = match browser::find() {
        Ok(browser) => {
            skip("browser", &browser.version);
            return Ok(browser);
        }
        Err(missing) => missing,
    };
    if places::program("apt-get").is_none() {
        bail!("{missing}. Install Chrome and its chromedriver, or name them in $CHROME and $CHROMEDRIVER");
    }
    if !is_root() {
        bail!("{missing}. Install them with `{}`", apt("chromium chromium-driver"));
    }
    step("installing Chromium", || apt_install(&["chromium", "chromium-driver"]))?;
    Ok(browser::find()?)
}

/// Installs a Vulkan driver for the tests of the shaders, unless the machine has one. The driver is Debian's software
/// driver. Systems other than Linux have their own interface to the GPU.
pub fn vulkan() -> anyhow::Result<()> {
    const PACKAGES: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];
    let has_driver = || {
        let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
        let holds_any = |folder: &&str| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
        std::env::var_os("VK_DRIVER_FILES").is_some() || folders.iter().any(holds_any)
    };
    if !cfg!(target_os = "linux") || has_driver() {
        skip("Vulkan", "already installed");
        return Ok(());
    }
    if places::program("apt-get").is_none() || !is_root() {
        bail!(
            "the tests of the shaders need a Vulkan driver; install one in software: `{}`",
            apt(&PACKAGES.join(" "))
        );
    }
    step("installing Vulkan in software", || apt_install(&PACKAGES))
}

/// Installs ffmpeg for the tests that cut a video file into frames, unless the machine has one.
pub fn ffmpeg() -> anyhow::Result<()> {
    if places::program("ffmpeg").is_some() {
        skip("ffmpeg", "already installed");
        return Ok(());
    }
    if places::program("apt-get").is_none() || !is_root() {
        bail!("the tests of the command-line tool cut videos with ffmpeg, which is missing: `{}`", apt("ffmpeg"));
    }
    step("installing ffmpeg", || apt_install(&["ffmpeg"]))
}

fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let get = |words: &[&str]| run(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(words));
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // The first try fails if the list of packages is empty or old.
    get(&install).or_else(|_old_list| get(&["update"]).and_then(|()| get(&install)))
}

/// Fails if there is no Node.js.
pub fn node() -> anyhow::Result<()> {
    if places::program("node").is_none() {
        bail!("the wasm tests run in Node.js, which is missing: `{}`", apt("nodejs"));
    }
    Ok(())
}

/// Returns a Python with pip, which downloads the models.
pub fn python() -> anyhow::Result<&'static str> {
    let works = |name: &&str| answer(command(name).args(["-m", "pip", "--version"])).is_some();
    let found = ["python3", "python"].into_iter().find(works);
    found
        .with_context(|| format!("the models are downloaded with pip, which is missing: `{}`", apt("python3-pip")))
}

/// Returns the command that installs `packages` on Debian.
fn apt(packages: &str) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install {packages}")
}

fn is_root() -> bool {
    answer(Command::new("id").arg("-u")).as_deref() == Some("0")
}

fn locked_version(package: &str) -> anyhow::Result<String> {
    let path = places::checkout().join("Cargo.lock");
    let lock = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    version_in(&lock, package).with_context(|| format!("{} has no {package}", path.display()))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn a_locked_version_is_found_by_the_whole_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "wasm"), None);
    }
}
