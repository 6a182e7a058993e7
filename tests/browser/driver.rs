//! A headless browser, driven through chromedriver: the commands that the tests use, without `async`.

use std::io::{BufRead as _, BufReader};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Map, Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::{By, Capabilities, TimeoutConfiguration, WebDriver, WebElement};
use tokio::runtime::Runtime;
use xtask::{browser, places};

/// Whether the browser has WebGPU, and on which adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graphics {
    /// No WebGPU, as on a machine without a GPU.
    None,
    /// WebGPU on the browser's own software adapter.
    SoftwareWebGpu,
    /// WebGPU on the machine's GPU, if it has one.
    WebGpu,
}

/// One window of a fresh browser with an empty profile. The browser ends when the window is dropped. If a failing
/// test drops the window, a screenshot and the console's lines are kept.
pub struct Window {
    pub graphics: Graphics,
    test: &'static str,
    session: WebDriver,
    /// Runs the client of the WebDriver protocol, so that the tests need no `async`.
    runtime: Runtime,
    driver: Child,
    profile: PathBuf,
}

impl Window {
    /// Starts a browser. `test` names the screenshot of a failure.
    pub fn open(test: &'static str, graphics: Graphics) -> Self {
        Self::open_with(test, graphics, &[])
    }

    /// Starts a browser as [`Self::open`] does, with further arguments on the browser's command line.
    pub fn open_with(test: &'static str, graphics: Graphics, further: &[String]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let browser = browser::find().unwrap_or_else(|err| panic!("{err}"));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("headlamp-browser-{}-{number}", std::process::id()));
        let (mut driver, port) = start_driver(&browser.driver);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let all = [&arguments(&profile, graphics)[..], further].concat();
        let capabilities = Capabilities::from(Map::from_iter([
            ("goog:chromeOptions".to_owned(), json!({ "binary": browser.program, "args": all })),
            ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" })),
        ]));
        let session = runtime.block_on(start_session(&format!("http://127.0.0.1:{port}"), capabilities));
        let session = session.unwrap_or_else(|err| {
            let _killed = driver.kill();
            panic!("the browser did not start: {err}")
        });
        Self { graphics, test, session, runtime, driver, profile }
    }

    /// Opens a new tab and makes it the current one. The tab before stays as it is.
    pub fn open_tab(&self) {
        let tab = self.run("opening a tab", self.session.new_tab());
        self.run("switching to the new tab", self.session.switch_to_window(tab));
    }

    pub fn go(&self, url: &str) {
        self.run(url, self.session.goto(url));
    }

    /// Reloads the page and keeps its history.
    pub fn refresh(&self) {
        self.run("reloading", self.session.refresh());
    }

    /// Sets how long a script may run from now on.
    pub fn allow_scripts(&self, time: Duration) {
        self.run("setting the script timeout", self.session.set_script_timeout(time));
    }

    /// Runs a function body in the page; `arguments` is an array.
    pub fn script(&self, body: &str, arguments: &Value) -> Value {
        let arguments = arguments.as_array().expect("the arguments are an array").clone();
        self.run(body, self.session.execute(body, arguments)).json().clone()
    }

    /// Finds the first element that `selector` matches. Waits a little, because parts of the page appear late.
    fn element(&self, selector: &str) -> WebElement {
        self.run(selector, self.session.find(By::Css(selector)))
    }

    /// Clicks with the mouse: scrolls to the element, and fails where something else covers the element.
    pub fn click(&self, selector: &str) {
        self.run(selector, self.element(selector).click());
    }

    /// Chooses `file` in a file input.
    pub fn choose_file(&self, selector: &str, file: &Path) {
        self.choose_files(selector, &[file.to_owned()]);
    }

    /// Chooses `files` in a file input that takes several.
    pub fn choose_files(&self, selector: &str, files: &[PathBuf]) {
        let files: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        self.run(selector, self.element(selector).send_keys(files.join("\n")));
    }

    /// Sends a command of Chrome's own protocol, for actions that WebDriver lacks.
    pub fn chrome(&self, command: &str, parameters: &Value) -> Value {
        self.run(command, self.session.cdp().send_raw(command, parameters))
    }

    /// Presses a key on the focused element. `key` is the key's name in keyboard events. With `ctrl`, Ctrl is held
    /// down.
    pub fn press(&self, key: &str, ctrl: bool) {
        let modifiers = if ctrl { 2 } else { 0 };
        // The browser's own actions need the code: Esc closes a dialog, Enter presses a button.
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            _ => 0,
        };
        let mut down =
            json!({ "type": "keyDown", "key": key, "modifiers": modifiers, "windowsVirtualKeyCode": code });
        if key.chars().count() == 1 && !ctrl {
            down["text"] = key.into();
        }
        if key == "Enter" {
            down["text"] = "\r".into();
        }
        self.chrome("Input.dispatchKeyEvent", &down);
        let up = json!({ "type": "keyUp", "key": key, "modifiers": modifiers });
        self.chrome("Input.dispatchKeyEvent", &up);
    }

    /// Returns the console's errors since the last call.
    pub fn console_errors(&self) -> Vec<String> {
        let lines = self.run("reading the console", self.session.browser_log());
        lines.into_iter().filter(|line| line.level == "SEVERE").map(|line| line.message).collect()
    }

    /// Saves a PNG of the whole page in `screenshots/` of the cache.
    pub fn picture(&self, name: &str) {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.chrome("Page.captureScreenshot", &parameters);
        self.keep("screenshots", &format!("{name}.png"), &taken);
    }

    /// Saves a small WebP of the window's visible part in `screens/` of the cache.
    pub fn snapshot(&self, name: &str) {
        let taken = self.chrome("Page.captureScreenshot", &json!({ "format": "webp", "quality": 70 }));
        self.keep("screens", &format!("{name}.webp"), &taken);
    }

    fn keep(&self, folder: &str, name: &str, taken: &Value) {
        let bytes = base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap();
        let folder = places::cache().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    /// Returns the largest memory that a page's process has held, in bytes; 0 where the system does not report it.
    pub fn renderer_peak(&self) -> u64 {
        self.peak("--type=renderer")
    }

    /// Returns the largest memory of the process that does WebGPU's work. This process has the memory of a software
    /// adapter.
    pub fn gpu_peak(&self) -> u64 {
        self.peak("--type=gpu-process")
    }

    fn peak(&self, kind: &str) -> u64 {
        let field = |pid: u32, name: &str| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        let parent =
            |pid: &u32| field(*pid, "PPid:").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 1);
        let is_ours = |pid: u32| std::iter::successors(Some(pid), parent).any(|pid| pid == self.driver.id());
        let is_of_kind = |pid: u32| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(kind))
        };
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
        let peaks = pids.filter(|pid| is_of_kind(*pid) && is_ours(*pid)).filter_map(|pid| field(pid, "VmHWM:"));
        peaks.max().unwrap_or(0) * 1024
    }

    /// Waits for a command to the browser. `what` names the command in the message of a failure.
    fn run<T>(&self, what: &str, command: impl Future<Output = WebDriverResult<T>>) -> T {
        self.runtime.block_on(command).unwrap_or_else(|err| panic!("{what}: {err}"))
    }

    /// Prints the page's state and the console, and saves a screenshot.
    fn report_failure(&self) {
        let script = "return [document.body?.dataset.phase, document.querySelector('#message')?.textContent]";
        let state = self.runtime.block_on(self.session.execute(script, Vec::new()));
        eprintln!("the page's phase and message: {:?}", state.map(|state| state.json().clone()));
        eprintln!("the console: {:?}", self.runtime.block_on(self.session.browser_log()));
        let picture = std::panic::catch_unwind(AssertUnwindSafe(|| self.picture(self.test)));
        if picture.is_ok() {
            eprintln!("a screenshot: {}/screenshots/{}.png", places::cache().display(), self.test);
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report_failure();
        }
        let _closed = self.runtime.block_on(self.session.clone().quit());
        let _killed = self.driver.kill();
        let _waited = self.driver.wait();
        let _removed = std::fs::remove_dir_all(&self.profile);
    }
}

/// Starts a browser through the driver at `url`.
async fn start_session(url: &str, capabilities: Capabilities) -> WebDriverResult<WebDriver> {
    // Longer than the longest script of a benchmark: a script's own timeout ends the script.
    let longest = Duration::from_secs(2 * 3600);
    let session = WebDriver::builder(url, capabilities).request_timeout(longest).connect().await?;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    // For scripts, for loading a page, and for finding an element.
    session.update_timeouts(TimeoutConfiguration::new(seconds(600), seconds(120), seconds(10))).await?;
    Ok(session)
}

fn arguments(profile: &Path, graphics: Graphics) -> Vec<String> {
    let mut arguments = vec![format!("--user-data-dir={}", profile.display())];
    let mut add = |list: &[&str]| arguments.extend(list.iter().map(|argument| (*argument).to_owned()));
    add(&["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"]);
    add(&["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    add(&["--window-size=1440,1000", "--hide-scrollbars", "--force-color-profile=srgb"]);
    // A camera that shows a moving test picture, and is always allowed.
    add(&["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
    match graphics {
        Graphics::None => {}
        Graphics::SoftwareWebGpu => add(&["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]),
        // Without a screen, Chromium on Linux reaches the GPU only through Vulkan, and only if a flag says so. Chromium
        // crashed on NVIDIA's driver when it also drew the page there.
        Graphics::WebGpu => add(&[
            "--enable-unsafe-webgpu",
            "--enable-features=Vulkan",
            "--use-angle=vulkan",
            "--disable-vulkan-surface",
            "--disable-features=SkiaGraphite",
            "--disable-gpu-rasterization",
            "--disable-gpu-compositing",
            "--ignore-gpu-blocklist",
        ]),
    }
    arguments
}

/// Starts chromedriver on a port that it chooses. chromedriver takes a port that is free in IPv4 and then needs the
/// same port in IPv6. If another program has that port, chromedriver ends; another start takes another port.
fn start_driver(program: &Path) -> (Child, u16) {
    const STARTS: usize = 5;
    (0..STARTS)
        .find_map(|_| try_driver(program))
        .unwrap_or_else(|| panic!("{} was started {STARTS} times and never named its port", program.display()))
}

/// Starts chromedriver once and reads the port from its first lines. Returns `None` if it ended without a port.
fn try_driver(program: &Path) -> Option<(Child, u16)> {
    let mut driver = Command::new(program)
        .args(["--port=0", "--log-level=SEVERE"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|err| panic!("{}: {err}", program.display()));
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    // "ChromeDriver was started successfully on port 38475."
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let port = line
            .rsplit_once("successfully on port ")
            .and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
        said.push(line);
        port
    });
    let Some(port) = port else {
        let _ended_already = driver.kill();
        let ended = driver.wait();
        eprintln!("chromedriver ended without a port ({ended:?}): {}", said.join(" | "));
        return None;
    };
    // A full pipe would block the driver.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

/// Calls `ask` repeatedly until it returns a value.
pub fn wait<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
