//! Makes the npm package: the client of `www/npm` and the worker of a built page.

use std::path::Path;

use anyhow::Context as _;

use crate::places;

/// The worker's files in `dist/`.
const WORKER: [&str; 3] = ["worker.js", "worker_bg.wasm", "worker_loader.js"];

/// The client's files that the package contains unchanged.
const CLIENT: [&str; 6] = ["headlamp.js", "channel.js", "pictures.js", "headlamp.d.ts", "wire.d.ts", "README.md"];

const LICENCES: [&str; 3] = ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"];

/// Makes the package in the folder `to` with the worker of `dist`. Removes the previous content of `to`.
///
/// # Errors If a file is missing in `dist` or in the checkout, or a file cannot be written.
pub fn package(dist: &Path, to: &Path) -> anyhow::Result<()> {
    let _none = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let (checkout, client) = (places::checkout(), places::checkout().join("www/npm"));
    for (from, names) in [(dist, WORKER.as_slice()), (&client, &CLIENT), (&checkout, &LICENCES)] {
        for name in names {
            let file = from.join(name);
            std::fs::copy(&file, to.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    let manifest = std::fs::read_to_string(client.join("package.json")).context("www/npm has no package.json")?;
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    let file = to.join("package.json");
    std::fs::write(&file, manifest.replace("\"version\": \"0.0.0\"", version))
        .with_context(|| format!("cannot write {}", file.display()))
}
