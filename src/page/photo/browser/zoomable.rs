//! A stage whose picture can be zoomed and moved by wheel, fingers, mouse and keys.

use leptos::html::Div;
use leptos::prelude::*;
use leptos::web_sys::{KeyboardEvent, PointerEvent, WheelEvent};

use crate::page::photo::zoom::{Pointers, Zoom};
use crate::text::units;

/// Zooms its children, which must be as large as the stage. When `subject` changes, shows the whole picture again.
#[component]
pub fn Zoomable(#[prop(into)] subject: Signal<String>, children: Children) -> impl IntoView {
    let board = NodeRef::<Div>::new();
    let zoom = RwSignal::new(Zoom::default());
    let hold = StoredValue::new(Pointers::default());
    Effect::new(move |last: Option<String>| {
        let subject = subject.get();
        if last.is_some_and(|last| last != subject) {
            zoom.set(Zoom::default());
        }
        subject
    });
    let on_stage = move |x: i32, y: i32| {
        let around = board.get_untracked()?.get_bounding_client_rect();
        let (width, height) = (around.width().max(1.0), around.height().max(1.0));
        Some(((f64::from(x) - around.left()) / width, (f64::from(y) - around.top()) / height))
    };
    // Without Ctrl, the wheel scrolls the page, unless the photo has the focus. (The browser reports a pinch on a
    // touchpad as a wheel with Ctrl.)
    let wheel = move |event: WheelEvent| {
        let has_focus = board.get_untracked().is_some_and(|board| board.matches(":focus").unwrap_or(false));
        if let Some(point) = on_stage(event.client_x(), event.client_y())
            && (event.ctrl_key() || has_focus)
        {
            event.prevent_default();
            zoom.update(|zoom| *zoom = zoom.about((-event.delta_y() / 300.0).exp().clamp(0.5, 2.0), point));
        }
    };
    let down = move |event: PointerEvent| {
        if event.button() != 0 {
            return;
        }
        if let Some(point) = on_stage(event.client_x(), event.client_y()) {
            hold.update_value(|hold| hold.down(event.pointer_id(), point));
        }
        if let Some(board) = board.get_untracked() {
            // This fails if the pointer is already gone.
            let _captured = board.set_pointer_capture(event.pointer_id());
        }
    };
    let drag = move |event: PointerEvent| {
        let Some(point) = on_stage(event.client_x(), event.client_y()) else { return };
        let now = zoom.get_untracked();
        let moved = hold.try_update_value(|hold| hold.moved(now, event.pointer_id(), point)).unwrap_or(now);
        if moved != now {
            zoom.set(moved);
        }
    };
    let up = move |event: PointerEvent| hold.update_value(|hold| hold.up(event.pointer_id()));
    let press = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        if let Some(next) = zoom.get_untracked().after_key(&event.key()) {
            event.prevent_default();
            zoom.set(next);
        }
    };
    let is_whole = move || zoom.get().is_whole();
    let by_key =
        move |key: &'static str| move |_| zoom.update(|zoom| *zoom = zoom.after_key(key).unwrap_or(*zoom));
    view! {
        <div
            id="zoom"
            class="zoom-board"
            class:zoomed=move || !is_whole()
            node_ref=board
            tabindex="0"
            role="group"
            aria-label="The photo and what lies over it; plus and minus zoom, 0 shows the whole"
            data-scale=move || format!("{:.3}", zoom.get().scale)
            on:wheel=wheel
            on:pointerdown=down
            on:pointermove=drag
            on:pointerup=up
            on:pointercancel=up
            on:keydown=press
        >
            <div class="zoom-content" style:transform=move || zoom.get().transform()>{children()}</div>
        </div>
        <div class="zoom-buttons" role="group" aria-label="Zoom">
            <button type="button" aria-label="Zoom in" title="Zoom in (+)" on:click=by_key("+")>"+"</button>
            <button type="button" aria-label="Zoom out" title="Zoom out (−)" disabled=is_whole on:click=by_key("-")>
                "−"
            </button>
            <Show when=move || !is_whole()>
                <button type="button" id="zoom-reset" title="The whole photo again (0)" on:click=by_key("0")>
                    {move || units::percent(zoom.get().scale as f32)}
                </button>
            </Show>
        </div>
    }
}
