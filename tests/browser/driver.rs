//! A headless browser driven through chromedriver: the few commands of the WebDriver protocol that we use.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use xtask::{browser, places};

/// The key under which the protocol hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What a browser is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graphics {
    /// As on a machine without a GPU.
    None,
    /// WebGPU on the browser's own software adapter.
    SoftwareWebGpu,
    /// WebGPU on the machine's GPU, if it has one.
    WebGpu,
}

/// One window of a fresh browser with an empty profile, closed when dropped. Dropped by a failing test, it
/// leaves a picture and the console's lines behind.
pub struct Window {
    pub graphics: Graphics,
    test: &'static str,
    agent: ureq::Agent,
    session: String,
    driver: Child,
    profile: PathBuf,
}

/// An element of the page.
pub struct Element(String);

impl Window {
    /// `test` names the picture of a failure.
    pub fn open(test: &'static str, graphics: Graphics) -> Self {
        Self::open_with(test, graphics, &[])
    }

    /// [`Self::open`] with further arguments for the browser.
    pub fn open_with(test: &'static str, graphics: Graphics, further: &[String]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let browser = browser::find().unwrap_or_else(|err| panic!("{err}"));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("headlamp-browser-{}-{number}", std::process::id()));
        let (driver, port) = start_driver(&browser.driver);
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(None);
        let agent: ureq::Agent = config.build().into();
        let mut window =
            Self { graphics, test, agent, session: format!("http://127.0.0.1:{port}/session"), driver, profile };
        let all = [&arguments(&window.profile, graphics)[..], further].concat();
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": browser.program, "args": all },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 600_000, "pageLoad": 120_000, "implicit": 10_000 },
        } } });
        let started = window.post("", &capabilities);
        let id = started["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {started}"));
        window.session = format!("{}/{id}", window.session);
        window
    }

    /// Goes on in a new tab; the one before stays as it is.
    pub fn open_tab(&self) {
        let tab = self.post("/window/new", &json!({ "type": "tab" }));
        self.post("/window", &json!({ "handle": tab["handle"] }));
    }

    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Loads the page anew where it is, with its history.
    pub fn refresh(&self) {
        self.post("/refresh", &json!({}));
    }

    /// A script may take so long from now on.
    pub fn allow_scripts(&self, time: Duration) {
        self.post("/timeouts", &json!({ "script": time.as_millis() as u64 }));
    }

    /// Runs a function body in the page; `arguments` is an array.
    pub fn script(&self, body: &str, arguments: &Value) -> Value {
        self.post("/execute/sync", &json!({ "script": body, "args": arguments }))
    }

    /// The first element that `selector` finds; it may come a little later, as parts of the page do.
    pub fn element(&self, selector: &str) -> Element {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        Element(found[ELEMENT].as_str().unwrap_or_else(|| panic!("no element in {found}")).to_owned())
    }

    /// Clicks with the mouse: scrolls to the element, and fails where something else covers it.
    pub fn click(&self, selector: &str) {
        let Element(id) = self.element(selector);
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Chooses `file` in a file input.
    pub fn choose_file(&self, selector: &str, file: &Path) {
        let Element(id) = self.element(selector);
        self.post(&format!("/element/{id}/value"), &json!({ "text": file }));
    }

    /// Chooses `files` in a file input that takes several.
    pub fn choose_files(&self, selector: &str, files: &[PathBuf]) {
        let Element(id) = self.element(selector);
        let files: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        self.post(&format!("/element/{id}/value"), &json!({ "text": files.join("\n") }));
    }

    /// A command of Chrome's own protocol, for what WebDriver lacks.
    pub fn chrome(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Presses a key, by its name in keyboard events, on what has the focus; `ctrl` holds Ctrl meanwhile.
    pub fn press(&self, key: &str, ctrl: bool) {
        let modifiers = if ctrl { 2 } else { 0 };
        // What the browser does by itself goes by the code: Esc closes a dialog, Enter presses a button.
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
        self.chrome("Input.dispatchKeyEvent", &down);
        let up = json!({ "type": "keyUp", "key": key, "modifiers": modifiers });
        self.chrome("Input.dispatchKeyEvent", &up);
    }

    /// The console's errors since the last call.
    pub fn console_errors(&self) -> Vec<String> {
        let lines = self.post("/se/log", &json!({ "type": "browser" }));
        let lines = lines.as_array().cloned().unwrap_or_default();
        let severe = lines.iter().filter(|line| line["level"] == "SEVERE");
        severe.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A PNG of the whole page in `screenshots/` of the cache.
    pub fn picture(&self, name: &str) {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.chrome("Page.captureScreenshot", &parameters);
        self.keep("screenshots", &format!("{name}.png"), &taken);
    }

    /// A small WebP of what is in the window, in `screens/` of the cache.
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

    /// The most memory that a page's process has held, in bytes; 0 where the system does not tell.
    pub fn renderer_peak(&self) -> u64 {
        self.peak("--type=renderer")
    }

    /// The same of the process that does WebGPU's work, which has the memory of a software adapter.
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

    fn post(&self, command: &str, body: &Value) -> Value {
        let answer = self.ask(command, body).unwrap_or_else(|err| panic!("{command}: {err}"));
        if let Some(error) = answer["error"].as_str() {
            panic!("{command} {body}: {error}: {}", answer["message"].as_str().unwrap_or_default());
        }
        answer
    }

    fn ask(&self, command: &str, body: &Value) -> Result<Value, ureq::Error> {
        let mut answer = self.agent.post(format!("{}{command}", self.session)).send_json(body)?;
        // A screenshot of a long page passes the reader's usual 10 MB.
        let mut answer: Value = answer.body_mut().with_config().limit(256 << 20).read_json()?;
        Ok(answer["value"].take())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.ask(
                "/execute/sync",
                &json!({ "args": [], "script":
                "return [document.body?.dataset.phase, document.querySelector('#message')?.textContent]" }),
            );
            eprintln!("the page's phase and message: {state:?}");
            eprintln!("the console: {:?}", self.ask("/se/log", &json!({ "type": "browser" })));
            let picture = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.picture(self.test)));
            if picture.is_ok() {
                eprintln!("a picture: {}/screenshots/{}.png", places::cache().display(), self.test);
            }
        }
        let _closed = self.agent.delete(&self.session).call();
        let _killed = self.driver.kill();
        let _waited = self.driver.wait();
        let _removed = std::fs::remove_dir_all(&self.profile);
    }
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
        // Without a screen, Chromium on Linux comes to the GPU through Vulkan alone, and not of its own accord. Where it
        // draws there too, it has crashed on NVIDIA's driver.
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

/// chromedriver on a port of its own choice. It takes one that is free in IPv4 and then wants the same in IPv6: where
/// something else has that one it gives up, and another start takes another.
fn start_driver(program: &Path) -> (Child, u16) {
    const STARTS: usize = 5;
    (0..STARTS)
        .find_map(|_| try_driver(program))
        .unwrap_or_else(|| panic!("{} was started {STARTS} times and never said its port", program.display()))
}

/// One start of chromedriver, and the port that its first lines tell; nothing if it ended without one.
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
    // A full pipe would stop the driver.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port))
}

/// Asks again and again until there is an answer.
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
