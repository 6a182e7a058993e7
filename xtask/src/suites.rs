//! The test suites, the benchmarks and the screenshots.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use xtask::browser::Browser;
use xtask::places;

use crate::{assets, page, peer_engine, tools};
use xtask::steps::{run, step};

/// A group of tests that run in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// rustfmt and clippy
    Lint,
    /// On this machine, against the references
    Native,
    /// The library compiled to WebAssembly: in Node.js, and in a browser for what only browsers can do
    Wasm,
    /// The page that `build` makes, in a headless browser
    Browser,
}

/// Sets up and runs `suites`, or all suites if none is named. Continues after a failure, so that one run shows all
/// failures.
pub fn test(suites: &[Suite]) -> anyhow::Result<()> {
    let suites = if suites.is_empty() { Suite::value_variants() } else { suites };
    tools::prepare_target_folder()?;
    let mut failed = Vec::new();
    for suite in suites {
        let outcome = match suite {
            Suite::Lint => lint(),
            Suite::Native => native(),
            Suite::Wasm => wasm(),
            Suite::Browser => browser(),
        };
        if let Err(error) = outcome {
            eprintln!("✗ {error:#}");
            failed.push(format!("{suite:?}").to_lowercase());
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    println!("✓ every test passed");
    Ok(())
}

fn lint() -> anyhow::Result<()> {
    tools::lints()?;
    step("checking the format", || run(tools::cargo().args(["fmt", "--all", "--check"])))?;
    step("clippy: everything native", || run(&mut clippy(&["--workspace", "--all-targets"])))?;
    tools::wasm_target()?;
    for (program, tests) in [("worker", &["wasm", "wasm_video"][..]), ("page", &["wasm_page"])] {
        let mut arguments = vec!["--target", tools::TARGET, "--package", "headlamp", "--no-default-features"];
        arguments.extend(["--features", program, "--lib", "--bin", program]);
        arguments.extend(tests.iter().flat_map(|name| ["--test", name]));
        step(&format!("clippy: the {program}"), || run(&mut clippy(&arguments)))?;
    }
    Ok(())
}

/// Returns a clippy command that fails if there is any warning.
fn clippy(arguments: &[&str]) -> Command {
    let mut cargo = tools::cargo();
    cargo.arg("clippy").args(arguments).args(["--", "--deny", "warnings"]);
    cargo
}

fn native() -> anyhow::Result<()> {
    step("compiling the library, the tool and the native tests", || {
        run(tools::cargo().args(["test", "--workspace", "--no-run"]))
    })?;
    assets::all(assets::Tool::WithTests)?;
    tools::vulkan()?;
    tools::ffmpeg()?;
    step("native tests", || {
        run(tools::cargo()
            .args(["test", "--workspace", "--no-fail-fast"])
            .env("HEADLAMP_NEEDS_GPU", "1")
            .env("HEADLAMP_NEEDS_FFMPEG", "1"))
    })
}

fn wasm() -> anyhow::Result<()> {
    tools::for_page()?;
    tools::node()?;
    let browser = tools::chromium()?;
    step("wasm tests of the library", || run(&mut wasm_tests("worker", "web", "wasm")))?;
    let settings = webdriver_settings(&browser)?;
    for (what, program, profile, name) in [
        ("wasm tests with a browser's video decoders", "worker", "web", "wasm_video"),
        ("wasm tests with a browser's video player", "page", "web-page", "wasm_page"),
    ] {
        step(what, || {
            let mut cargo = wasm_tests(program, profile, name);
            cargo.env("CHROMEDRIVER", &browser.driver).env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &settings);
            // The timeout is in seconds. These tests read every frame of a dozen clips several times.
            run(cargo.env("WASM_BINDGEN_TEST_TIMEOUT", "600"))
        })?;
    }
    Ok(())
}

/// Returns a test of the library in WebAssembly, with the features and the profile of the worker or of the page.
/// Therefore the libraries are compiled once for the tests and for `dist/`.
fn wasm_tests(program: &str, profile: &str, name: &str) -> Command {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--profile", profile, "--target", tools::TARGET, "--package", "headlamp"]);
    cargo.args(["--no-default-features", "--features", program, "--test", name]);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner");
    cargo
}

/// Writes a file that tells wasm-bindgen's test runner which browser the driver belongs to.
fn webdriver_settings(browser: &Browser) -> anyhow::Result<PathBuf> {
    let file = places::cache().join("webdriver.json");
    let program = browser.program.display().to_string();
    let options = format!("{{\"binary\": {program:?}}}");
    std::fs::write(&file, format!("{{\"goog:chromeOptions\": {options}}}\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn browser() -> anyhow::Result<()> {
    let browser = tools::chromium()?;
    tools::axe()?;
    assets::all(assets::Tool::WithTests)?;
    tools::typescript()?;
    step("checking the types of the npm package", || {
        run(tools::command("tsc").arg("--project").arg(places::checkout().join("www/npm")))
    })?;
    page::build_for_this_machine()?;
    step("browser tests", || run(browser_tests(&browser, &[]).args(["--skip", "bench::"])))
}

/// Takes pictures of every view of the real page.
pub fn screens() -> anyhow::Result<()> {
    let browser = tools::chromium()?;
    assets::all(assets::Tool::WithTests)?;
    page::build_for_this_machine()?;
    // Remove the old pictures first. Otherwise the pictures of views that no longer exist would stay.
    let (from, to) = (places::cache().join("screens"), places::checkout().join("docs/screens"));
    let _none = std::fs::remove_dir_all(&from);
    step("taking pictures", || run(&mut browser_tests(&browser, &["screenshots"])))?;
    page::copy_files(&from, &to)?;
    println!("  {}", to.display());
    Ok(())
}

/// Returns the browser tests whose names contain one of `names`, or all. The tests are marked as ignored, because a
/// plain `cargo test` cannot do their set-up.
fn browser_tests(browser: &Browser, names: &[&str]) -> Command {
    let mut cargo = tools::cargo();
    // With the whole workspace, so that the libraries have the features of the native tests and are not compiled again.
    cargo.args(["test", "--workspace", "--test", "browser", "--"]).args(names);
    // The tests run one at a time, because each test keeps a whole browser busy.
    cargo.args(["--ignored", "--test-threads=1"]);
    let variables: [(&str, OsString); 4] = [
        ("HEADLAMP_DIST", places::dist().into()),
        ("HEADLAMP_PACKS", places::packs().into()),
        ("CHROME", browser.program.clone().into()),
        ("CHROMEDRIVER", browser.driver.clone().into()),
    ];
    cargo.envs(variables);
    cargo
}

/// Benchmarks in the browser: the name, and the first part of the names of the tests in `tests/browser/bench/`.
const BROWSER_BENCHES: [(&str, &str); 9] = [
    ("cpu", "bench_cpu"),
    ("webgpu", "bench_webgpu"),
    ("start", "bench_start"),
    ("growth-tokens", "bench_growth_tokens"),
    ("growth-models", "bench_growth_models"),
    ("growth-gallery", "bench_growth_gallery"),
    ("growth-video", "bench_growth_video"),
    ("redraw", "bench_redraw"),
    ("helper-workers", "bench_helper_workers"),
];

/// Native benchmarks: the name, and the file in `benches/`.
const NATIVE_BENCHES: [(&str, &str); 3] = [
    ("growth-gallery-native", "gallery_growth"),
    ("native", "native_peers"),
    ("native-spine", "decomposition_cost"),
];

/// Runs the benchmarks whose names begin with one of `names`, or all.
pub fn bench(names: &[String]) -> anyhow::Result<()> {
    let is_wanted =
        |(bench, _): &&(&str, &str)| names.is_empty() || names.iter().any(|name| bench.starts_with(name.as_str()));
    let in_browser: Vec<_> = BROWSER_BENCHES.iter().filter(is_wanted).collect();
    let native: Vec<_> = NATIVE_BENCHES.iter().filter(is_wanted).collect();
    if in_browser.is_empty() && native.is_empty() {
        let all = [&BROWSER_BENCHES[..], &NATIVE_BENCHES].concat();
        bail!("the benchmarks are: {}", all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
    }
    tools::prepare_target_folder()?;
    let other = peer_engine::set_up()?;
    assets::all(assets::Tool::Alone)?;
    let run_one = |name: &str, cargo: &mut Command| {
        step(&format!("benchmark {name}"), || run(cargo.env("HEADLAMP_BENCH", &other)))
    };
    if !in_browser.is_empty() {
        let browser = tools::chromium()?;
        page::build_for_this_machine()?;
        for (name, tests) in in_browser {
            run_one(name, browser_tests(&browser, &[tests]).arg("--nocapture"))?;
        }
    }
    for (name, file) in native {
        run_one(name, tools::cargo().args(["bench", "--package", "headlamp", "--bench", file]))?;
    }
    Ok(())
}
