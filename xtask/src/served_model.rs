//! The model that `cargo xtask serve --model` serves as the page's default: a pack with statistics and a pool of texts. It
//! is made once, and stays in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::steps::{run, skip, step};

const MANIFEST: &str = "pack.json";
const POOL: &str = "pool.txt";

/// The exit status of `headlamp` if a server cannot be reached.
const UNREACHABLE: i32 = 3;

/// The model to serve.
pub struct ServedModel {
    /// `hf:ORGANISATION/NAME`, a pack (folder or file), or a checkpoint.
    pub model: String,
    /// The folder of pictures for the head statistics.
    pub gallery: Option<PathBuf>,
    /// The file of texts for a model that has none.
    pub pool: PathBuf,
}

/// Where packs are made, and with what.
pub struct Workshop<'a> {
    /// The folder for everything that is made.
    pub folder: PathBuf,
    /// Changes whenever the code that writes packs changes.
    pub code: String,
    /// Returns the command-line tool without arguments.
    pub tool: &'a dyn Fn() -> anyhow::Result<Command>,
}

impl ServedModel {
    /// Makes the pack, unless it was made before. Returns its folder, or `None` if the hub cannot be reached.
    ///
    /// # Errors
    /// If a file is missing, or the tool refuses the model, the pool or the gallery.
    pub fn prepare(&self, workshop: &Workshop<'_>) -> anyhow::Result<Option<PathBuf>> {
        std::fs::create_dir_all(&workshop.folder)
            .with_context(|| format!("cannot make {}", workshop.folder.display()))?;
        let model = workshop.key("model", &[&self.identity()?]);
        let Some(base) =
            workshop.pack(&model, "reading the model", |tool| tool.args(["pack", "from", &self.model]))?
        else {
            return Ok(None);
        };
        let manifest = std::fs::read(base.join(MANIFEST)).context("the pack of the model has no manifest")?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let pool = Some(&self.pool).filter(|_file| wants_pool(&manifest));
        let statistics = match &self.gallery {
            Some(gallery) => Some(workshop.statistics(&manifest, &base, gallery)?),
            None => None,
        };
        let added = [("--pool", pool), ("--statistics", statistics.as_ref())];
        let added: Vec<(&str, &PathBuf)> =
            added.into_iter().filter_map(|(option, file)| Some((option, file?))).collect();
        if added.is_empty() {
            return Ok(Some(base));
        }
        let contents = added.iter().map(|(option, file)| Ok(format!("{option} {}", hash_of(file)?)));
        let contents = contents.collect::<anyhow::Result<Vec<String>>>()?;
        let key = workshop.key("labelled", &[&model, &contents.join(" ")]);
        workshop.pack(&key, "adding texts and statistics", |tool| {
            tool.args(["pack", "from"]).arg(&base);
            for (option, file) in &added {
                tool.arg(option).arg(file);
            }
            tool
        })
    }

    /// Returns a text that changes whenever the model changes.
    fn identity(&self) -> anyhow::Result<String> {
        if self.model.starts_with("hf:") {
            let hub = std::env::var("HEADLAMP_HUB").unwrap_or_default();
            return Ok(format!("{} {hub}", self.model));
        }
        let path = Path::new(&self.model);
        if !path.exists() {
            bail!(
                "there is no model at {}: give hf:ORGANISATION/NAME, a pack or a file of weights",
                path.display()
            );
        }
        // The config beside the weights belongs to the model.
        let beside = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let beside = if beside.as_os_str().is_empty() { Path::new(".") } else { beside };
        let configs = listing(beside)?.into_iter().filter(|line| path.is_dir() || line.contains(".json"));
        Ok(std::iter::once(line_of(path)?).chain(configs).collect::<Vec<_>>().join("\n"))
    }
}

/// Returns whether a model has a text tower but no pool of texts.
fn wants_pool(manifest: &Value) -> bool {
    let files = manifest["files"].as_array();
    let has_pool = files.is_some_and(|files| files.iter().any(|file| file["path"] == POOL));
    manifest["model"]["text"].is_object() && !has_pool
}

impl Workshop<'_> {
    /// Returns a short name for something that is made from `parts`.
    fn key(&self, what: &str, parts: &[&str]) -> String {
        let mut hash = Sha256::new().chain_update(&self.code);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        format!("{what}-{}", &hex(hash)[..16])
    }

    /// Makes a pack with the tool, unless the pack exists. Returns its folder, or `None` if a server cannot be reached.
    fn pack(
        &self,
        key: &str,
        what: &str,
        arguments: impl FnOnce(&mut Command) -> &mut Command,
    ) -> anyhow::Result<Option<PathBuf>> {
        let (folder, unfinished) = (self.folder.join(key), self.folder.join(format!("{key}.unfinished")));
        if folder.join(MANIFEST).is_file() {
            skip(what, &format!("already in {}", folder.display()));
            return Ok(Some(folder));
        }
        let _none = std::fs::remove_dir_all(&unfinished);
        let mut tool = (self.tool)()?;
        arguments(&mut tool).arg("--out").arg(&unfinished);
        let is_reached = step(what, || {
            let status = tool.status().context("cannot start the command-line tool")?;
            match status.code() {
                Some(0) => Ok(true),
                Some(UNREACHABLE) => Ok(false),
                _ => bail!("the command-line tool ended with {status}"),
            }
        })?;
        if !is_reached {
            return Ok(None);
        }
        std::fs::rename(&unfinished, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
        Ok(Some(folder))
    }

    /// Gathers the head statistics of a pack over a gallery, unless this was done before. Returns their file.
    fn statistics(&self, manifest: &Value, pack: &Path, gallery: &Path) -> anyhow::Result<PathBuf> {
        // The manifest has the hash of the weights, and the settings that the statistics depend on.
        let key = self.key("statistics", &[&manifest.to_string(), &listing(gallery)?.join("\n")]);
        let file = self.folder.join(format!("{key}.safetensors"));
        let what = "gathering head statistics";
        if file.is_file() {
            skip(what, &format!("already in {}", file.display()));
            return Ok(file);
        }
        let mut tool = (self.tool)()?;
        tool.arg("stats").arg(gallery).arg("--pack").arg(pack).arg("--out").arg(&file);
        step(what, || run(&mut tool))?;
        Ok(file)
    }
}

/// Returns a line for each file in a folder and below: its path, size and time.
fn listing(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut lines = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { lines.extend(listing(&path)?) } else { lines.push(line_of(&path)?) }
    }
    lines.sort();
    Ok(lines)
}

fn line_of(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("cannot read {}", path.display());
    let data = path.metadata().with_context(unreadable)?;
    let changed = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let path = path.canonicalize().with_context(unreadable)?;
    Ok(format!("{} {} {}", path.display(), data.len(), changed.as_nanos()))
}

fn hash_of(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(hex(Sha256::new().chain_update(bytes)))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_model_with_texts_and_without_a_pool_gets_one() {
        let with = |text: Value, files: Value| json!({ "model": { "text": text }, "files": files });
        let (pool, weights) = (json!([{ "path": POOL }]), json!([{ "path": "weights.safetensors" }]));
        assert!(wants_pool(&with(json!({ "width": 8 }), weights.clone())));
        assert!(!wants_pool(&with(json!({ "width": 8 }), pool)));
        assert!(!wants_pool(&with(Value::Null, weights)));
    }
}
