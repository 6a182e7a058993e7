//! The current time of a playing video, frame by frame.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use leptos::web_sys::HtmlVideoElement;
use wasm_bindgen::prelude::*;

use super::state::VideoState;

#[wasm_bindgen]
extern "C" {
    /// A video element with frame callbacks, which browsers have since 2020 (Firefox since 2024).
    #[derive(Clone)]
    #[wasm_bindgen(extends = HtmlVideoElement)]
    type VideoWithFrameCallbacks;

    #[wasm_bindgen(method, js_name = requestVideoFrameCallback)]
    fn request_video_frame_callback(this: &VideoWithFrameCallbacks, callback: &js_sys::Function) -> u32;

    #[wasm_bindgen(method, js_name = cancelVideoFrameCallback)]
    fn cancel_video_frame_callback(this: &VideoWithFrameCallbacks, number: u32);

    /// The data of a frame on screen.
    type FrameMetadata;

    #[wasm_bindgen(method, getter, js_name = mediaTime)]
    fn media_time(this: &FrameMetadata) -> f64;
}

type FrameCallback = Rc<RefCell<Option<Closure<dyn FnMut(JsValue, FrameMetadata)>>>>;

/// Follows a video element until this value is dropped. The callback owns itself and the element, and an element that
/// has left the page reports no more frames. Without the drop, nothing would free them.
pub struct Follower {
    element: VideoWithFrameCallbacks,
    callback: FrameCallback,
    /// The number of the request for the next frame.
    request: Rc<Cell<u32>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.element.cancel_video_frame_callback(self.request.get());
        drop(self.callback.borrow_mut().take());
    }
}

/// Sets the time to the time of every frame that the element shows. Returns `None` if the browser reports no frames.
/// Then the element is followed until it leaves the page.
pub fn follow(element: HtmlVideoElement, video: VideoState) -> Option<Follower> {
    let reports_frames = js_sys::Reflect::has(&element, &"requestVideoFrameCallback".into()).unwrap_or(false);
    if !reports_frames {
        follow_by_display(element, video);
        return None;
    }
    let element: VideoWithFrameCallbacks = element.unchecked_into();
    let follower = Follower { element, callback: Rc::default(), request: Rc::default() };
    let (element, callback, request) =
        (follower.element.clone(), follower.callback.clone(), follower.request.clone());
    *follower.callback.borrow_mut() = Some(Closure::new(move |_now, metadata: FrameMetadata| {
        video.player.time.set(metadata.media_time());
        request_frame(&element, &callback, &request);
    }));
    request_frame(&follower.element, &follower.callback, &follower.request);
    Some(follower)
}

/// Requests a callback for the next frame.
fn request_frame(element: &VideoWithFrameCallbacks, callback: &FrameCallback, request: &Cell<u32>) {
    if let Some(callback) = callback.borrow().as_ref() {
        request.set(element.request_video_frame_callback(callback.as_ref().unchecked_ref()));
    }
}

/// Follows the element in browsers that report no frames: reads the element's clock at every repaint.
fn follow_by_display(element: HtmlVideoElement, video: VideoState) {
    request_animation_frame(move || {
        if !element.is_connected() {
            return;
        }
        if !element.paused() {
            video.player.time.set(element.current_time());
        }
        follow_by_display(element, video);
    });
}

/// Advances the time of a row of pictures while it plays, and stops at the end.
pub fn play_pictures(video: VideoState, is_alive: impl Fn() -> bool + 'static) {
    let last = Rc::new(RefCell::new(None::<f64>));
    advance(video, Rc::new(is_alive), last);
}

fn advance(video: VideoState, is_alive: Rc<dyn Fn() -> bool>, last: Rc<RefCell<Option<f64>>>) {
    request_animation_frame(move || {
        if !is_alive() {
            return;
        }
        let now = js_sys::Date::now() / 1000.0;
        let before = last.borrow_mut().replace(now);
        if let Some(before) = before.filter(|_| video.player.is_playing.get_untracked()) {
            let time = video.player.time.get_untracked() + (now - before).min(0.25);
            let end =
                video.player.summary.with_untracked(|summary| summary.as_ref().map_or(0.0, |at| at.duration));
            if time >= end {
                video.player.is_playing.set(false);
            }
            video.player.time.set(time.min(end));
        }
        advance(video, is_alive, last);
    });
}
