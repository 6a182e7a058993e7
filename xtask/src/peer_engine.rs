//! The engine that the benchmarks compare headlamp with.

use std::path::{Path, PathBuf};

use xtask::places;

use crate::assets;
use crate::tools::{command, npm_install, python, with_npm};
use xtask::steps::{run, skip, step};

/// The engine that `bench` compares headlamp with.
const ONNX_RUNTIME_WEB: &str = "onnxruntime-web@1.30.0";
/// The Python packages that export the default pack to ONNX.
const ONNX_TOOLS: [&str; 5] = ["numpy", "onnx", "onnxruntime", "safetensors", "sympy"];

/// Installs onnxruntime-web, and exports the default pack to ONNX, so that `bench` can compare headlamp with them.
/// Returns their folder.
pub fn set_up() -> anyhow::Result<PathBuf> {
    let folder = places::cache().join("bench");
    std::fs::create_dir_all(&folder)?;
    if folder.join("node_modules/onnxruntime-web").is_dir() {
        skip("onnxruntime-web", "already here");
    } else {
        with_npm("onnxruntime-web")?;
        step("installing onnxruntime-web", || npm_install(&folder, ONNX_RUNTIME_WEB))?;
    }
    assets::default_pack(assets::Tool::Alone)?;
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

/// Returns the Python that has ONNX Runtime, in the benchmarks' folder.
fn bench_python(folder: &Path) -> PathBuf {
    folder.join("venv").join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}
