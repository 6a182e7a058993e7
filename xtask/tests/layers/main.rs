//! The layers of `src/`: which layer may import which, and no two files that import each other in a circle.
//!
//! `docs/ARCHITECTURE.md` draws the layers. A unit test (`#[cfg(test)]`) may import anything.

mod imports;

use std::collections::{BTreeMap, BTreeSet};

use imports::{Import, Sources};

/// A layer: files and folders of `src/` that may import the same layers.
struct Layer {
    name: &'static str,
    /// Modules of the library. A folder stands for everything in it.
    modules: &'static [&'static str],
    /// The layers that this layer may import, besides itself.
    may_import: &'static [&'static str],
    /// Whether the layer may call the browser.
    may_use_browser: bool,
}

const LAYERS: &[Layer] = &[
    // Numbers with their units, and the order of file names.
    Layer { name: "text", modules: &["text"], may_import: &[], may_use_browser: false },
    Layer { name: "kernels", modules: &["kernels"], may_import: &[], may_use_browser: false },
    Layer { name: "shaders", modules: &["shaders"], may_import: &["kernels"], may_use_browser: false },
    Layer {
        name: "mathematics",
        modules: &[
            "ablate",
            "align",
            "decompose",
            "edges",
            "foreground",
            "geometry",
            "guided_filter",
            "metrics",
            "naming",
            "retrieve",
            "rle",
            "segment",
            "spurious",
            "statistics",
            "textspan",
            "zero_shot",
        ],
        may_import: &["kernels"],
        may_use_browser: false,
    },
    Layer { name: "track", modules: &["track"], may_import: &["mathematics"], may_use_browser: false },
    Layer {
        name: "model",
        modules: &["model"],
        may_import: &["kernels", "shaders", "mathematics", "track"],
        may_use_browser: false,
    },
    Layer {
        name: "checkpoint",
        modules: &["checkpoint"],
        may_import: &["kernels", "mathematics", "model"],
        may_use_browser: false,
    },
    // Decodes pictures and videos, in a browser by the browser.
    Layer { name: "media", modules: &["media"], may_import: &["mathematics", "model"], may_use_browser: true },
    // Messages between page and worker. In a browser they are JavaScript values.
    Layer { name: "protocol", modules: &["protocol"], may_import: &["mathematics"], may_use_browser: true },
    Layer {
        name: "session",
        modules: &["session"],
        may_import: &["text", "shaders", "mathematics", "model", "checkpoint", "media", "track", "protocol"],
        may_use_browser: false,
    },
    Layer {
        name: "worker",
        modules: &["worker"],
        may_import: &["text", "mathematics", "model", "checkpoint", "media", "track", "protocol", "session"],
        may_use_browser: true,
    },
    Layer {
        name: "page",
        modules: &["page"],
        may_import: &["text", "mathematics", "protocol"],
        may_use_browser: true,
    },
    Layer {
        name: "cli",
        modules: &["cli"],
        may_import: &["text", "mathematics", "model", "checkpoint", "media", "track", "protocol", "session"],
        may_use_browser: false,
    },
    Layer {
        name: "programs",
        modules: &["bin"],
        may_import: &["page", "worker", "cli", "session", "protocol"],
        may_use_browser: true,
    },
];

/// The crates that only work in a browser.
const BROWSER: [&str; 13] = [
    "js_sys",
    "leptos",
    "leptos_use_document",
    "leptos_use_drop_zone",
    "leptos_use_element_size",
    "leptos_use_event_listener",
    "leptos_use_service_worker",
    "leptos_use_storage",
    "leptos_use_window",
    "serde_wasm_bindgen",
    "wasm_bindgen",
    "wasm_bindgen_futures",
    "web_sys",
];

/// The features of the page, in the order of `src/page/mod.rs`: each imports only the features before it.
const FEATURES: [&str; 10] =
    ["common", "core", "model", "photo", "heads", "compare", "gallery", "video", "shell", "embed"];

/// The place of a module's feature in [`FEATURES`]; `None` outside the features.
fn feature_of(module: &[String]) -> Option<usize> {
    let [page, feature, ..] = module else { return None };
    FEATURES.iter().position(|name| page == "page" && name == feature)
}

fn layer_of(module: &[String]) -> Option<&'static Layer> {
    let first = module.first()?;
    LAYERS.iter().find(|layer| layer.modules.contains(&first.as_str()))
}

#[test]
fn every_file_belongs_to_a_layer() {
    let sources = Sources::read(&xtask::places::checkout().join("src"));
    let lost: Vec<&str> = sources
        .files
        .iter()
        .filter(|file| !file.module.is_empty() && layer_of(&file.module).is_none())
        .map(|file| file.path.as_str())
        .collect();
    assert!(lost.is_empty(), "the table of layers lacks {lost:#?}");
    let exists =
        |name: &&str| sources.files.iter().any(|file| file.module.first().is_some_and(|first| first == name));
    for layer in LAYERS {
        assert!(layer.modules.iter().all(exists), "{} names a module that does not exist", layer.name);
        for other in layer.may_import {
            assert!(LAYERS.iter().any(|layer| layer.name == *other), "there is no layer {other}");
        }
    }
}

#[test]
fn a_layer_imports_only_the_layers_below() {
    let sources = Sources::read(&xtask::places::checkout().join("src"));
    let mut forbidden = Vec::new();
    for Import { from, to, path } in sources.imports() {
        let (from, to) = (&sources.files[from], &sources.files[to]);
        let (Some(layer), Some(other)) = (layer_of(&from.module), layer_of(&to.module)) else { continue };
        if layer.name != other.name && !layer.may_import.contains(&other.name) {
            forbidden.push(format!("{} ({}) imports {path} ({})", from.path, layer.name, other.name));
        }
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn a_feature_of_the_page_imports_only_features_before_it() {
    let sources = Sources::read(&xtask::places::checkout().join("src"));
    let mut forbidden = Vec::new();
    for Import { from, to, path } in sources.imports() {
        let (from, to) = (&sources.files[from], &sources.files[to]);
        if feature_of(&from.module).zip(feature_of(&to.module)).is_some_and(|(from, to)| from < to) {
            forbidden.push(format!("{} imports {path}", from.path));
        }
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn only_browser_folders_of_the_page_call_the_browser() {
    let sources = Sources::read(&xtask::places::checkout().join("src"));
    let is_plain =
        |module: &[String]| feature_of(module).is_some() && !module.iter().any(|name| name == "browser");
    let mut forbidden = Vec::new();
    for file in sources.files.iter().filter(|file| is_plain(&file.module)) {
        let used = BROWSER.iter().filter(|name| file.crates.contains(**name));
        forbidden.extend(used.map(|name| format!("{} uses {name}", file.path)));
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn only_some_layers_call_the_browser() {
    let sources = Sources::read(&xtask::places::checkout().join("src"));
    let mut forbidden = Vec::new();
    for file in &sources.files {
        if layer_of(&file.module).is_some_and(|layer| !layer.may_use_browser) {
            let used = BROWSER.iter().filter(|name| file.crates.contains(**name));
            forbidden.extend(used.map(|name| format!("{} uses {name}", file.path)));
        }
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = Sources::read(&xtask::places::checkout().join("src"));
    let mut imports: BTreeMap<usize, BTreeMap<usize, String>> = BTreeMap::new();
    for Import { from, to, path } in sources.imports() {
        imports.entry(from).or_default().insert(to, path);
    }
    while remove_ends(&mut imports) {}
    let Some(start) = imports.keys().next() else { return };
    let mut way = vec![*start];
    let circle = loop {
        let (next, _) = imports[way.last().unwrap()].first_key_value().unwrap();
        if let Some(at) = way.iter().position(|file| file == next) {
            break way.split_off(at);
        }
        way.push(*next);
    };
    let lines: Vec<String> = circle
        .iter()
        .zip(circle.iter().cycle().skip(1))
        .map(|(from, to)| format!("{} imports {}", sources.files[*from].path, imports[from][to]))
        .collect();
    let all: Vec<&str> = imports.keys().map(|file| sources.files[*file].path.as_str()).collect();
    panic!("a circle: {lines:#?}; all files in circles or between them: {all:#?}");
}

/// Removes the files that are in no circle, because they import no other file or no other file imports them. Returns
/// whether there were such files.
fn remove_ends(imports: &mut BTreeMap<usize, BTreeMap<usize, String>>) -> bool {
    let before = imports.len();
    let imported: BTreeSet<usize> = imports.values().flat_map(BTreeMap::keys).copied().collect();
    imports.retain(|from, _| imported.contains(from));
    let importing: BTreeSet<usize> = imports.keys().copied().collect();
    for targets in imports.values_mut() {
        targets.retain(|to, _| importing.contains(to));
    }
    imports.retain(|_, targets| !targets.is_empty());
    imports.len() < before
}
