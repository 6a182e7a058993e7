//! The page, in Leptos: state and views. It holds no tensor and decodes no picture; all of that is the
//! worker's, behind [`client`].
//!
//! [`state`] has every signal, [`engine`] turns their changes into work and the answers into changes, and
//! each view has a file of its own.

mod answers;
mod beforehand;
mod client;
mod completeness;
mod contrast;
mod controls;
mod dom;
mod embed;
mod engine;
mod export;
mod folder;
mod gallery;
mod head_grid;
mod head_panel;
mod help;
mod history;
mod host;
mod how;
mod intake;
mod keys;
mod lab;
mod legend;
mod load_model;
mod masthead;
mod model_panel;
mod notice;
mod offline;
mod overlay;
mod part;
mod photo;
mod photo_camera;
mod phrases;
mod pool;
mod samples;
mod share;
mod state;
mod storages;
mod stored;
mod tour;
mod undo;
mod video;
pub mod video_element;
mod wait;
mod watch;
mod zoom;

use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;
use wasm_bindgen::JsCast as _;

use crate::view::address::Address;
use engine::Engine;
use part::{Part, part};
use state::State;

/// Puts the page into `#app`, in place of what index.html shows until then.
pub fn mount() {
    let Some(place) = document().get_element_by_id("app") else { return };
    place.set_inner_html("");
    let place: HtmlElement = place.unchecked_into();
    mount_to(place, App).forget();
}

#[component]
fn App() -> impl IntoView {
    let (address, complaints) = Address::parse(&dom::query());
    let state = State::new(&address);
    let engine = Engine::new(state);
    provide_context(state);
    provide_context(engine);
    history::follow(engine, address.clone(), complaints);
    let (undo, help) = (undo::Undo::new(state), help::Help::new());
    provide_context(undo);
    provide_context(help);
    if !address.embed {
        keys::listen(state, undo, help);
    }
    provide_context(tour::Tour::new(state, engine));
    Effect::new(move || {
        if let Some(body) = document().body() {
            // Setting an attribute whose name is a literal does not fail.
            let _set = body.set_attribute("data-phase", state.phase());
        }
    });
    engine.start();
    if address.embed {
        provide_context(address);
        return view! { <Part load=embedded when=true/> }.into_any();
    }
    view! { <Whole/> }.into_any()
}

part!(embedded in embed: view! { <embed::Embed/> });
part!(video in video: view! { <video::VideoView/> });
part!(foot in rest: view! { <Foot/> });
part!(exports in rest: view! { <export::Exports/> });
part!(dialogs in rest: view! {
    <help::HelpDialog>
        <tour::TourButton/>
    </help::HelpDialog>
    <tour::TourCard/>
});

/// The page by itself.
#[component]
fn Whole() -> impl IntoView {
    let state = expect_context::<State>();
    let is_video = Signal::derive(move || state.video.is_video());
    view! {
        <intake::Intake/>
        <masthead::Masthead/>
        <notice::Notice/>
        <tour::Offer/>
        <offline::Update/>
        <Part load=video when=is_video/>
        <main class:off=is_video>
            <photo::PhotoPanel/>
            <phrases::Phrases/>
            <div class="heads-column">
                <head_grid::HeadGrid/>
                <head_panel::HeadPanel/>
                <Show when=move || state.has_text()>
                    <lab::Lab/>
                </Show>
            </div>
            <div class="foot">
                <Part load=foot when=true/>
            </div>
        </main>
        <Part load=dialogs when=true/>
    }
}

/// What is about more than the photo.
#[component]
fn Foot() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <gallery::Gallery/>
        <model_panel::ModelPanel/>
        <load_model::LoadModel/>
        <Show when=move || state.has_text()>
            <pool::Sources/>
        </Show>
        <offline::Kept/>
    }
}
