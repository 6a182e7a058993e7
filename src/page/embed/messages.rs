//! The messages between an embedded page and its host, the page around it (docs/EMBED.md). The pictures that are sent
//! with the messages are not part of this module.

use serde::Serialize;
use serde_json::Value;

use crate::page::shell::address::head;

/// The version of the messages.
pub const VERSION: u64 = 1;

/// The largest number of phrases, and the longest phrase in bytes.
const MOST_TEXTS: usize = 1000;
const LONGEST_TEXT: usize = 1000;

/// A request of the host, the page around this one.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedMessage {
    /// The number or name that the host gave the request. The answer repeats it. Null if the host gave none.
    pub id: Value,
    /// The command, or a sentence that says why the request is invalid.
    pub command: Result<HostCommand, String>,
}

/// A command of the host.
#[derive(Clone, Debug, PartialEq)]
pub enum HostCommand {
    /// Show a photo.
    Load { picture: Picture, name: Option<String> },
    /// Score these phrases, and choose one.
    Prompts { texts: Vec<String>, phrase: Option<String> },
    /// Choose another phrase, or head.
    Choose { phrase: Option<String>, head: Option<(usize, usize)> },
    /// Answer with the results, and with the mask if `mask` is set.
    Result { mask: bool },
}

/// The source of a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    Url(String),
    /// The photo came with the message.
    Sent,
}

/// Reads a message. `true` stands for a picture that was sent with the message. Returns `None` if the message is not
/// for headlamp.
pub fn read(message: &Value) -> Option<ParsedMessage> {
    let version = message.get("headlamp")?;
    let id = message.get("id").filter(|id| id.is_string() || id.is_number()).cloned().unwrap_or(Value::Null);
    let command = match version.as_u64() {
        Some(VERSION) => command(message),
        _ => Err(format!("This page speaks version {VERSION} of the messages: send headlamp: {VERSION}.")),
    };
    Some(ParsedMessage { id, command })
}

fn command(message: &Value) -> Result<HostCommand, String> {
    match message.get("do").and_then(Value::as_str) {
        Some("load") => {
            let picture = match message.get("image") {
                Some(Value::String(url)) if !url.trim().is_empty() => Picture::Url(url.trim().to_owned()),
                Some(Value::Bool(true)) => Picture::Sent,
                _ => {
                    return Err("load needs an image: an address, a Blob, an ArrayBuffer, an ImageBitmap \
                                or ImageData."
                        .to_owned());
                }
            };
            Ok(HostCommand::Load { picture, name: text(message, "name")? })
        }
        Some("prompts") => {
            let texts = message.get("texts").and_then(Value::as_array).and_then(|texts| {
                texts.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            });
            let texts = texts.ok_or("prompts needs texts, a list of phrases.")?;
            if texts.len() > MOST_TEXTS || texts.iter().any(|text| text.len() > LONGEST_TEXT) {
                return Err(format!("At most {MOST_TEXTS} prompts of at most {LONGEST_TEXT} bytes."));
            }
            Ok(HostCommand::Prompts { texts, phrase: text(message, "phrase")? })
        }
        Some("choose") => {
            let (phrase, head) = (text(message, "phrase")?, head_of(message)?);
            if phrase.is_none() && head.is_none() {
                return Err("choose needs a phrase, or a head as in \"11.3\".".to_owned());
            }
            Ok(HostCommand::Choose { phrase, head })
        }
        Some("result") => match message.get("mask") {
            None | Some(Value::Null) => Ok(HostCommand::Result { mask: false }),
            Some(Value::Bool(mask)) => Ok(HostCommand::Result { mask: *mask }),
            Some(_) => Err("mask must be true or false.".to_owned()),
        },
        _ => Err("do must be one of load, prompts, choose and result.".to_owned()),
    }
}

fn text(message: &Value, name: &str) -> Result<Option<String>, String> {
    match message.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST_TEXT => Ok(Some(text.clone())),
        Some(_) => Err(format!("The {name} must be a text of {LONGEST_TEXT} bytes at most.")),
    }
}

/// Reads the head of a message: "11.3", or [11, 3].
fn head_of(message: &Value) -> Result<Option<(usize, usize)>, String> {
    let found = match message.get("head") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(name)) => head(name),
        Some(Value::Array(pair)) => match pair.as_slice() {
            [layer, at] => {
                let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
                number(layer).zip(number(at))
            }
            _ => None,
        },
        Some(_) => None,
    };
    found.map(Some).ok_or_else(|| "A head is its layer and its number there: \"11.3\", or [11, 3].".to_owned())
}

/// The open model, in an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    pub name: String,
    pub layers: usize,
    pub heads: usize,
    pub has_text: bool,
    /// "CPU" or "GPU".
    pub device: String,
}

/// The results on screen, in an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewResults {
    pub model: Option<Model>,
    pub image: Option<Image>,
    pub texts: Vec<String>,
    /// The cosine of each text.
    pub scores: Vec<f32>,
    /// The softmax over the texts.
    pub probabilities: Vec<f32>,
    /// The phrase that the fields below are about.
    pub phrase: Option<String>,
    /// The contributions to the phrase's score, `[layer][head]`. All contributions sum to the score.
    pub heads: Vec<Vec<f32>>,
    /// `[layer]`
    pub mlps: Vec<f32>,
    pub embedding: f32,
    /// The chosen head: layer and number.
    pub head: Option<(usize, usize)>,
    pub head_texts: Vec<HeadText>,
    pub segmentation: Option<MaskResult>,
}

/// The photo.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    pub name: String,
    /// The upright size in pixels.
    pub width: usize,
    pub height: usize,
    /// The part that the model sees: left, top, width, height.
    pub frame: [f64; 4],
    /// The largest difference between the contributions' sum and the embedding.
    pub residual: f64,
}

/// A text of the chosen head.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadText {
    pub text: String,
    pub variance_explained: f32,
}

/// The segmentation of the phrase.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MaskResult {
    pub threshold: f32,
    /// Whether no patch scored positive for the phrase.
    pub is_empty: bool,
}

#[cfg(test)]
mod tests;
