//! Mounts the page, and puts the features' views together.

use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;
use wasm_bindgen::JsCast as _;

use crate::page::common::browser::dom;
use crate::page::core::browser::engine::Engine;
use crate::page::core::browser::state::State;
use crate::page::embed::browser::view::Embed;
use crate::page::gallery::browser::panel::Gallery;
use crate::page::heads::browser::grid::HeadGrid;
use crate::page::heads::browser::lab::Lab;
use crate::page::heads::browser::panel::HeadPanel;
use crate::page::heads::browser::sources::Sources;
use crate::page::heads::browser::undo::Undo;
use crate::page::model::browser::load_model::LoadModel;
use crate::page::model::browser::panel::ModelPanel;
use crate::page::photo::browser::phrases::Phrases;
use crate::page::photo::browser::stage::PhotoPanel;
use crate::page::shell::address::Address;
use crate::page::shell::browser::drop_and_paste::Intake;
use crate::page::shell::browser::help::{Help, HelpDialog};
use crate::page::shell::browser::masthead::Masthead;
use crate::page::shell::browser::notice::Notice;
use crate::page::shell::browser::offline::{Kept, Update};
use crate::page::shell::browser::tour::{Offer, Tour, TourButton, TourCard};
use crate::page::shell::browser::{history, keys};
use crate::page::video::browser::panel::VideoView;

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
    let (undo, help) = (Undo::new(state), Help::new());
    provide_context(undo);
    provide_context(help);
    if !address.embed {
        keys::listen(state, undo, help);
    }
    provide_context(Tour::new(state, engine));
    Effect::new(move || {
        if let Some(body) = document().body() {
            // Setting an attribute whose name is a literal does not fail.
            let _set = body.set_attribute("data-phase", state.phase());
        }
    });
    engine.start();
    if address.embed {
        provide_context(address);
        return view! { <Embed/> }.into_any();
    }
    view! { <Whole/> }.into_any()
}

/// The page by itself.
#[component]
fn Whole() -> impl IntoView {
    let state = expect_context::<State>();
    let is_video = Signal::derive(move || state.video.is_video());
    // Built when somebody asks for it, and kept from then on.
    let has_video_view = Memo::new(move |had| had == Some(&true) || is_video.get());
    view! {
        <Intake/>
        <Masthead/>
        <Notice/>
        <Offer/>
        <Update/>
        <Show when=move || has_video_view.get()>
            <VideoView/>
        </Show>
        <main class:off=is_video>
            <PhotoPanel/>
            <Phrases/>
            <div class="heads-column">
                <HeadGrid/>
                <HeadPanel/>
                <Show when=move || state.has_text()>
                    <Lab/>
                </Show>
            </div>
            <div class="foot">
                <Foot/>
            </div>
        </main>
        <HelpDialog>
            <TourButton/>
        </HelpDialog>
        <TourCard/>
    }
}

/// What is about more than the photo.
#[component]
fn Foot() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <Gallery/>
        <ModelPanel/>
        <LoadModel/>
        <Show when=move || state.has_text()>
            <Sources/>
        </Show>
        <Kept/>
    }
}
