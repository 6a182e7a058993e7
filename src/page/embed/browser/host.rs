//! The host, the page that embeds this one: checks its origin, handles its requests, and sends the answers
//! (docs/EMBED.md).
//!
//! This page answers a host only if the frame's address names the origin of the host. If the address names no origin,
//! the host must have the same origin as this page. Requests are handled one at a time. Each is answered once this
//! page is idle.

use std::collections::VecDeque;
use std::time::Duration;

use js_sys::{ArrayBuffer, JSON, Object, Reflect, Uint8Array};
use leptos::ev;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::web_sys::{
    Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap, ImageData, MessageEvent, Url,
};
use leptos_use_event_listener::use_event_listener;
use leptos_use_window::use_window;
use serde::Serialize;
use serde_json::Value;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::geometry::{PhotoRect, Size};
use crate::page::common::browser::dom;
use crate::page::core::browser::core::WorkerState;
use crate::page::embed::messages::{
    self, HeadText, HostCommand, Image, MaskResult, Model, ParsedMessage, Picture, ViewResults,
};
use crate::page::heads::browser::heads::contributions;
use crate::page::shell::browser::features::Features;
use crate::protocol::{PackSummary, TaskProgress};

/// This page is idle if nothing happens for this time.
const REST: Duration = Duration::from_millis(60);

/// A request, and the picture that came with it.
struct HostRequest {
    id: Value,
    command: Result<HostCommand, String>,
    picture: Option<JsValue>,
}

/// The request under way.
struct RequestUnderWay {
    id: Value,
    wants_mask: bool,
}

#[derive(Default)]
struct RequestQueue {
    /// The mask that the host asked for.
    mask: Option<Uint8Array>,
    waiting: VecDeque<HostRequest>,
    under_way: Option<RequestUnderWay>,
    timer: Option<TimeoutHandle>,
}

/// The host: the page that embeds this one and may send messages.
#[derive(Clone, Copy)]
pub struct Host {
    features: Features,
    /// The origins that get messages.
    origins: StoredValue<Vec<String>>,
    requests: StoredValue<RequestQueue, LocalStorage>,
}

/// Listens to the host and sends events to it; returns `None` if no host may send messages. `named` are the origins
/// that the address names.
pub fn listen(features: Features, named: &[String]) -> Option<Host> {
    let (origins, requests) = (StoredValue::new(origins(named)?), StoredValue::new_local(RequestQueue::default()));
    let host = Host { features, origins, requests };
    let _stop = use_event_listener(use_window(), ev::message, move |event| host.receive(&event));
    host.send_events();
    Some(host)
}

/// Returns the origins that get messages; `None` if this page is not embedded, or if its host is not allowed.
fn origins(named: &[String]) -> Option<Vec<String>> {
    let own = window().location().origin().ok()?;
    let allowed = if named.is_empty() { vec![own] } else { named.to_vec() };
    window().parent().ok().flatten().filter(|parent| *parent != window())?;
    match parent_origin() {
        Some(parent) if !allowed.contains(&parent) => {
            let line = format!(
                "headlamp does not talk to {parent}: name it in the frame's address, as in &origin={parent}"
            );
            leptos::web_sys::console::info_1(&line.into());
            None
        }
        Some(parent) => Some(vec![parent]),
        // The browser delivers a message only to the origin that it is addressed to.
        None => Some(allowed),
    }
}

/// Returns the origin of the host, if the browser reveals it.
fn parent_origin() -> Option<String> {
    let ancestors = Reflect::get(&window().location(), &"ancestorOrigins".into()).ok();
    let nearest = ancestors.filter(JsValue::is_object).and_then(|all| Reflect::get_u32(&all, 0).ok()?.as_string());
    nearest.or_else(|| Url::new(&document().referrer()).ok().map(|url| url.origin()))
}

impl Host {
    /// Sends the size of this page, in CSS pixels.
    pub fn send_size(self, width: f64, height: f64) {
        self.send_event("resize", &serde_json::json!({ "width": width.round(), "height": height.ceil() }));
    }

    fn receive(self, event: &MessageEvent) {
        let is_parent = window()
            .parent()
            .ok()
            .flatten()
            .is_some_and(|parent| event.source().is_some_and(|source| Object::is(&source, &parent)));
        if !is_parent || !self.origins.with_value(|origins| origins.contains(&event.origin())) {
            return;
        }
        let (message, picture) = plain(&event.data());
        if let Some(ParsedMessage { id, command }) = messages::read(&message) {
            self.requests
                .update_value(|requests| requests.waiting.push_back(HostRequest { id, command, picture }));
            self.look_soon();
        }
    }

    /// Checks after a moment whether this page is idle.
    fn look_soon(self) {
        let timer = set_timeout_with_handle(move || untrack(|| self.look()), REST).ok();
        self.requests.update_value(|requests| {
            if let Some(earlier) = std::mem::replace(&mut requests.timer, timer) {
                earlier.clear();
            }
        });
    }

    /// Answers the request that is done, and starts the next one.
    fn look(self) {
        let phase = self.features.core.phase();
        if !matches!(phase, "ready" | "failed") {
            return;
        }
        if let Some(done) = self.requests.try_update_value(|requests| requests.under_way.take()).flatten() {
            self.answer(done);
        }
        let next = self.requests.try_update_value(|requests| requests.waiting.pop_front()).flatten();
        if let Some(HostRequest { id, command, picture }) = next {
            self.look_soon();
            if phase == "failed" {
                return self.answer(RequestUnderWay { id, wants_mask: false });
            }
            self.features.core.notice.set(None);
            match command.and_then(|command| self.start(command, picture)) {
                Ok(wants_mask) => self
                    .requests
                    .update_value(|requests| requests.under_way = Some(RequestUnderWay { id, wants_mask })),
                Err(sentence) => self.refuse(&id, &sentence),
            }
        }
    }

    /// Starts a request. Returns whether the answer needs the mask.
    fn start(self, command: HostCommand, picture: Option<JsValue>) -> Result<bool, String> {
        let features = self.features;
        match command {
            HostCommand::Load { picture: Picture::Url(url), .. } => features.photo.open_address(url),
            HostCommand::Load { picture: Picture::Sent, name } => {
                let name = name.unwrap_or_else(|| "the picture".to_owned());
                let blob = picture.and_then(|picture| blob_of(&picture)).ok_or_else(|| {
                    "This picture cannot be read: send it as a file's Blob or ArrayBuffer, or as an ImageBitmap that \
                     is not closed."
                        .to_owned()
                })?;
                features.photo.open_file(name, blob);
            }
            HostCommand::Prompts { texts, phrase } => {
                let Ok(list) = texts.join("\n").parse();
                features.phrases.set_list.set(list);
                features.phrases.choice.set(phrase);
            }
            HostCommand::Choose { phrase, head } => {
                if let Some(phrase) = phrase {
                    if !features.phrases.list.with(|phrases| phrases.contains(&phrase)) {
                        return Err(format!("“{phrase}” is not one of the prompts: set the prompts first."));
                    }
                    features.phrases.choice.set(Some(phrase));
                }
                if let Some((layer, number)) = head {
                    let has = |pack: &PackSummary| layer < pack.layers && number < pack.heads;
                    if !features.model.pack.with(|pack| pack.as_ref().is_some_and(has)) {
                        return Err(format!("This model has no head {layer}.{number}: both are counted from 0."));
                    }
                    features.head_map.head.set(Some((layer, number)));
                }
            }
            HostCommand::Result { mask: true } => {
                if features.segmentation.current().is_none() {
                    return Err("There is no mask yet: load a photo and set prompts first.".to_owned());
                }
                features.segmentation.ask_for_mask(move |_phrase, png| {
                    self.requests.update_value(|requests| requests.mask = Some(png.clone()));
                });
                return Ok(true);
            }
            HostCommand::Result { mask: false } => {}
        }
        Ok(false)
    }

    fn answer(self, RequestUnderWay { id, wants_mask }: RequestUnderWay) {
        let features = self.features;
        if let Some(notice) = features.core.notice.get() {
            return self.refuse(&id, &notice.sentence);
        }
        let mask = self.requests.try_update_value(|requests| requests.mask.take()).flatten();
        let mask = mask.filter(|_| wants_mask).and_then(|png| dom::blob_of("image/png", &png));
        let answer = object(&serde_json::json!({ "id": id, "ok": true, "result": shown(features) }));
        if let (Some(mask), Ok(result)) = (mask, Reflect::get(&answer, &"result".into())) {
            let _set = Reflect::set(&result, &"mask".into(), &mask);
        }
        self.post(&answer);
    }

    fn refuse(self, id: &Value, sentence: &str) {
        self.post(&object(&serde_json::json!({ "id": id, "ok": false, "error": sentence })));
    }

    fn send_event(self, event: &str, fields: &impl Serialize) {
        let message = object(fields);
        let _set = Reflect::set(&message, &"event".into(), &event.into());
        self.post(&message);
    }

    fn post(self, message: &JsValue) {
        let Some(parent) = window().parent().ok().flatten() else { return };
        let _set = Reflect::set(message, &"headlamp".into(), &JsValue::from(messages::VERSION as u32));
        for origin in self.origins.get_value() {
            let _posted = parent.post_message(message, &origin);
        }
    }

    /// Sends events.
    fn send_events(self) {
        let features = self.features;
        Effect::new(move |was_open: Option<bool>| {
            let is_open = features.core.worker.get() == WorkerState::Open;
            if is_open && was_open != Some(true) {
                self.send_event("ready", &serde_json::json!({ "model": model(features) }));
            }
            is_open
        });
        Effect::new(move || {
            let _phase = features.core.phase();
            self.look_soon();
        });
        Effect::new(move || {
            features
                .core
                .progress
                .with(|progress| progress.iter().for_each(|at| self.send_event("progress", &progress_of(at))))
        });
        Effect::new(move || {
            let is_answer = self.requests.with_value(|requests| requests.under_way.is_some());
            if let Some(notice) = features.core.notice.get().filter(|_| !is_answer) {
                self.send_event("error", &serde_json::json!({ "error": notice.sentence }));
            }
        });
        Effect::new(move |before: Option<Choice>| {
            let now = (features.phrases.choice.get(), features.head_map.head.get());
            let is_answer = self.requests.with_value(|requests| requests.under_way.is_some());
            // The page itself chooses the first head.
            let is_persons =
                before.is_some_and(|before| before.0 != now.0 || before.1.is_some() && before.1 != now.1);
            if !is_answer && is_persons {
                self.send_event("change", &serde_json::json!({ "phrase": now.0, "head": now.1 }));
            }
            now
        });
    }
}

/// The chosen phrase, and the layer and number of the chosen head.
type Choice = (Option<String>, Option<(usize, usize)>);

/// The fields that a message may have.
const FIELDS: [&str; 9] = ["headlamp", "id", "do", "image", "name", "texts", "phrase", "head", "mask"];

/// Returns a message as plain data, with `true` instead of a picture, and the picture.
fn plain(message: &JsValue) -> (Value, Option<JsValue>) {
    if !message.is_object() {
        return (Value::Null, None);
    }
    let (mut fields, mut picture) = (serde_json::Map::new(), None);
    for name in FIELDS {
        let Ok(value) = Reflect::get(message, &name.into()) else { continue };
        if name == "image" && value.is_object() {
            fields.insert(name.to_owned(), Value::Bool(true));
            picture = Some(value);
        } else if !value.is_undefined() {
            // A value without JSON (a cycle, a BigInt) is read as null.
            let text = JSON::stringify(&value).ok().and_then(|text| text.as_string());
            let value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
            fields.insert(name.to_owned(), value);
        }
    }
    (Value::Object(fields), picture)
}

/// Returns the picture of a message as a file; `None` if the value is not a picture.
fn blob_of(picture: &JsValue) -> Option<Blob> {
    if let Some(blob) = picture.dyn_ref::<Blob>() {
        return Some(blob.clone());
    }
    if picture.is_instance_of::<ArrayBuffer>() || ArrayBuffer::is_view(picture) {
        return dom::blob_of("", &bytes_of(picture)?);
    }
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.unchecked_into();
    if let Some(bitmap) = picture.dyn_ref::<ImageBitmap>() {
        let size = Size { width: bitmap.width() as usize, height: bitmap.height() as usize };
        dom::paint(&canvas, size, None, (0.0, 0.0));
        let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.unchecked_into();
        context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0).ok()?;
    } else {
        let data = picture.dyn_ref::<ImageData>()?;
        let size = Size { width: data.width() as usize, height: data.height() as usize };
        dom::paint(&canvas, size, Some(data), (0.0, 0.0));
    }
    dom::png_of(&canvas)
}

/// Returns the bytes of a buffer, or of an array over a buffer.
fn bytes_of(buffer: &JsValue) -> Option<Uint8Array> {
    if buffer.is_instance_of::<ArrayBuffer>() {
        return Some(Uint8Array::new(buffer));
    }
    let number = |name: &str| Reflect::get(buffer, &name.into()).ok()?.as_f64();
    let whole = Reflect::get(buffer, &"buffer".into()).ok()?;
    let (offset, length) = (number("byteOffset")?, number("byteLength")?);
    Some(Uint8Array::new_with_byte_offset_and_length(&whole, offset as u32, length as u32))
}

fn object(fields: &impl Serialize) -> JsValue {
    // Our own structures always convert to JavaScript.
    fields
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .unwrap_or_else(|_err| Object::new().into())
}

fn progress_of(progress: &TaskProgress) -> Value {
    match progress {
        TaskProgress::Bytes { what, done, total } => {
            serde_json::json!({ "what": what, "done": done, "total": total })
        }
        TaskProgress::Items { what, done, total } => {
            serde_json::json!({ "what": what, "done": done, "total": total })
        }
        TaskProgress::Phase { what } => serde_json::json!({ "what": what }),
    }
}

fn model(features: Features) -> Option<Model> {
    features.model.pack.with(|pack| {
        let pack = pack.as_ref()?;
        Some(Model {
            name: pack.name.clone(),
            layers: pack.layers,
            heads: pack.heads,
            has_text: pack.has_text,
            device: pack.device.kind.clone(),
        })
    })
}

/// Returns everything on screen, for an answer.
fn shown(features: Features) -> ViewResults {
    let image = features.photo.photo.with(|photo| {
        let summary = &photo.as_ref()?.summary;
        let PhotoRect { left, top, width, height } = summary.crop_in_photo;
        Some(Image {
            name: summary.name.clone(),
            width: summary.photo.width,
            height: summary.photo.height,
            frame: [left, top, width, height],
            residual: summary.residual,
        })
    });
    let phrase = features.phrases.chosen.get();
    let number = features.photo.number();
    let scores = features.phrases.scores.get().filter(|scores| Some(scores.photo_number) == number);
    let parts = scores.as_ref().zip(phrase.as_ref()).and_then(|(scores, phrase)| contributions(scores, phrase));
    let parts = parts.unwrap_or_default();
    let segmentation = features.segmentation.current().map(|segmentation| MaskResult {
        threshold: features.segmentation.threshold.get().unwrap_or(segmentation.threshold),
        is_empty: segmentation.is_empty,
    });
    let head = features.head_map.head.get();
    let explained = features.heads.texts.with(|texts| {
        let texts = texts.as_ref().filter(|texts| Some(texts.head) == head);
        let labels = texts.map(|texts| texts.labels.clone()).unwrap_or_default();
        let of = labels.into_iter();
        of.map(|label| HeadText { text: label.text, variance_explained: label.variance_explained }).collect()
    });
    let attribution = scores.map(|scores| scores.attribution.as_ref().clone());
    let (texts, scores, probabilities) =
        attribution.map(|all| (all.texts, all.scores, all.probabilities)).unwrap_or_default();
    ViewResults {
        model: model(features),
        image,
        texts,
        scores,
        probabilities,
        phrase,
        heads: parts.heads,
        mlps: parts.mlps,
        embedding: parts.embedding,
        head,
        head_texts: explained,
        segmentation,
    }
}
