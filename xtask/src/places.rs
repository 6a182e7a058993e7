//! The folders that the project reads and writes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Returns the root of the checkout that the command runs in. The program may have been compiled in another checkout,
/// because checkouts share a target folder.
pub fn checkout() -> PathBuf {
    let start = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = start.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let root = start.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file());
    root.map_or_else(|| start.clone(), Path::to_owned)
}

/// Returns the folder of all downloads and of the files that are made from them: `$HEADLAMP_CACHE`, or `headlamp` in
/// the user's cache folder. All checkouts on a machine share it.
pub fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("HEADLAMP_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("headlamp")))
        .or_else(|| set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".cache/headlamp")))
        .unwrap_or_else(|| std::env::temp_dir().join("headlamp"))
}

/// Returns the folder of the packs that were built on this machine, with one folder per pack.
pub fn packs() -> PathBuf {
    cache().join("packs")
}

/// Returns the folder of the built page.
pub fn dist() -> PathBuf {
    checkout().join("dist")
}

/// Returns the file of axe-core's script, which `tools::axe` installs.
pub fn axe() -> PathBuf {
    cache().join("npm/node_modules/axe-core/axe.min.js")
}

/// Returns the folder of the npm package.
pub fn package() -> PathBuf {
    checkout().join("dist-npm")
}

/// Returns cargo's target folder: `$CARGO_TARGET_DIR`, or a folder that all checkouts share.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// Returns `$PATH` with the tools of [`cache`] in front.
pub fn search_path() -> OsString {
    let own = [cache().join("tools/bin"), cache().join("npm/node_modules/.bin")];
    let users = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.into_iter().chain(std::env::split_paths(&users));
    std::env::join_paths(folders).unwrap_or(users)
}

/// Returns the first program called `name` on [`search_path`].
pub fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path())
        .map(|folder| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}
