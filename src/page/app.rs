//! Mounts the page, and puts the features' views together.

use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos::web_sys::HtmlElement;
use wasm_bindgen::JsCast as _;

use crate::page::common::browser::dom;
use crate::page::compare::browser::comparison::Comparison;
use crate::page::embed::browser::view::Embed;
use crate::page::gallery::browser::panel::Gallery;
use crate::page::gallery::browser::property_pictures::PropertyPictures;
use crate::page::heads::browser::completeness_curve::GalleryForLabels;
use crate::page::heads::browser::grid::HeadGrid;
use crate::page::heads::browser::lab::Lab;
use crate::page::heads::browser::panel::HeadPanel;
use crate::page::heads::browser::sources::Sources;
use crate::page::heads::browser::what_heads_do::WhatHeadsDo;
use crate::page::model::browser::load_model::LoadModel;
use crate::page::model::browser::panel::ModelPanel;
use crate::page::model::browser::stored_packs::StoredPacks;
use crate::page::photo::browser::phrases_panel::Phrases;
use crate::page::photo::browser::stage::PhotoPanel;
use crate::page::shell::address::Address;
use crate::page::shell::browser::drop_and_paste::DropAndPaste;
use crate::page::shell::browser::export::Exports;
use crate::page::shell::browser::features::Features;
use crate::page::shell::browser::first_labels::{FirstLabels, PictureSources};
use crate::page::shell::browser::help::{Help, HelpDialog};
use crate::page::shell::browser::masthead::Masthead;
use crate::page::shell::browser::notice::Notice;
use crate::page::shell::browser::pending_address::PendingAddress;
use crate::page::shell::browser::samples::Samples;
use crate::page::shell::browser::tour::{Tour, TourButton, TourCard, TourOffer};
use crate::page::shell::browser::update::Update;
use crate::page::shell::browser::{history, keys, opened_model};
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
    let features = Features::new(&address);
    features.provide();
    let pending = PendingAddress::new(features);
    history::follow(features, pending, address.clone(), complaints);
    opened_model::follow(features, pending);
    let help = Help::default();
    provide_context(help);
    if !address.embed {
        keys::listen(features, help);
    }
    provide_context(Tour::new(features));
    Effect::new(move || {
        if let Some(body) = document().body() {
            // Setting an attribute whose name is a literal does not fail.
            let _set = body.set_attribute("data-phase", features.core.phase());
        }
    });
    features.core.restart();
    if address.embed {
        provide_context(address);
        return view! { <Embed/> }.into_any();
    }
    view! { <Whole/> }.into_any()
}

/// The page by itself.
#[component]
fn Whole() -> impl IntoView {
    let features = expect_context::<Features>();
    let is_video = Signal::derive(move || features.video.player.is_video());
    // Built when somebody asks for it, and kept from then on.
    let has_video_view = Memo::new(move |had| had == Some(&true) || is_video.get());
    view! {
        <DropAndPaste/>
        <Masthead/>
        <Notice/>
        <TourOffer/>
        <Update/>
        <Show when=move || has_video_view.get()>
            <VideoView/>
        </Show>
        <main class:off=is_video>
            <PhotoPanel samples=Samples>
                <Exports/>
            </PhotoPanel>
            <Phrases/>
            <div class="heads-column">
                <HeadGrid/>
                <HeadPanel first_labels=FirstLabels/>
                <Show when=move || features.model.has_text()>
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

/// The views below the photo, which are about more than the photo.
#[component]
fn Foot() -> impl IntoView {
    let features = expect_context::<Features>();
    let photo = features.photo;
    let summary =
        Signal::derive(move || photo.photo.with(|photo| photo.as_ref().map(|photo| photo.summary.clone())));
    let gallery = GalleryForLabels {
        pictures: Signal::derive(move || features.gallery.pictures.with(|pictures| pictures.len())),
        labelled_classes: Signal::derive(move || features.cues.labelled_classes()),
    };
    view! {
        <Comparison/>
        <Show when=move || features.model.has_text()>
            <WhatHeadsDo gallery=PropertyPictures/>
        </Show>
        <Gallery/>
        // Precomputed results have no timings of this machine.
        <ModelPanel
            photo=summary
            is_measured_here=Signal::derive(move || !photo.is_precomputed.get())
            names=features.names.names
        >
            <PictureSources/>
        </ModelPanel>
        <LoadModel/>
        <Show when=move || features.model.has_text()>
            <Sources gallery=gallery/>
        </Show>
        <StoredPacks/>
    }
}
