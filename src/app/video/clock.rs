//! What time it is in a playing video, frame by frame.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::prelude::*;
use leptos::web_sys::HtmlVideoElement;
use wasm_bindgen::prelude::*;

use super::state::VideoState;

#[wasm_bindgen]
extern "C" {
    /// A video element as browsers have it since 2020 (Firefox since 2024).
    #[derive(Clone)]
    #[wasm_bindgen(extends = HtmlVideoElement)]
    type FrameTeller;

    #[wasm_bindgen(method, js_name = requestVideoFrameCallback)]
    fn request_video_frame_callback(this: &FrameTeller, callback: &js_sys::Function) -> u32;

    /// What is told of a frame that has come on screen.
    type FrameTold;

    #[wasm_bindgen(method, getter, js_name = mediaTime)]
    fn media_time(this: &FrameTold) -> f64;
}

type Ticking = Rc<RefCell<Option<Closure<dyn FnMut(JsValue, FrameTold)>>>>;

/// Sets the time to that of every frame which the element shows, until it leaves the page.
pub fn follow(element: HtmlVideoElement, video: VideoState) {
    let can_tell = js_sys::Reflect::has(&element, &"requestVideoFrameCallback".into()).unwrap_or(false);
    if !can_tell {
        return follow_by_display(element, video);
    }
    let teller: FrameTeller = element.unchecked_into();
    let ticking: Ticking = Rc::default();
    let again = ticking.clone();
    let next = teller.clone();
    *ticking.borrow_mut() = Some(Closure::new(move |_now, told: FrameTold| {
        if !next.is_connected() {
            // The closure must not be freed while it runs.
            let done = again.clone();
            return request_animation_frame(move || drop(done.borrow_mut().take()));
        }
        video.time.set(told.media_time());
        if let Some(callback) = again.borrow().as_ref() {
            next.request_video_frame_callback(callback.as_ref().unchecked_ref());
        }
    }));
    if let Some(callback) = ticking.borrow().as_ref() {
        teller.request_video_frame_callback(callback.as_ref().unchecked_ref());
    }
}

/// The same for browsers that do not tell of frames: the element's clock at every repaint.
fn follow_by_display(element: HtmlVideoElement, video: VideoState) {
    request_animation_frame(move || {
        if !element.is_connected() {
            return;
        }
        if !element.paused() {
            video.time.set(element.current_time());
        }
        follow_by_display(element, video);
    });
}

/// Moves the time of a row of pictures on while it plays; at the end it stops.
pub fn tick(video: VideoState, is_alive: impl Fn() -> bool + 'static) {
    let last = Rc::new(RefCell::new(None::<f64>));
    tick_on(video, Rc::new(is_alive), last);
}

fn tick_on(video: VideoState, is_alive: Rc<dyn Fn() -> bool>, last: Rc<RefCell<Option<f64>>>) {
    request_animation_frame(move || {
        if !is_alive() {
            return;
        }
        let now = js_sys::Date::now() / 1000.0;
        let before = last.borrow_mut().replace(now);
        if let Some(before) = before.filter(|_| video.is_playing.get_untracked()) {
            let time = video.time.get_untracked() + (now - before).min(0.25);
            let end = video.summary.with_untracked(|summary| summary.as_ref().map_or(0.0, |at| at.duration));
            if time >= end {
                video.is_playing.set(false);
            }
            video.time.set(time.min(end));
        }
        tick_on(video, is_alive, last);
    });
}
