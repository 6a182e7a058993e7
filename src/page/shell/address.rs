//! The page's address: everything on screen that a link can contain. docs/EMBED.md lists the parameters.

mod off;
mod query;

use crate::page::model::address::{DEFAULT_PACK, ModelAddress};
use crate::page::photo::phrase_list::PhraseList;
use crate::page::photo::raster::{HeadMapKind, Layer, OPACITY};
use crate::protocol::DevicePreference;

pub use off::{Off, head};

/// The longest list of phrases in an address, in bytes: some programs cut longer addresses.
const LONGEST_TEXTS: usize = 6000;

/// Light or dark colours, independent of the person's system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The content of an address. Parts that the address does not mention are as in [`Address::default`].
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// Whether this is the compact page inside another page.
    pub embed: bool,
    pub model: ModelAddress,
    /// The model that the open one is compared with.
    pub compare: Option<ModelAddress>,
    /// The address of the photo.
    pub image: Option<String>,
    /// `None`: the person's own list, or the examples.
    pub texts: Option<PhraseList>,
    /// `None`: the phrase with the highest score.
    pub phrase: Option<String>,
    pub rather_than: Option<String>,
    pub head: Option<(usize, usize)>,
    pub map: HeadMapKind,
    /// Whether the grid shows contributions even if there are means to subtract.
    pub raw: bool,
    pub layer: Layer,
    pub whole_photo: bool,
    /// `None`: the mean of the map.
    pub threshold: Option<f32>,
    pub opacity: f64,
    pub templates: bool,
    pub against_others: bool,
    pub background: bool,
    /// Whether masks are as the model sees them, without the photo's edges.
    pub as_model_sees: bool,
    pub off: Off,
    pub device: DevicePreference,
    /// Whether helper workers may run the model on galleries and videos.
    pub hands: bool,
    pub theme: Option<Theme>,
    /// Origins of pages that may send messages to the embedded page.
    pub origins: Vec<String>,
}

impl Default for Address {
    fn default() -> Self {
        Self {
            embed: false,
            model: ModelAddress::default(),
            compare: None,
            image: None,
            texts: None,
            phrase: None,
            rather_than: None,
            head: None,
            map: HeadMapKind::default(),
            raw: false,
            layer: Layer::default(),
            whole_photo: false,
            threshold: None,
            opacity: OPACITY,
            templates: false,
            against_others: true,
            background: true,
            as_model_sees: false,
            off: Off::default(),
            device: DevicePreference::default(),
            hands: true,
            theme: None,
            origins: Vec::new(),
        }
    }
}

impl Address {
    /// Reads an address's query. Ignores unknown parameters and invalid values, and returns a sentence for each
    /// invalid value.
    pub fn parse(query: &str) -> (Self, Vec<String>) {
        let mut address = Self::default();
        let (mut texts, mut complaints) = (String::new(), Vec::new());
        let mut has_texts = false;
        for (name, value) in query::parameters(query) {
            if name == "text" {
                has_texts = true;
                texts.push_str(&value);
                texts.push('\n');
            } else if let Err(complaint) = address.take(&name, value.trim()) {
                complaints.push(complaint);
            }
        }
        if has_texts {
            let Ok(list) = texts.parse();
            address.texts = Some(list);
        }
        (address, complaints)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let no_sense = |says: &str| format!("The address says {name}={}, and {says}.", shortened(value));
        let yes = || match value {
            "1" | "true" | "yes" => Ok(true),
            "0" | "false" | "no" => Ok(false),
            _ => Err(no_sense("it should be 1 or 0")),
        };
        let share = || {
            let share = value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| no_sense("it should be a number from 0 to 1"))
        };
        let phrase = || (!value.is_empty()).then(|| value.split_whitespace().collect::<Vec<_>>().join(" "));
        match name {
            "embed" => self.embed = yes()?,
            "pack" if !value.is_empty() => self.model = ModelAddress::Folder(value.to_owned()),
            "model" => {
                let says = "that is neither the name of a pack of this page nor a hub's repository \
                            (openai/clip-vit-base-patch32)";
                self.model = model(value).ok_or_else(|| no_sense(says))?;
            }
            "compare" => {
                let says = "that is neither the address of a pack's folder nor a hub's repository \
                            (openai/clip-vit-base-patch32)";
                self.compare = Some(compared(value).ok_or_else(|| no_sense(says))?);
            }
            "image" => {
                let says = "a picture's address begins with https: or http:, or is relative to the page";
                self.image = Some(image(value).ok_or_else(|| no_sense(says))?);
            }
            "phrase" => self.phrase = phrase(),
            "rather" => self.rather_than = phrase(),
            "head" => {
                self.head = Some(head(value).ok_or_else(|| no_sense("a head is layer.head, as in 11.3"))?);
            }
            "map" => {
                self.map = match value {
                    "contribution" => HeadMapKind::Contribution,
                    "attention" => HeadMapKind::Attention,
                    _ => return Err(no_sense("it should be contribution or attention")),
                }
            }
            "raw" => self.raw = yes()?,
            "layer" => {
                self.layer = match value {
                    "segmentation" => Layer::Segmentation,
                    "head" => Layer::Head,
                    "none" => Layer::None,
                    _ => return Err(no_sense("it should be segmentation, head or none")),
                }
            }
            "whole" => self.whole_photo = yes()?,
            "threshold" => self.threshold = Some(share()? as f32),
            "opacity" => self.opacity = share()?,
            "templates" => self.templates = yes()?,
            "others" => self.against_others = yes()?,
            "background" => self.background = yes()?,
            "unrefined" => self.as_model_sees = yes()?,
            "off" => {
                self.off =
                    Off::parse(value).ok_or_else(|| no_sense("parts are named as in 11.3,8.*,m5,z0,cls"))?;
            }
            "device" => {
                self.device = match value {
                    "auto" => DevicePreference::Auto,
                    "cpu" => DevicePreference::Cpu,
                    "gpu" => DevicePreference::Gpu,
                    _ => return Err(no_sense("it should be auto, cpu or gpu")),
                }
            }
            "hands" => self.hands = yes()?,
            "theme" => {
                self.theme = match value {
                    "light" => Some(Theme::Light),
                    "dark" => Some(Theme::Dark),
                    "auto" => None,
                    _ => return Err(no_sense("it should be light, dark or auto")),
                }
            }
            "origin" => {
                let says = "an origin is written as in https://example.org, without a path";
                self.origins.push(origin(value).ok_or_else(|| no_sense(says))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the shortest query with this content; empty if everything is as in [`Address::default`].
    pub fn query(&self) -> String {
        let usual = Self::default();
        let mut parameters: Vec<(&str, String)> = Vec::new();
        let mut say =
            |name: &'static str, value: Option<String>| parameters.extend(value.map(|value| (name, value)));
        let unless = |is_usual: bool, value: &str| (!is_usual).then(|| value.to_owned());
        let flag = |now: bool, usual: bool| unless(now == usual, if now { "1" } else { "0" });
        say("embed", flag(self.embed, false));
        match &self.model {
            ModelAddress::Folder(folder) => say("pack", unless(folder == DEFAULT_PACK, folder)),
            ModelAddress::Hub(repository) => say("model", Some(repository.clone())),
        }
        say(
            "compare",
            self.compare.as_ref().map(|second| match second {
                // Without the slash, "packs/tiny" is a repository.
                ModelAddress::Folder(folder) => format!("{}/", folder.trim_end_matches('/')),
                ModelAddress::Hub(repository) => repository.clone(),
            }),
        );
        say("image", self.image.clone());
        for text in self.texts.iter().filter(|_| self.carries_texts()).flat_map(PhraseList::as_slice) {
            say("text", Some(text.clone()));
        }
        // An empty list of phrases is different from no list.
        if self.texts.as_ref().is_some_and(|texts| texts.as_slice().is_empty()) {
            say("text", Some(String::new()));
        }
        say("phrase", self.phrase.clone());
        say("rather", self.rather_than.clone());
        say("head", self.head.map(|(layer, head)| format!("{layer}.{head}")));
        say("map", unless(self.map == usual.map, "attention"));
        say("raw", flag(self.raw, false));
        say(
            "layer",
            match self.layer {
                Layer::Segmentation => None,
                Layer::Head => Some("head".to_owned()),
                Layer::None => Some("none".to_owned()),
            },
        );
        say("whole", flag(self.whole_photo, false));
        say("threshold", self.threshold.map(|threshold| threshold.to_string()));
        say("opacity", unless(self.opacity == usual.opacity, &self.opacity.to_string()));
        say("templates", flag(self.templates, false));
        say("others", flag(self.against_others, true));
        say("background", flag(self.background, true));
        say("unrefined", flag(self.as_model_sees, false));
        say("off", unless(self.off.is_none(), &self.off.to_string()));
        say(
            "device",
            match self.device {
                DevicePreference::Auto => None,
                DevicePreference::Cpu => Some("cpu".to_owned()),
                DevicePreference::Gpu => Some("gpu".to_owned()),
            },
        );
        say("hands", flag(self.hands, true));
        say("theme", self.theme.map(|theme| theme.name().to_owned()));
        for origin in &self.origins {
            say("origin", Some(origin.clone()));
        }
        query::query(&parameters)
    }

    /// Returns whether the phrases are few enough for an address.
    pub fn carries_texts(&self) -> bool {
        let length = |text: &String| query::query(&[("text", text.clone())]).len();
        self.texts.iter().flat_map(PhraseList::as_slice).map(length).sum::<usize>() <= LONGEST_TEXTS
    }
}

/// Reads the name of a pack in the page's folder `packs/`, or a repository of the hub.
fn model(name: &str) -> Option<ModelAddress> {
    let is_name = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_plain)
    };
    match name.split_once('/') {
        None => is_name(name).then(|| ModelAddress::Folder(format!("packs/{name}/"))),
        Some((owner, repository)) => {
            (is_name(owner) && is_name(repository)).then(|| ModelAddress::Hub(name.to_owned()))
        }
    }
}

/// Reads the second model of a comparison: a pack's folder, which has a slash at its end, or else a name as of [`model`].
fn compared(value: &str) -> Option<ModelAddress> {
    match value.ends_with('/') {
        true => Some(ModelAddress::Folder(value.to_owned())),
        false => model(value),
    }
}

/// Reads the address of a picture: absolute, or relative to the page.
fn image(url: &str) -> Option<String> {
    let scheme =
        url.split(['/', '?', '#']).next().and_then(|first| first.split_once(':')).map(|(scheme, _)| scheme);
    let is_known = scheme.is_none_or(|scheme| ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()));
    (is_known && !url.is_empty() && !url.chars().any(char::is_control)).then(|| url.to_owned())
}

/// Returns an origin as browsers write it: "https://example.org:8443".
pub fn origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let (scheme, host) = text.split_once("://")?;
    let (name, port) = host.rsplit_once(':').filter(|_| !host.ends_with(']')).unwrap_or((host, ""));
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let is_port = port.is_empty() || port.parse::<u16>().is_ok();
    let is_origin =
        ["http", "https"].contains(&scheme) && !name.is_empty() && name.bytes().all(is_host) && is_port;
    let usual_port = if scheme == "https" { "443" } else { "80" };
    let port = if port.is_empty() || port == usual_port { String::new() } else { format!(":{port}") };
    is_origin.then(|| format!("{scheme}://{name}{port}"))
}

/// Returns the beginning of a value, for an error message.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 40;
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let start: String = value.chars().take(LONGEST).map(plain).collect();
    if value.chars().count() > LONGEST { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests;
