//! The programs that building and testing need. Each is used where it is already there, and otherwise
//! installed through its ordinary client into the cache, never over what the user has.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use xtask::browser::{self, Browser};
use xtask::places;

use crate::steps::{answer, run, skip, step};

/// What browsers run.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// The newest that the project's Rust version can build.
const TRUNK: &str = "0.21.14";
/// The oldest wasm-opt that reads what today's Rust writes, and the package to install where there is none.
const OLDEST_WASM_OPT: u32 = 119;
const BINARYEN: &str = "binaryen@132.0.0";
/// Takes the page apart: what goes with Leptos's `wasm_split_helpers`.
const WASM_SPLIT: (&str, &str) = ("wasm_split_cli_support", "0.2.4");
/// What `bench` compares with, and what writes the models for it.
const ONNX_RUNTIME_WEB: &str = "onnxruntime-web@1.30.0";
const ONNX_TOOLS: [&str; 5] = ["numpy", "onnx", "onnxruntime", "safetensors", "sympy"];
/// Holds the npm package's client against its types.
const TYPESCRIPT: &str = "typescript@5.9.3";
/// Checks pages for what keeps people out.
const AXE: &str = "axe-core@4.11.0";

/// A command that runs in the checkout, sees the cache's tools, and builds into the shared target folder.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(places::checkout())
        .env("PATH", places::search_path())
        .env("CARGO_TARGET_DIR", places::target())
        .env("HEADLAMP_CACHE", places::cache());
    command
}

pub fn cargo() -> Command {
    command("cargo")
}

/// Everything that `trunk build` needs.
pub fn for_page() -> anyhow::Result<()> {
    prepare_target_folder()?;
    wasm_target()?;
    wasm_bindgen()?;
    trunk()?;
    // Trunk builds without the network, lest it downloads tools of its own.
    step("fetching the libraries", || run(cargo().args(["fetch", "--quiet", "--locked"])))
}

/// Cargo tells checkouts that share a target folder apart by nothing but the times of their files: after
/// another checkout was built, it would take that one's programs for ours. So new times say "build again".
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

fn wasm_target() -> anyhow::Result<()> {
    let library = answer(command("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    if library.is_some_and(|folder| Path::new(&folder).is_dir()) {
        skip(TARGET, "already installed");
        return Ok(());
    }
    if places::program("rustup").is_none() {
        bail!(
            "this Rust has no {TARGET} target, and there is no rustup to add it: install your system's package for it"
        );
    }
    step("adding the wasm target", || run(command("rustup").args(["target", "add", TARGET])))
}

/// The tool must be of exactly the library's version, or the page and its glue disagree.
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
    // Not `--locked`: one of the versions that it locks is no longer to be had.
    step(&format!("installing wasm-bindgen {version} (some 3 minutes)"), || {
        install("wasm-bindgen-cli", &version, &[])
    })
}

fn trunk() -> anyhow::Result<()> {
    let said = answer(command("trunk").arg("--version")).unwrap_or_default();
    if said.starts_with("trunk 0.21.") {
        skip("Trunk", &format!("{} is already here", said.trim_start_matches("trunk ")));
        return Ok(());
    }
    step(&format!("installing Trunk {TRUNK} (some 10 minutes)"), || {
        install("trunk", TRUNK, &["--locked"]).or_else(|_not_served| install("trunk", TRUNK, &[]))
    })
}

fn install(name: &str, version: &str, options: &[&str]) -> anyhow::Result<()> {
    let mut cargo = cargo();
    cargo.args(["install", name, "--version", version, "--force", "--root"]).arg(places::cache().join("tools"));
    // These run for seconds at a time: not worth waiting for the linker's last per cent.
    cargo.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")]);
    run(cargo.args(options).env("CARGO_TARGET_DIR", places::cache().join("tools/target")))?;
    let _kept = std::fs::remove_dir_all(places::cache().join("tools/target"));
    Ok(())
}

pub fn wasm_opt() -> anyhow::Result<()> {
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

/// Puts parts of a program into files of their own.
pub fn wasm_split() -> anyhow::Result<()> {
    let (package, version) = WASM_SPLIT;
    // It does not say of which version it is; cargo's list of what it has installed does.
    let installed = std::fs::read_to_string(places::cache().join("tools/.crates.toml")).unwrap_or_default();
    if installed.contains(&format!("\"{package} {version} ")) {
        skip("wasm-split-cli", &format!("{version} is already here"));
        return Ok(());
    }
    step(&format!("installing wasm-split-cli {version}"), || {
        install(package, version, &["--locked", "--features", "build-binary"])
    })
}

/// axe-core, for the browser tests.
pub fn axe() -> anyhow::Result<()> {
    if places::axe().is_file() {
        skip("axe-core", "already installed");
        return Ok(());
    }
    with_npm("axe-core")?;
    step("installing axe-core", || npm_install(&places::cache().join("npm"), AXE))
}

/// TypeScript, which holds the package's client against its types.
pub fn typescript() -> anyhow::Result<()> {
    if places::program("tsc").is_some() {
        skip("TypeScript", "already installed");
        return Ok(());
    }
    with_npm("TypeScript")?;
    step("installing TypeScript", || npm_install(&places::cache().join("npm"), TYPESCRIPT))
}

/// Fails where `what` is missing and cannot be installed.
fn with_npm(what: &str) -> anyhow::Result<()> {
    if places::program("npm").is_none() {
        bail!("{what} is missing, and there is no npm to install it: `{}`", apt("npm"));
    }
    Ok(())
}

fn npm_install(folder: &Path, package: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    run(command("npm").arg("install").arg("--prefix").arg(folder).args(["--no-audit", "--no-fund", package]))
}

/// What headlamp is measured against, in a folder of the cache: onnxruntime-web, and the default pack as ONNX.
pub fn other_engine() -> anyhow::Result<PathBuf> {
    let folder = places::cache().join("bench");
    std::fs::create_dir_all(&folder)?;
    if folder.join("node_modules/onnxruntime-web").is_dir() {
        skip("onnxruntime-web", "already here");
    } else {
        with_npm("onnxruntime-web")?;
        step("installing onnxruntime-web", || npm_install(&folder, ONNX_RUNTIME_WEB))?;
    }
    crate::assets::default_pack()?;
    let (stamp, pack) = (folder.join("onnx/of"), places::packs().join("default"));
    let manifest = std::fs::read_to_string(pack.join("pack.json"))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|of| of == manifest) {
        skip("the default pack as ONNX", "already here");
        return Ok(folder);
    }
    step("exporting the default pack to ONNX", || {
        run(command(python()?).args(["-m", "venv"]).arg(folder.join("venv")))?;
        let python = bench_python(&folder);
        run(command(&python).args(["-m", "pip", "install", "--quiet"]).args(ONNX_TOOLS))?;
        run(command(&python).arg("benches/export_onnx.py").arg(&pack).arg(folder.join("onnx")))?;
        Ok(std::fs::write(&stamp, &manifest)?)
    })?;
    Ok(folder)
}

/// The Python that has ONNX Runtime, in the benchmarks' folder.
fn bench_python(folder: &Path) -> PathBuf {
    folder.join("venv").join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// A browser to test with: the user's own, or Debian's where this process may install it.
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

/// Vulkan for the tests of the shaders: the machine's own, or Debian's in software where this process may install it.
/// Other systems than Linux bring a GPU's interface along.
pub fn vulkan() -> anyhow::Result<()> {
    const PACKAGES: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];
    let has_driver = || {
        let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
        let holds_any = |folder: &&str| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
        std::env::var_os("VK_DRIVER_FILES").is_some() || folders.iter().any(|folder| holds_any(&folder))
    };
    if !cfg!(target_os = "linux") || has_driver() {
        skip("Vulkan", "as the machine has it");
        return Ok(());
    }
    if places::program("apt-get").is_none() || !is_root() {
        bail!(
            "no Vulkan driver for the tests of the shaders; install one in software: `{}`",
            apt(&PACKAGES.join(" "))
        );
    }
    step("installing Vulkan in software", || apt_install(&PACKAGES))
}

fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let get = |words: &[&str]| run(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(words));
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    // Fails where the list of packages is empty or old.
    get(&install).or_else(|_stale| get(&["update"]).and_then(|()| get(&install)))
}

pub fn node() -> anyhow::Result<()> {
    if places::program("node").is_none() {
        bail!("the wasm tests run in Node.js, which is missing: `{}`", apt("nodejs"));
    }
    Ok(())
}

/// Python with pip, which the models are downloaded with.
pub fn python() -> anyhow::Result<&'static str> {
    let works = |name: &&str| answer(command(name).args(["-m", "pip", "--version"])).is_some();
    let found = ["python3", "python"].into_iter().find(works);
    found
        .with_context(|| format!("the models are downloaded with pip, which is missing: `{}`", apt("python3-pip")))
}

/// The one command that installs `packages`.
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
    fn the_lock_file_is_read_by_the_whole_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "wasm"), None);
    }
}
