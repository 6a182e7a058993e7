//! Builds the page and the worker into `dist/`, and serves them.
//!
//! There is one build: `serve`, the browser tests, the benchmarks and `build` all make the same programs. `build` adds
//! the default pack and the compressed files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use xtask::npm;
use xtask::places;
use xtask::site::Site;

use crate::tools::{self, TARGET, command};
use crate::{assets, hosted};
use xtask::steps::{run, skip, step};

/// Builds `dist/` without packs. The page may fetch models from its own server and from `hosts`.
pub fn build(hosts: &[String]) -> anyhow::Result<()> {
    tools::for_page()?;
    if !places::target().join(TARGET).is_dir() {
        println!("(The first build takes about 20 minutes on two cores.)");
    }
    step("compiling the page and the worker", || {
        // Trunk.toml and index.html say what to build. All tools are installed, so Trunk needs no network.
        run(command("trunk").args(["build", "--offline", "--dist"]).arg(places::dist()).env_remove("NO_COLOR"))
    })?;
    for wasm in wasm_files(&places::dist())? {
        optimise(&wasm)?;
    }
    hosted::finish(hosts)
}

/// Builds `dist/` for this machine: models may also come from a hub at localhost, as in the tests.
pub fn build_for_this_machine() -> anyhow::Result<()> {
    let hosts = [&hosted::MODEL_HOSTS[..], &["http://localhost:*"]].concat();
    build(&hosts.into_iter().map(str::to_owned).collect::<Vec<_>>())
}

/// Builds a `dist/` that is complete for a web server, and the npm package if `with_package` is set.
///
/// The page may fetch models from `hosts`, or from the usual hub if `hosts` is empty.
pub fn build_for_hosting(hosts: &[String], with_package: bool) -> anyhow::Result<()> {
    let usual = hosted::MODEL_HOSTS.map(str::to_owned);
    build(if hosts.is_empty() { &usual } else { hosts })?;
    if with_package {
        step("making the npm package", || npm::package(&places::dist(), &places::package()))?;
    }
    assets::default_pack(assets::Tool::Alone)?;
    step("adding the default pack", || {
        copy_files(&places::packs().join("default"), &places::dist().join("packs/default"))
    })?;
    step("compressing the files", || hosted::compress(&places::dist()))?;
    println!("The folder to put on a web server: {}", places::dist().display());
    if with_package {
        println!("The folder for `npm pack` or `npm publish`: {}", places::package().display());
    }
    Ok(())
}

/// Copies the files of the folder `from` into the folder `to`. Removes the previous content of `to`.
pub fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    let _none = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let file = entry?.path();
        let target = to.join(file.file_name().unwrap_or_default());
        std::fs::copy(&file, &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

/// Builds the page and serves it until the process ends. The default model is `model`, with statistics over `gallery`.
pub fn serve(port: u16, model: Option<String>, gallery: Option<PathBuf>) -> anyhow::Result<()> {
    build_for_this_machine()?;
    let pack = match model.map(|model| assets::served_model(model, gallery)).transpose()?.flatten() {
        Some(pack) => pack,
        None => {
            assets::default_pack(assets::Tool::Alone)?;
            places::packs().join("default")
        }
    };
    let site = Site::new(places::dist()).mount("packs/default", pack);
    let serving = site.serve(port).with_context(|| {
        format!("another port may be free: `cargo xtask serve --port {}`", port.wrapping_add(1).max(1024))
    })?;
    println!("\nheadlamp is at {}\n(Ctrl-C stops it)", serving.url());
    serving.forever();
    Ok(())
}

/// Returns the WebAssembly files of a folder, sorted by name.
fn wasm_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("there is no {}", folder.display()))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|name| name == "wasm")).collect();
    if files.is_empty() {
        bail!("there is no wasm in {}", folder.display());
    }
    files.sort();
    Ok(files)
}

/// The options of wasm-opt. `-Oz` takes four times as long as `-O1`, and its result is larger once it is compressed. The
/// features are those that Rust uses by default, and SIMD.
const WASM_OPT: [&str; 9] = [
    "-O1",
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Replaces a program with a smaller one. The result is stored, because wasm-opt takes about a minute and most builds
/// do not change both programs.
fn optimise(wasm: &Path) -> anyhow::Result<()> {
    let name = wasm.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let program = std::fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let hash = Sha256::new().chain_update(WASM_OPT.join(" ")).chain_update(&program);
    let kept = places::target().join("wasm-opt");
    let (small, stamp, hash) = (kept.join(&name), kept.join(format!("{name}.of")), hosted::short(hash));
    let what = format!("wasm-opt on {name}");
    if small.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|of| of == hash) {
        skip(&what, "already done for this program");
    } else {
        std::fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
        let _none = std::fs::remove_file(&stamp);
        step(&what, || run(command("wasm-opt").args(WASM_OPT).arg(wasm).arg("-o").arg(&small)))?;
        std::fs::write(&stamp, hash).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    let after = std::fs::copy(&small, wasm).with_context(|| format!("cannot replace {name}"))?;
    skip(&name, &format!("{:.2} MB became {:.2} MB", program.len() as f64 / 1e6, after as f64 / 1e6));
    Ok(())
}
