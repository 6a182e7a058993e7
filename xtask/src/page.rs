//! Building the page and the worker, and serving them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use xtask::npm;
use xtask::places;
use xtask::site::Site;

use crate::prune::{self, Pruned};
use crate::steps::{run, skip, step};
use crate::tools::{self, TARGET, command};
use crate::{hosted, unused};

/// How the page is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Quick to build, and as quick to run as it can be without link-time optimisation.
    Quick,
    /// Small and fast, for other people's browsers; takes many minutes.
    Deployable,
}

/// Builds `dist/`, without packs. What is deployed fetches models from `hosts`, or where there are none from the usual
/// hub.
pub fn build(finish: Finish, hosts: &[String]) -> anyhow::Result<()> {
    tools::for_page()?;
    if finish == Finish::Deployable {
        tools::wasm_opt()?;
        tools::wasm_split()?;
    }
    if !places::target().join(TARGET).is_dir() {
        println!("(The first build takes some 15 minutes.)");
    }
    step("building the page and the worker", || {
        let mut trunk = command("trunk");
        // The checks that everything is there are done; Trunk needs no network.
        trunk.args(["build", "--offline", "--dist"]).arg(places::dist());
        // So that the folder works at any path of a web server.
        trunk.args(["--public-url", "./"]);
        // wasm-opt changes files after Trunk has taken their hashes.
        trunk.args(match finish {
            Finish::Quick => ["--release"].as_slice(),
            Finish::Deployable => &["--release", "--cargo-profile", "deploy", "--no-sri", "true"],
        });
        if finish == Finish::Deployable {
            trunk.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", TRACEABLE);
        }
        run(trunk.env_remove("NO_COLOR"))
    })?;
    if finish == Finish::Deployable {
        small_page()?;
        small_worker()?;
        for wasm in wasm_files(&places::dist())? {
            optimise(&wasm)?;
        }
    }
    let hosts = match finish {
        Finish::Quick => hosts_of_tests(),
        Finish::Deployable => hosts_or_usual(hosts),
    };
    hosted::finish(&hosts)
}

/// The usual hub, and hubs on this machine: mirrors, and those of the tests.
pub fn hosts_of_tests() -> Vec<String> {
    [&hosted::MODEL_HOSTS[..], &["http://localhost:*"]].concat().into_iter().map(str::to_owned).collect()
}

/// What `prune` needs to know of the worker: names with their types, and what leads to what.
const TRACEABLE: &str = "-C target-feature=+simd128 -C symbol-mangling-version=v0 -C link-arg=--emit-relocs";

/// Takes what is never called out of the worker that Trunk built.
fn small_worker() -> anyhow::Result<()> {
    let built = places::target().join(TARGET).join("deploy/worker.wasm");
    let small = places::target().join(TARGET).join("deploy/small/worker.wasm");
    step("taking what is never called out of the worker", || {
        let program = std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
        let mut has_text = false;
        let pruned = prune::prune(&program, |name| {
            has_text |= unused::is_text(name);
            unused::fate(name)
        });
        let Pruned { wasm, ended, gone } = pruned?;
        if ended == 0 || !has_text {
            bail!("xtask/src/unused.rs does not know this version of Burn: see what it says of kernels");
        }
        std::fs::create_dir_all(small.parent().unwrap_or(&small))?;
        std::fs::write(&small, wasm).with_context(|| format!("cannot write {}", small.display()))?;
        bind("worker", &small, &[])?;
        println!("  {} functions are gone", ended + gone);
        Ok(())
    })
}

/// Puts a program and what binds it to JavaScript into `dist/`.
fn bind(name: &str, wasm: &Path, options: &[&str]) -> anyhow::Result<()> {
    let usual = ["--target", "web", "--no-typescript", "--out-name", name, "--out-dir"];
    run(command("wasm-bindgen").args(options).args(usual).arg(places::dist()).arg(wasm))
}

/// Builds the page again for size, in place of Trunk's: Trunk knows one profile for page and worker, and the worker's
/// is for speed.
fn small_page() -> anyhow::Result<()> {
    const PROFILE: &str = "deploy-page";
    // One code for all views of a kind, instead of one for each type of view: an eighth less to download. And what a
    // visitor does not see first in files of its own (src/app/part.rs): a third.
    const FLAGS: &str = "--cfg erase_components --cfg in_parts -C link-arg=--emit-relocs";
    step("building the page for size", || {
        let features = ["--no-default-features", "--features", "page", "--bin", "page"];
        let mut cargo = tools::cargo();
        cargo.args(["build", "--profile", PROFILE, "--target", TARGET]).args(features);
        run(cargo.env("RUSTFLAGS", FLAGS))
    })?;
    step("taking the page apart", || {
        let built = places::target().join(TARGET).join(PROFILE);
        let (page, parts) = (built.join("page.wasm"), built.join("parts"));
        let _none = std::fs::remove_dir_all(&parts);
        run(command("wasm-split-cli").arg(&page).arg(&parts).args(["--out-name", "page"]))?;
        // The parts call what the page's own file has.
        bind("page", &parts.join("page.wasm"), &["--keep-lld-exports"])?;
        place_parts(&parts, &places::dist())
    })
}

/// Puts the parts beside the page, by names that change with what is in any of them: a page that has been open while
/// another was put on the server must not be given that one's parts.
fn place_parts(parts: &Path, dist: &Path) -> anyhow::Result<()> {
    const LOADER: &str = "__wasm_split.js";
    let mut loader = std::fs::read_to_string(parts.join(LOADER)).context("wasm-split-cli left no loader")?;
    let files = wasm_files(parts)?;
    let mut hash = Sha256::new();
    for file in &files {
        hash.update(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    let build = hosted::short(hash);
    for file in files.iter().filter(|file| !file.ends_with("page.wasm")) {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("page_{stem}-{build}.wasm");
        loader = loader.replace(&format!("{stem}.wasm"), &name);
        std::fs::copy(file, dist.join(&name)).with_context(|| format!("cannot write {name}"))?;
    }
    std::fs::write(dist.join(LOADER), loader).context("cannot write the loader of the page's parts")
}

fn hosts_or_usual(hosts: &[String]) -> Vec<String> {
    if hosts.is_empty() { hosted::MODEL_HOSTS.map(str::to_owned).to_vec() } else { hosts.to_vec() }
}

/// Makes a `dist/` that is all a web server needs, and the npm package where that is wanted.
pub fn build_deployable(hosts: &[String], with_package: bool) -> anyhow::Result<()> {
    build(Finish::Deployable, hosts)?;
    if with_package {
        step("making the npm package", || npm::package(&places::dist(), &places::package()))?;
    }
    crate::assets::default_pack()?;
    let from = places::packs().join("default");
    let to = places::dist().join("packs/default");
    step("adding the default pack", || {
        let _none = std::fs::remove_dir_all(&to);
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let file = entry?.path();
            let target = to.join(file.file_name().unwrap_or_default());
            std::fs::copy(&file, &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok(())
    })?;
    step("compressing", || hosted::compress(&places::dist()))?;
    println!("The folder to put on a web server: {}", places::dist().display());
    if with_package {
        println!("The folder for `npm pack` or `npm publish`: {}", places::package().display());
    }
    Ok(())
}

/// Builds what is missing and serves it.
pub fn serve(port: u16, finish: Finish) -> anyhow::Result<()> {
    build(finish, &[])?;
    crate::assets::default_pack()?;
    let site = Site::new(places::dist()).mount("packs/default", places::packs().join("default"));
    let serving = site.serve(port).with_context(|| {
        format!("another port may be free: `cargo xtask serve --port {}`", port.wrapping_add(1).max(1024))
    })?;
    println!("\nheadlamp is at {}\n(Ctrl-C stops it)", serving.url());
    serving.forever();
    Ok(())
}

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

fn optimise(wasm: &Path) -> anyhow::Result<()> {
    // The parts of WebAssembly that today's Rust uses of its own accord, and our SIMD.
    const FEATURES: [&str; 8] = [
        "--enable-simd",
        "--enable-bulk-memory",
        "--enable-bulk-memory-opt",
        "--enable-nontrapping-float-to-int",
        "--enable-sign-ext",
        "--enable-mutable-globals",
        "--enable-reference-types",
        "--enable-multivalue",
    ];
    let name = wasm.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let megabytes = |path: &Path| path.metadata().map_or(0.0, |data| data.len() as f64 / 1e6);
    let before = megabytes(wasm);
    let small = wasm.with_extension("small");
    step(&format!("wasm-opt on {name}"), || {
        run(command("wasm-opt").arg("-Oz").args(FEATURES).arg(wasm).arg("-o").arg(&small))?;
        std::fs::rename(&small, wasm).with_context(|| format!("cannot replace {name}"))
    })?;
    skip(&name, &format!("{before:.2} MB became {:.2} MB", megabytes(wasm)));
    Ok(())
}
